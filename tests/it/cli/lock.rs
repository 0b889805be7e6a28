//! A repository's lock, told in commands: a checkout without memory knows what the server must not take back.

use super::people::owner_of_payments;
use super::rollback::copy;
use super::shell::Shell;
use crate::world::{Engine, World, in_real_time_on_each_store};
use std::fs;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_holds_a_machine_without_memory_to_what_its_repository_saw() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let (data, early) = (world.folder.path().join("data"), world.folder.path().join("early"));
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("k1").ok().await;
    let token = ada.run("machine create ci -e production").ok().await;
    assert!(ada.run("lock update").fails(12).await.contains("keyvawlt init"));
    ada.run("init --project payments -e production").ok().await;
    let world = world.restart_with(|_| copy(&data, &early)).await;
    ada.run("secrets set stripe/key --stdin -e production").input("k2").ok().await;
    ada.run("guard stripe/").ok().await;
    let written = ada.run("lock update").json().await;
    assert_eq!(written["namespaces"], 3, "two environments and a folder: {written}");
    assert_eq!(ada.run("lock verify").json().await["seq"], written["seq"]);
    let lock = fs::read_to_string(ada.home().join("keyvawlt.lock")).unwrap();
    for secret in ["k1", "k2", "stripe", "payments"] {
        assert!(!lock.contains(secret), "{secret} is in the lock: {lock}");
    }
    // What happened since, also an archived folder, is no reason to fail.
    ada.run("secrets set stripe/key --stdin -e production").input("k3").ok().await;
    ada.run("unguard stripe/ --yes").ok().await;
    ada.run("lock verify").ok().await;
    ada.run("lock update").var("CI", "true").fails(2).await;

    // A job: a fresh machine, with the token and the checkout.
    let job = |name: &str| {
        let job = Shell::new(&world, name);
        for file in ["keyvawlt.toml", "keyvawlt.lock"] {
            fs::copy(ada.home().join(file), job.home().join(file)).unwrap();
        }
        job
    };
    let print = |job: &Shell, flags: &str| {
        let line = job.run(&format!("run {flags} --only stripe/key -- printenv STRIPE_KEY"));
        line.var("KEYVAWLT_TOKEN", token.trim()).var("CI", "true")
    };
    let first = job("first");
    assert_eq!(print(&first, "").ok().await, "k3\n");
    assert_eq!(fs::read_to_string(first.home().join("keyvawlt.lock")).unwrap(), lock, "a job does not rewrite it");
    let (second, third) = (job("second"), job("third"));
    fs::write(third.home().join("keyvawlt.lock"), lock.replace("seq = ", "seq = 9")).unwrap();
    assert!(print(&third, "").fails(17).await.contains("E_ROLLBACK"));
    fs::write(third.home().join("keyvawlt.lock"), "origin = 1").unwrap();
    assert!(print(&third, "").fails(2).await.contains("the lock is damaged"));
    assert!(print(&third, "--lock other.lock").fails(12).await.contains("other.lock"));

    let world = world.restart_with(|_| copy(&early, &data)).await;
    let refused = print(&second, "").fails(17).await;
    assert!(refused.contains("E_ROLLBACK") && refused.contains("keyvawlt.lock"), "{refused}");
    assert_eq!(print(&second, "--no-lock").ok().await, "k1\n", "which a job without lock would have believed");
    world.stop().await;
}

in_real_time_on_each_store!(silence_is_told_and_refused_where_a_machine_gives_heartbeats);

async fn silence_is_told_and_refused_where_a_machine_gives_heartbeats(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("k1").ok().await;
    ada.run("init --project payments -e production").ok().await;
    let settings = ada.home().join("keyvawlt.toml");
    let plain = fs::read_to_string(&settings).unwrap();
    let configure = |more: &str| fs::write(&settings, format!("{plain}{more}\n")).unwrap();
    let get = || ada.run("secrets get --plain stripe/key");

    configure("max_staleness = \"1s\"");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = get().output().await;
    assert!(told.status.success());
    assert!(super::shell::text(&told.stderr).contains("E_STALE"), "{told:?}");
    configure("max_staleness = \"1s\"\nheartbeat = \"pulse\"");
    let told = super::shell::text(&get().output().await.stderr);
    assert!(told.contains("is no machine of the organization"), "{told}");
    let token = ada.run("machine create pulse -e production").ok().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = get().fails(17).await;
    assert!(told.contains("E_STALE") && told.contains("and the limit is 1 seconds"), "{told}");
    let kept = fs::read_dir(ada.config_dir().join("state/evidence")).unwrap().map(|file| file.unwrap().path()).max().unwrap();
    let shown = ada.run("evidence check").arg(kept.to_str().unwrap()).ok().await;
    assert!(
        shown.lines().next().is_some_and(|line| !line.trim_end().ends_with(':')),
        "nobody's statement was refused, so no reason is shown: {shown}"
    );
    configure("max_staleness = \"1h\"\nheartbeat = \"pulse\"");
    let before = ada.run("status").json().await["verified"]["links"].as_u64().unwrap();
    let pulse = Shell::new(&world, "pulse");
    let beaten = pulse.run("heartbeat").var("KEYVAWLT_TOKEN", token.trim()).json().await;
    assert_eq!(beaten["links"], before + 1);
    assert_eq!(get().ok().await, "k1");
    configure("max_staleness = \"soon\"");
    get().fails(2).await;
    world.stop().await;
}
