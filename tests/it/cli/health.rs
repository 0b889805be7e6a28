//! Keys checked by command, at a stand-in on this machine: a person by hand, a machine on a schedule.

use super::people::owner_of_payments;
use super::shell::{Shell, text};
use crate::key_health::provider::Provider;
use crate::world::{Engine, World};
use std::time::Duration;
use tokio::process::Command;

/// A watch says what its first round found within this; it starts a program and logs in.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_checked_listed_and_watched() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let (ada, stripe) = (owner_of_payments(&world).await, Provider::start().await);
    let place = format!("stripe={}", stripe.origin());
    let key = "sk_live_TheKeyOfTheCommands";
    ada.run("secrets set stripe/key --stdin --provider Stripe -e production").input(key).ok().await;
    ada.run("secrets set log_level --stdin -e production").input("debug").ok().await;
    assert!(ada.run("health list -e production").ok().await.is_empty(), "nobody has looked yet");

    let checked = ada.run("health check --all -e production").arg("--endpoint").arg(&place).json().await;
    assert_eq!((checked.as_array().unwrap().len(), &checked[0]["outcome"], &checked[0]["reported"]), (1, &"valid".into(), &true.into()));
    let listed = ada.run("health list -e production").json().await;
    assert_eq!((&listed[0]["name"], &listed[0]["verdict"]), (&"stripe/key".into(), &"works".into()));

    let unknown = ada.run("health check log_level --no-report -e production").json().await;
    assert_eq!(unknown[0]["outcome"], "unsupported");
    ada.run("health check --all -e production").arg("--endpoint").arg("stripe=http://stripe.example").fails(2).await;
    ada.run("health check --all -e production --endpoint stripe").fails(2).await;
    ada.run("health check stripe/missing -e production").fails(12).await;
    ada.run("health watch -e production --interval 1m").fails(2).await;

    stripe.answer(key, 401, "{}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let refused = ada.run("health check stripe/key -e production").var("KEYVAWLT_HEALTH_ENDPOINTS", &place).output().await;
    let (said, failed) = (text(&refused.stdout), text(&refused.stderr));
    assert!(refused.status.code() == Some(1) && failed.contains("KEY_REFUSED"), "{failed}");
    assert!(said.contains("invalid") && !said.contains(key) && !failed.contains(key), "{said}{failed}");
    assert_eq!(ada.run("health list -e production").json().await[0]["verdict"], "refused once");

    // Another key, for a machine that was never here.
    ada.run("secrets set stripe/other --stdin --provider stripe -e production").input("sk_live_AnotherKeyOfTheCommands").ok().await;
    let token = ada.run("machine create watcher -e production").ok().await;
    watches(&Shell::new(&world, "watcher"), token.trim(), &place).await;
    let listed = ada.run("health list -e production").json().await;
    let other = listed.as_array().unwrap().iter().find(|row| row["name"] == "stripe/other").unwrap();
    assert_eq!((&other["verdict"], &other["by"]), (&"works".into(), &"watcher".into()));
    world.stop().await;
}

/// Until it has said something; then a signal ends it, as a service manager sends it.
async fn watches(watcher: &Shell, token: &str, place: &str) {
    let mut line = watcher.run("health watch --json").var("KEYVAWLT_TOKEN", token).var("KEYVAWLT_ENV", "production");
    line = line.var("KEYVAWLT_HEALTH_ENDPOINTS", place);
    let child = line.start();
    let process = child.id().expect("a running process").to_string();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let killed = Command::new("kill").args(["-TERM", &process]).status().await.expect("a signal");
    assert!(killed.success(), "it still runs");
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("an ending");
    let (said, failed) = (text(&ended.stdout), text(&ended.stderr));
    assert!(ended.status.success(), "{failed}");
    assert!(said.contains("stripe/other") && said.contains("valid") && !said.contains("sk_live"), "{said}{failed}");
}
