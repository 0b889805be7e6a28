//! Many at once: whatever is acknowledged stays, whoever is late writes anew, and a store that hangs up is called again.

use crate::world::{Engine, World, on_each_store};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Error, FactsInput, SecretWrite, Vault};
use std::collections::BTreeSet;
use std::time::Duration;

on_each_store!(whoever_writes_at_the_same_time_loses_nothing, one_is_let_go_while_others_write_and_reminders_are_made);

const WRITERS: usize = 5;
const WRITES: usize = 6;
/// Calls made anew by somebody who keeps losing races on a busy machine.
const PATIENCE: usize = 5;
const DAY_MS: u64 = 24 * 3600 * 1000;
const HOUR: Duration = Duration::from_hours(1);

async fn whoever_writes_at_the_same_time_loses_nothing(world: World) {
    let (mut vault, office, vaults) = office(&world, WRITERS).await;
    let ends_ms = world.now_ms() + DAY_MS;
    let written = futures::future::join_all(vaults.into_iter().enumerate().map(|(nth, vault)| write(vault, office, nth, ends_ms))).await;
    let written: BTreeSet<String> = written.into_iter().flatten().collect();
    assert_eq!(written.len(), WRITERS * WRITES);
    vault.sync().await.unwrap();
    let names: BTreeSet<String> = vault.read_all(&office).unwrap().into_iter().map(|secret| secret.info.name).collect();
    assert_eq!(names, written);
    world.stop().await;
}

async fn one_is_let_go_while_others_write_and_reminders_are_made(world: World) {
    let (mut vault, office, mut vaults) = office(&world, WRITERS).await;
    // What the leaver could read is another matter, and would ride in the same mails.
    let mut preferences = vault.notice_preferences().await.unwrap();
    preferences.muted = vec!["work-owed".to_owned()];
    vault.set_notice_preferences(preferences).await.unwrap();
    let leaver = vaults.pop().unwrap();
    let leaving = leaver.identity().id();
    let ends_ms = world.now_ms() + DAY_MS;
    let writing = futures::future::join_all(vaults.into_iter().enumerate().map(|(nth, vault)| write(vault, office, nth, ends_ms)));
    let ticking = async {
        for _ in 0..5 {
            // A statement on its way must not become an old one.
            world.pass(Duration::from_mins(1));
            world.tick().await;
        }
    };
    let (written, removal, ()) = tokio::join!(writing, vault.remove_member(&leaving), ticking);
    removal.unwrap();
    let written: BTreeSet<String> = written.into_iter().flatten().collect();
    assert_eq!(written.len(), (WRITERS - 1) * WRITES);
    vault.sync().await.unwrap();
    let names: BTreeSet<String> = vault.read_all(&office).unwrap().into_iter().map(|secret| secret.info.name).collect();
    assert_eq!(names, written);
    drop(leaver);
    world.tick().await;
    world.pass(Duration::from_mins(1));
    world.drain().await;
    let mails = world.mails_to("boss@example.com");
    let others = |subject: &str| subject.rsplit_once(", and ").and_then(|(_, more)| more.strip_suffix(" more")?.parse::<usize>().ok());
    let ending = mails.iter().filter(|mail| mail.subject.contains(" expire"));
    let told: usize = ending.map(|mail| 1 + others(&mail.subject).unwrap_or(0)).sum();
    assert_eq!(told, written.len(), "one reminder of each: {:?}", mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_hangs_up_is_called_again() {
    if Engine::Postgres.is_left_out() {
        return;
    }
    let world = World::on(Engine::Postgres).await;
    let (mut vault, office, mut vaults) = office(&world, 8).await;
    for round in 0..3 {
        // More connections than a client has patience.
        for outcome in futures::future::join_all(vaults.iter_mut().map(Vault::sync)).await {
            outcome.unwrap();
        }
        hang_up(&world).await;
        vault.sync().await.unwrap();
        hang_up(&world).await;
        vault.write(&office, &[SecretWrite::new(format!("round/{round}"), "v")]).await.unwrap();
        hang_up(&world).await;
        world.tick().await;
        world.pass(HOUR);
    }
    world.stop().await;
}

/// All connections end, as when PostgreSQL is restarted.
async fn hang_up(world: &World) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    world.database.execute(sql).await;
}

/// An environment, its founder's vault, and the vaults of others who write there.
async fn office(world: &World, writers: usize) -> (Vault, NsId, Vec<Vault>) {
    let mut boss = world.resident("boss").await;
    let mut vault = boss.account.found("Office", &boss.state).await.expect("an organization");
    let office = vault.create_project("office", &[("production", 3)]).await.expect("an environment")[0];
    let mut vaults = Vec::new();
    for nth in 0..writers {
        let mut person = world.newcomer(&format!("writer{nth}")).await;
        vaults.push(world.admit(&mut vault, &mut person, &format!("Writer {nth}"), &[(office, 3)]).await);
    }
    (vault, office, vaults)
}

/// Writes new secrets that end within the day, one by one.
async fn write(mut vault: Vault, office: NsId, writer: usize, ends_ms: u64) -> Vec<String> {
    let mut written = Vec::new();
    for nth in 0..WRITES {
        let name = format!("writer{writer}/key{nth}");
        let facts = FactsInput { expires_ms: Some(ends_ms), label: Some(name.clone()), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), if_version: Some(0), ..SecretWrite::new(&name, "v") };
        // The client gives up after some lost races. Nothing was acknowledged then, and the caller may go on.
        let mut outcome = vault.write(&office, std::slice::from_ref(&write)).await;
        for _ in 0..PATIENCE {
            if matches!(outcome, Err(Error::Conflict { .. })) {
                outcome = vault.write(&office, std::slice::from_ref(&write)).await;
            }
        }
        outcome.expect("a write");
        written.push(name);
    }
    written
}
