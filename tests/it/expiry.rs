//! A secret about to end is announced: at each threshold once for each version, to each person who reads it and proved an address, and to nobody
//! else.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{FactsInput, NewMachine, SecretWrite, Vault};
use keyvawlt_server::Server;
use keyvawlt_server::config::Role;
use keyvawlt_worker::SentMail;
use std::time::Duration;

on_each_store!(
    whoever_reads_a_secret_hears_once_that_it_ends,
    the_mail_says_what_the_owner_chose_to_tell_and_nothing_else,
    each_version_has_its_own_reminder,
    a_moved_date_moves_the_reminder,
    what_changed_while_the_mail_server_was_down_is_not_announced,
    a_mail_server_that_is_down_for_days_delays_a_reminder,
    a_mail_whose_ending_was_lost_is_sent_again_as_the_same_mail,
    whoever_lost_access_hears_nothing,
    whoever_proves_an_address_later_hears_then,
    two_workers_send_one_mail,
    an_operator_says_how_long_a_message_waits_for_company,
);

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const STRIPE: &str = "payments/stripe_key";

async fn whoever_reads_a_secret_hears_once_that_it_ends(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let (mut bob, mut carol, mut dave) = (world.resident("bob").await, world.resident("carol").await, world.newcomer("dave").await);
    world.admit(&mut vault, &mut bob, "Bob", &[(production, 1)]).await;
    world.admit(&mut vault, &mut carol, "Carol", &[]).await;
    world.admit(&mut vault, &mut dave, "Dave", &[(production, 1)]).await;
    let machine = NewMachine { name: "agent".to_owned(), access: vec![(production, 1)], ttl_ms: ms(90 * DAY) };
    vault.create_machine(&machine).await.unwrap();

    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(2 * DAY))]).await.unwrap();
    hear(&world).await;
    let told: Vec<String> = reminders(&world).into_iter().map(|mail| mail.to).collect();
    assert_eq!(sorted(told), ["ada@example.com", "bob@example.com"], "not who has no access, no proved address, or no body");

    world.tick().await;
    world.pass(HOUR);
    world.tick().await;
    let world = world.restart().await;
    world.tick().await;
    assert_eq!(reminders(&world).len(), 2, "no tick and no restart tells it again");
    for _ in 0..40 {
        world.pass(DAY);
        world.tick().await;
        hear(&world).await;
    }
    let said: Vec<String> = reminders(&world).into_iter().filter(|mail| mail.to == "ada@example.com").map(|mail| mail.subject).collect();
    assert_eq!(said, ["Stripe live expires in 2 days", "Stripe live expires within a day", "Stripe live expired less than a day ago"]);
    world.stop().await;
}

async fn the_mail_says_what_the_owner_chose_to_tell_and_nothing_else(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_live_4242", world.now_ms() + ms(7 * DAY))]).await.unwrap();
    hear(&world).await;
    let mails = reminders(&world);
    let [mail] = mails.as_slice() else { panic!("one mail, not {}", mails.len()) };
    assert_eq!(mail.subject, "Stripe live expires in 7 days");
    let secret = vault.list(&production).unwrap().remove(0);
    for part in [&mail.text, &mail.html] {
        let told = ["Stripe live", "30 November 2026, 09:00 UTC", "version 1"].map(ToOwned::to_owned);
        let ids = [secret.secret_id.to_string(), production.to_string(), vault.org_id().to_string()];
        for said in told.iter().chain(&ids) {
            assert!(part.contains(said), "{said} is missing: {part}");
        }
        let unknown = ["sk_live_4242", STRIPE, "stripe_key", "payments", "production", "webshop", "Corner Shop"];
        for unsaid in unknown {
            assert!(!part.contains(unsaid) && !mail.id.contains(unsaid), "{unsaid} is said: {part}");
        }
    }
    assert!(mail.html.starts_with("<!doctype html>") && !mail.text.contains('<'));
    world.stop().await;
}

async fn each_version_has_its_own_reminder(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(40 * DAY))]).await.unwrap();
    world.pass(9 * DAY);
    tick(&world).await;
    assert_eq!(reminders(&world).len(), 0, "31 days ahead is too early");

    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_2")]).await.unwrap();
    world.pass(2 * DAY);
    tick(&world).await;
    assert_eq!(reminders(&world).len(), 0, "the date ended with the version it was told for");

    vault.write(&production, &[stripe("sk_3", world.now_ms() + ms(40 * DAY))]).await.unwrap();
    world.pass(10 * DAY);
    tick(&world).await;
    assert_eq!(versions_told(&world), ["version 3"]);
    vault.write(&production, &[stripe("sk_4", world.now_ms() + ms(DAY))]).await.unwrap();
    hear(&world).await;
    assert_eq!(versions_told(&world), ["version 3", "version 4"], "without a tick");

    vault.write(&production, &[stripe("sk_5", world.now_ms() + ms(31 * DAY))]).await.unwrap();
    vault.delete(&production, &[STRIPE.to_owned()]).await.unwrap();
    world.pass(2 * DAY);
    tick(&world).await;
    assert_eq!(reminders(&world).len(), 2, "a deleted secret's end is no news");
    world.stop().await;
}

async fn a_moved_date_moves_the_reminder(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(31 * DAY))]).await.unwrap();
    let later = FactsInput { expires_ms: Some(world.now_ms() + ms(41 * DAY)), ..FactsInput::default() };
    vault.set_facts(&production, STRIPE, &later).await.unwrap();
    let secret = vault.read(&production, STRIPE).unwrap();
    assert_eq!((&**secret.value, secret.info.version), (&b"sk_1"[..], 1), "the value stays");
    assert_eq!(secret.info.facts.unwrap().label.as_deref(), Some("Stripe live"), "what is not told anew stays");
    world.pass(10 * DAY);
    tick(&world).await;
    assert_eq!(reminders(&world).len(), 0);
    world.pass(DAY);
    tick(&world).await;
    assert_eq!(versions_told(&world), ["version 1"]);

    let moved_again = FactsInput { expires_ms: Some(world.now_ms() + ms(60 * DAY)), ..FactsInput::default() };
    vault.set_facts(&production, STRIPE, &moved_again).await.unwrap();
    world.pass(29 * DAY);
    tick(&world).await;
    assert_eq!(versions_told(&world), ["version 1"], "the thresholds of the old date are passed in silence");
    world.pass(DAY);
    tick(&world).await;
    assert_eq!(versions_told(&world), ["version 1", "version 1"], "another date is news again");

    // What a client finds that begins with nothing.
    drop(vault);
    let elsewhere = world.machine_state("ada's other machine");
    let again = ada.account.open(ada.account.organizations()[0], &elsewhere).await.unwrap();
    assert_eq!(again.read(&production, STRIPE).unwrap().info.facts.unwrap().expires_ms, moved_again.expires_ms);
    world.stop().await;
}

async fn what_changed_while_the_mail_server_was_down_is_not_announced(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let mut bob = world.resident("bob").await;
    world.admit(&mut vault, &mut bob, "Bob", &[(production, 1)]).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = world.restart_with(|config| config.worker.mail = Some(format!("smtp://{nobody}"))).await;

    let soon = world.now_ms() + ms(3 * DAY);
    let named = |name: &str| SecretWrite { name: name.to_owned(), ..stripe("v", soon) };
    vault.write(&production, &["kept", "moved", "replaced", "deleted"].map(named)).await.unwrap();
    hear(&world).await;
    let waiting = world.database.leftover_jobs(world.now_ms()).await;
    assert_eq!(waiting.iter().filter(|job| job.starts_with("deliver: state 0, attempts 1, the mail server")).count(), 2, "{waiting:?}");
    let later = FactsInput { expires_ms: Some(world.now_ms() + ms(300 * DAY)), ..FactsInput::default() };
    vault.set_facts(&production, "moved", &later).await.unwrap();
    vault.write(&production, &[SecretWrite::new("replaced", "v2")]).await.unwrap();
    vault.delete(&production, &["deleted".to_owned()]).await.unwrap();
    let bobs = vault.member("Bob").unwrap().id;
    vault.remove_member(&bobs).await.unwrap();

    let kept = vault.read(&production, "kept").unwrap().info.secret_id.to_string();
    let world = world.restart_with(|config| config.worker.mail = Some("memory:".to_owned())).await;
    world.pass(HOUR);
    world.drain().await;
    let mails = reminders(&world);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, "ada@example.com");
    assert!(mails[0].text.contains(&kept));
    world.stop().await;
}

async fn a_mail_server_that_is_down_for_days_delays_a_reminder(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = world.restart_with(|config| config.worker.mail = Some(format!("smtp://{nobody}"))).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(7 * DAY))]).await.unwrap();
    hear(&world).await;
    for _ in 0..68 {
        world.drain().await;
        world.pass(HOUR);
    }
    let world = world.restart_with(|config| config.worker.mail = Some("memory:".to_owned())).await;
    world.drain().await;
    let mails = reminders(&world);
    assert_eq!(mails.len(), 1, "a long weekend later");
    assert_eq!(mails[0].subject, "Stripe live expires in 5 days");
    world.stop().await;
}

async fn a_mail_whose_ending_was_lost_is_sent_again_as_the_same_mail(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let world = world.restart_with(|config| config.worker.mail = None).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(7 * DAY))]).await.unwrap();
    hear(&world).await;
    // As a worker leaves it that dies between sending and writing down.
    world.database.execute("UPDATE job SET state = 1, lease_until = 1, finished_at = NULL WHERE kind = 'deliver'").await;
    world.database.execute("UPDATE delivery SET state = 0, ended_at = NULL").await;
    world.database.execute("UPDATE notice SET state = 0").await;
    let world = world.restart().await;
    world.drain().await;
    let attempts = world.database.rows("SELECT CAST(attempts AS TEXT) FROM job WHERE kind = 'deliver' AND state = 2", 1).await;
    assert_eq!(attempts, [["2"]], "it was sent twice");
    let mails: Vec<_> = std::fs::read_dir(world.config.data.join("outbox")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(mails.len(), 1, "and is one mail: {mails:?}");
    world.stop().await;
}

async fn whoever_lost_access_hears_nothing(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let (mut bob, mut carol, mut dora) = (world.resident("bob").await, world.resident("carol").await, world.resident("dora").await);
    world.admit(&mut vault, &mut bob, "Bob", &[(production, 1)]).await;
    world.admit(&mut vault, &mut carol, "Carol", &[(production, 1)]).await;
    world.admit(&mut vault, &mut dora, "Dora", &[]).await;
    let dora = vault.member("Dora").unwrap().id;
    vault.grant(&dora, &production, 1, world.now_ms() + ms(2 * DAY)).await.unwrap();
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(33 * DAY))]).await.unwrap();

    let (bob, carol) = (vault.member("Bob").unwrap().id, vault.member("Carol").unwrap().id);
    vault.remove_member(&bob).await.unwrap();
    vault.revoke(&carol, &production).await.unwrap();
    world.pass(4 * DAY);
    tick(&world).await;
    let told: Vec<String> = reminders(&world).into_iter().map(|mail| mail.to).collect();
    assert_eq!(told, ["ada@example.com"], "not who was removed, whose access was taken, or whose access ran out");
    world.stop().await;
}

async fn whoever_proves_an_address_later_hears_then(world: World) {
    let mut ada = world.newcomer("ada").await;
    let code = world.newest_code("ada@example.com").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(7 * DAY))]).await.unwrap();
    hear(&world).await;
    assert_eq!(world.mails().len(), 1, "the code alone");
    ada.account.verify_email(&code).await.unwrap();
    hear(&world).await;
    assert_eq!(versions_told(&world), ["version 1"]);
    world.stop().await;
}

async fn two_workers_send_one_mail(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let mut config = world.config.clone();
    config.role = Role::Worker;
    let second = Server::start(&config, world.server_clock()).await.unwrap();
    let (one, other) = (world.server.worker().unwrap(), second.worker().unwrap());
    for nth in 0..10 {
        let write = SecretWrite { name: format!("key/{nth}"), ..stripe("v", world.now_ms() + ms(7 * DAY)) };
        vault.write(&production, &[write]).await.unwrap();
        let (ticked, too) = tokio::join!(one.tick(), other.tick());
        ticked.and(too).unwrap();
        for _ in 0..2 {
            let (drained, too) = tokio::join!(one.drain(), other.drain());
            drained.and(too).unwrap();
            world.pass(HOUR);
        }
    }
    let elsewhere = second.outbox().unwrap().lock().unwrap().clone();
    let mut all: Vec<String> = [reminders(&world), elsewhere].concat().into_iter().map(|mail| mail.id).collect();
    assert_eq!(all.len(), 10);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 10, "ten secrets, ten mails");
    assert!(second.stop().await);
    world.stop().await;
}

/// An organization with one environment, which its founder reads and writes.
async fn shop(world: &World, founder: &mut Person) -> (Vault, NsId) {
    let mut vault = founder.account.found("Corner Shop", &founder.state).await.expect("an organization");
    let made = vault.create_project("webshop", &[("production", 3)]).await.expect("an environment");
    world.drain().await;
    (vault, made[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_nothing_for_some_seconds_makes_no_mail_go_twice() {
    let world = World::start().await;
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(2 * DAY))]).await.unwrap();
    world.drain().await;
    // It takes everything but that a message has ended.
    let refuse = "CREATE TRIGGER away BEFORE UPDATE OF ended_at ON delivery BEGIN SELECT RAISE(ABORT, 'away'); END";
    world.database.execute(refuse).await;
    world.pass(Duration::from_millis(keyvawlt_domain::notices::GATHER_MS));
    let back = async {
        while reminders(&world).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.database.execute("DROP TRIGGER away").await;
    };
    tokio::join!(world.drain(), back);
    world.pass(HOUR);
    world.drain().await;
    assert_eq!(reminders(&world).len(), 1);
    world.stop().await;
}

async fn an_operator_says_how_long_a_message_waits_for_company(world: World) {
    let world = world.restart_with(|config| config.notices.gather_seconds = 120).await;
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[stripe("sk_1", world.now_ms() + ms(2 * DAY))]).await.unwrap();
    world.drain().await;
    world.pass(Duration::from_millis(119_999));
    world.drain().await;
    assert_eq!(reminders(&world).len(), 0);
    world.pass(Duration::from_millis(1));
    world.drain().await;
    assert_eq!(reminders(&world).len(), 1);
    world.stop().await;
}

/// A value with an end that mails may call "Stripe live".
fn stripe(value: &str, expires_ms: u64) -> SecretWrite {
    let facts = FactsInput { expires_ms: Some(expires_ms), label: Some("Stripe live".to_owned()), ..FactsInput::default() };
    SecretWrite { facts: Some(facts), ..SecretWrite::new(STRIPE, value) }
}

/// Runs what is due, and what waits for company.
async fn hear(world: &World) {
    world.drain().await;
    world.pass(Duration::from_millis(keyvawlt_domain::notices::GATHER_MS));
    world.drain().await;
}

/// The same in another hour.
async fn tick(world: &World) {
    world.tick().await;
    hear(world).await;
}

fn reminders(world: &World) -> Vec<SentMail> {
    world.mails().into_iter().filter(|mail| mail.subject.contains("Stripe live expire")).collect()
}

fn versions_told(world: &World) -> Vec<String> {
    let version = |mail: SentMail| {
        mail.text.lines().find_map(|line| line.split_once(", ")?.1.strip_prefix("version ").map(|n| format!("version {n}")))
    };
    reminders(world).into_iter().map(|mail| version(mail).expect("a version")).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a short time")
}
