//! A server that was restored from a backup: nobody takes it for what it was, it takes nothing new, and members give it back what they hold, when
//! they say so.

use super::people::{colleague, owner_of_payments};
use super::rollback::copy;
use super::shell::Shell;
use crate::world::{Engine, World};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_give_a_restored_server_what_its_backup_lacks() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let (data, early) = (world.folder.path().join("data"), world.folder.path().join("early"));
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key=sk_1 -e production").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:write").await;
    let carl = colleague(&world, &ada, "carl", "payments/production:write").await;
    assert_eq!(carl.run("secrets get stripe/key --plain -e production").ok().await, "sk_1");
    let world = world.restart_with(|_| copy(&data, &early)).await;

    // What the backup does not have: Bob sees all of it but the new project, Carl nothing.
    ada.run("secrets set stripe/key=sk_2 -e production").ok().await;
    bob.run("secrets set stripe/key=sk_3 -e production").ok().await;
    bob.run("secrets set bob/key=bk_1 -e production").ok().await;
    ada.run("project create infra").ok().await;
    ada.run("secrets set db/password=p_1 -e production --project infra").ok().await;
    ada.run("keys rotate --yes").ok().await;
    ada.run("secrets set stripe/key=sk_4 -e production --project payments").ok().await;
    assert_eq!(bob.run("secrets get stripe/key --plain -e production").ok().await, "sk_4");
    let words = ada.run("whoami").json().await["words"].clone();

    // It goes on from there as if nothing were: who has seen more stops, and nothing is given back unasked or unannounced.
    let world = world.restart_with(|_| copy(&early, &data)).await;
    bob.run("secrets list -e production").fails(17).await;
    ada.run("secrets list -e production --project payments").fails(17).await;
    let told = bob.run("org bring-back --yes").fails(2).await;
    assert!(!told.contains("in no organization"), "{told}");
    assert!(told.contains("not restored"), "{told}");

    let world = world.restart_with(|config| config.api.restored = true).await;
    bob.run("secrets set bob/key=bk_2 -e production").fails(17).await;
    let told = carl.run("secrets set carl/key=ck_1 -e production").fails(1).await;
    assert!(told.contains("RESTORING"), "whoever has seen nothing newer would fork the history: {told}");
    let told = bob.run("org bring-back").fails(2).await;
    assert!(told.contains("--yes"), "{told}");
    bob.run("secrets list -e production").fails(17).await;

    // Bob gives everything but the writes of a project that he does not read; Ada the rest, and her account's newer data.
    let back = brought(&bob).await;
    assert!(back.0 > 0 && back.1 >= 3, "{back:?}");
    assert_eq!(bob.run("secrets get stripe/key --plain -e production").ok().await, "sk_4");
    let back = brought(&ada).await;
    assert_eq!(back.0, 0, "the links are back");
    assert!(back.1 > 0, "{back:?}");
    assert_eq!(brought(&ada).await, (0, 0), "nothing is left");

    let world = world.restart_with(|config| config.api.restored = false).await;
    assert_eq!(ada.run("secrets get db/password --plain -e production --project infra").ok().await, "p_1");
    assert_eq!(ada.run("whoami").json().await["words"], words);
    assert_eq!(carl.run("secrets get bob/key --plain -e production").ok().await, "bk_1");
    carl.run("secrets set carl/key=ck_1 -e production").ok().await;
    assert_eq!(bob.run("secrets get carl/key --plain -e production").ok().await, "ck_1");
    let history = ada.run("secrets history stripe/key -e production --project payments").json().await;
    assert_eq!(history.as_array().unwrap().len(), 4);
    assert_eq!(ada.run("secrets get stripe/key --plain --version 2 -e production --project payments").ok().await, "sk_2");
    assert_eq!(brought(&carl).await, (0, 0), "nothing is lost any more");
    world.stop().await;
}

/// What somebody gave back in the only organization: links and manifest links. Nothing more is lacking.
async fn brought(shell: &Shell) -> (u64, u64) {
    let shown = shell.run("org bring-back --yes").json().await;
    let [row] = shown.as_array().expect("rows").as_slice() else { panic!("one organization: {shown}") };
    assert_eq!(row["lacking"], Value::Array(vec![]), "{shown}");
    (row["links"].as_u64().expect("a number"), row["writes"].as_u64().expect("a number"))
}
