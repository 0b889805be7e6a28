//! Staged values, told in commands.

use super::people::{colleague, owner_of_payments};
use crate::world::{Engine, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_value_is_seen_by_nobody_until_it_is_committed() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let set = |words: &str, value: &str| ada.run(&format!("secrets set --stdin -e production {words}")).input(value);
    set("stripe/key", "k1").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    set("stripe/key --draft", "typo").ok().await;
    set("stripe/key --draft --label Stripe", "k2").ok().await;
    set("stripe/new --draft", "n1").ok().await;
    let drafts = ada.run("secrets draft list -e production").json().await;
    assert_eq!(
        drafts.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["stripe/key", "stripe/new"]
    );
    assert_eq!(bob.run("secrets list --names-only -e production").json().await, serde_json::json!(["stripe/key"]));
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "k1");
    bob.run("secrets draft commit stripe/key -e production").fails(11).await;
    let waits = ada.run("guard stripe/ -e production").fails(2).await;
    assert!(waits.contains("a value is staged for stripe/"), "{waits}");

    assert_eq!(ada.run("secrets draft commit stripe/key -e production").json().await["version"], 2);
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "k2");
    assert_eq!(bob.run("secrets list -e production").json().await[0]["label"], "Stripe");
    assert_eq!(ada.run("secrets draft commit stripe/new -e production").json().await["version"], 1);
    ada.run("secrets draft commit stripe/new -e production").fails(12).await;
    set("stripe/key --draft", "k3").ok().await;
    ada.run("secrets draft discard stripe/key -e production").ok().await;
    assert_eq!(ada.run("secrets draft list -e production").json().await, serde_json::json!([]));
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "k2");

    // What Bob could read is not committed once he is gone; what was deleted or made anew meanwhile is not overwritten.
    set("stripe/key --draft", "k3").ok().await;
    ada.run("member remove bob --yes").ok().await;
    let outdated = ada.run("secrets draft commit stripe/key -e production").fails(2).await;
    assert!(outdated.contains("stage a new value"), "{outdated}");
    set("stripe/key --draft", "k4").ok().await;
    ada.run("secrets delete stripe/key --yes -e production").ok().await;
    ada.run("secrets draft commit stripe/key -e production").fails(13).await;
    ada.run("secrets undelete stripe/key -e production").ok().await;
    assert_eq!(ada.run("secrets draft commit stripe/key -e production").json().await["version"], 5);
    world.stop().await;
}
