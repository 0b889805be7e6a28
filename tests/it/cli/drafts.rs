//! Staged values, told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{World, in_real_time_on_each_store};

in_real_time_on_each_store!(
    a_staged_value_is_seen_by_nobody_until_it_is_committed,
    a_job_without_memory_stages_commits_and_writes_what_it_has_only_listed,
    a_forgotten_draft_does_not_bring_an_old_value_back,
);

async fn a_staged_value_is_seen_by_nobody_until_it_is_committed(world: World) {
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
    ada.run("secrets draft commit stripe/key -e production").fails(13).await;
    set("stripe/key --draft", "k4").ok().await;
    assert_eq!(ada.run("secrets draft commit stripe/key -e production").json().await["version"], 5);
    world.stop().await;
}

async fn a_job_without_memory_stages_commits_and_writes_what_it_has_only_listed(world: World) {
    let ada = owner_of_payments(&world).await;
    for (name, value) in [("stripe/key", "k1"), ("stripe/other", "o1")] {
        ada.run("secrets set --stdin --note live -e production").arg(name).input(value).ok().await;
    }
    ada.run("secrets set stripe/key --draft --stdin -e production").input("k2").ok().await;
    let token = ada.run("machine create deploy --perm write -e production").ok().await;
    // Each job begins on a fresh machine, and has but the listing.
    let job = |nth: u32, words: &str| Shell::new(&world, &format!("job-{nth}")).run(words).var("KEYVAWLT_TOKEN", token.trim());
    assert_eq!(job(1, "secrets draft commit stripe/key -e production").json().await["version"], 2);
    job(2, "secrets set stripe/key --draft --stdin -e production").input("k3").ok().await;
    job(3, "secrets set stripe/other --stdin -e production").input("o2").ok().await;
    job(4, "secrets rollback stripe/other --to 1 -e production").ok().await;
    job(5, "secrets delete stripe/other --yes -e production").ok().await;
    job(6, "secrets undelete stripe/other -e production").ok().await;
    assert_eq!(job(7, "secrets get --plain stripe/key -e production").ok().await, "k2");
    assert_eq!(job(8, "secrets get stripe/other -e production").json().await["note"], "live");
    assert_eq!(ada.run("secrets draft commit stripe/key -e production").json().await["version"], 3);
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "k3");
    assert_eq!(ada.run("secrets get --plain stripe/other -e production").ok().await, "o1");
    world.stop().await;
}

async fn a_forgotten_draft_does_not_bring_an_old_value_back(world: World) {
    let ada = owner_of_payments(&world).await;
    let set = |words: &str, value: &str| ada.run(&format!("secrets set --stdin -e production {words}")).input(value);
    set("stripe/key", "k1").ok().await;
    set("stripe/key --draft", "k2").ok().await;
    // Nobody remembers the draft, and the key is replaced; facts are told of it after.
    set("stripe/key", "k3").ok().await;
    ada.run("secrets facts stripe/key --label Stripe -e production").ok().await;
    let token = ada.run("machine create deploy --perm write -e production").ok().await;
    let fresh = |nth: u32, words: &str| Shell::new(&world, &format!("job-{nth}")).run(words).var("KEYVAWLT_TOKEN", token.trim());
    for refused in [
        ada.run("rotate commit stripe/key -e production").fails(13).await,
        ada.run("secrets draft commit stripe/key -e production").fails(13).await,
        fresh(1, "rotate commit stripe/key -e production").fails(13).await,
    ] {
        assert!(refused.contains("stripe/key got another value, version 2, after the draft was staged"), "{refused}");
        assert!(refused.contains("keyvawlt secrets history stripe/key") && refused.contains("stripe/key --replace"), "{refused}");
    }
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "k3");
    // Staged anew by somebody who sees the present value, it is meant; facts alone stand in nobody's way.
    ada.run("rotate begin stripe/key --stdin --replace -e production").input("k2").ok().await;
    ada.run("secrets facts stripe/key --label Payments -e production").ok().await;
    assert_eq!(fresh(2, "rotate commit stripe/key -e production").json().await["version"], 3);
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "k2");
    world.stop().await;
}
