//! Machines: a token, one environment, and an end.

use super::people::owner_of_payments;
use super::shell::{Shell, until_fails};
use crate::world::{Engine, World};
use std::os::unix::fs::PermissionsExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_reads_its_environment_until_it_is_revoked() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    ada.run("secrets set stripe/key --stdin -e development").input("sk_d").ok().await;
    let token = ada.run("machine create ci -e production --ttl 90d").ok().await;
    assert_eq!(token.lines().count(), 1, "the token and nothing else is on stdout");
    let agent = Shell::new(&world, "agent");
    let get = |environment: &str| agent.run("secrets get --plain stripe/key -e").arg(environment).var("KEYVAWLT_TOKEN", token.trim());
    assert_eq!(get("production").ok().await, "sk_1");
    get("development").fails(12).await;
    agent.run("secrets set stripe/key=x -e production").var("KEYVAWLT_TOKEN", token.trim()).fails(11).await;
    agent.run("org list").var("KEYVAWLT_TOKEN", token.trim()).fails(11).await;
    for words in ["notify preferences", "notify mute expiry", "notify log"] {
        let said = agent.run(words).var("KEYVAWLT_TOKEN", token.trim()).fails(11).await;
        assert!(said.contains("notices are for people") && !said.contains("ask an admin"), "{words}: {said}");
    }
    let status = agent.run("status").var("KEYVAWLT_TOKEN", token.trim()).json().await;
    assert_eq!(status["environments"][0]["secrets"], 1);

    ada.run("machine create ci -e development").fails(2).await;
    let listed = ada.run("machine list").json().await;
    assert_eq!((&listed[0]["name"], &listed[0]["access"][0]["environment"]), (&"ci".into(), &"payments/production".into()));
    let revoked = ada.run("machine revoke ci --yes").json().await;
    assert_eq!(revoked["rotate"][0]["secret"], "stripe/key");
    let refused = get("production").fails(10).await;
    assert!(refused.contains("revoked") && !refused.contains(token.trim()), "{refused}");
    assert_eq!(ada.run("machine list").json().await, serde_json::json!([]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_ends_by_itself_and_is_shown_as_ended() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let token = ada.run("machine create ci -e production --ttl 10s").ok().await;
    let agent = Shell::new(&world, "agent");
    let list = || agent.run("secrets list -e production").var("KEYVAWLT_TOKEN", token.trim());
    list().ok().await;
    assert!(ada.run("status").ok().await.contains("ci (machine): ends now"));
    until_fails(10, list).await;
    assert_eq!(ada.run("machine list").json().await[0]["ended"], true);
    assert!(ada.run("status").ok().await.contains("ci (machine): ended now"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_is_private_and_never_overwritten() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("x").ok().await;
    let shown = ada.run("machine create ci -e production --token-file ci.token").json().await;
    assert_eq!((&shown["token"], &shown["token_file"]), (&serde_json::Value::Null, &"ci.token".into()));
    let path = ada.home().join("ci.token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let agent = Shell::new(&world, "agent");
    assert_eq!(agent.run("secrets get --plain a -e production").var("KEYVAWLT_TOKEN_FILE", path.to_str().unwrap()).ok().await, "x");

    ada.run("machine create other -e production --token-file ci.token").fails(1).await;
    let listed = ada.run("machine list").json().await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "nothing is made when its token has no place");
    world.stop().await;
}
