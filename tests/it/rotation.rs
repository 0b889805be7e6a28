//! A secret that is to be replaced is spoken of: to its owner, a week later to whoever may act, and to nobody once there is a new version
//! that works.

use crate::monitors::{looked_at, target, with_service};
use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::trial::Trouble;
use keyvawlt_client::ledger::{IdentityId, NsId};
use keyvawlt_client::{Due, DueWhy, Error, FactsInput, SecretWrite, Vault};
use keyvawlt_worker::SentMail;
use std::time::Duration;

on_each_store!(
    the_owner_is_reminded_then_those_who_may_act_and_nobody_after_a_new_version,
    a_snooze_holds_for_everybody_has_an_end_and_is_for_those_who_may_replace_the_secret,
    facts_that_are_told_later_count_from_when_the_value_was_written,
    whoever_leaves_has_owners_reminded_of_what_he_could_read,
    a_server_that_stays_silent_is_noticed,
    a_rotation_is_done_when_the_new_version_works,
);

const DAY: Duration = Duration::from_hours(24);
const STRIPE: &str = "payments/stripe_key";

async fn the_owner_is_reminded_then_those_who_may_act_and_nobody_after_a_new_version(world: World) {
    let (mut ada, mut bob, mut carol) = (world.resident("ada").await, world.resident("bob").await, world.resident("carol").await);
    let (mut vault, production) = shop(&world, &mut ada).await;
    world.admit(&mut vault, &mut bob, "Bob", &[(production, 3)]).await;
    world.admit(&mut vault, &mut carol, "Carol", &[(production, 1)]).await;
    vault.write(&production, &[stripe("sk_1", bob.account.identity().id())]).await.unwrap();

    days(&world, 29).await;
    assert_eq!(told(&world), NOBODY, "it is not due yet");
    days(&world, 1).await;
    assert_eq!(told(&world), ["bob"], "the owner first");
    let mail = &world.mails_to("bob@example.com").pop().unwrap();
    assert!(mail.subject.contains("Stripe live was to be replaced"), "{}", mail.subject);
    for unsaid in [STRIPE, "stripe_key", "sk_1", "production", "webshop"] {
        assert!(!mail.text.contains(unsaid) && !mail.html.contains(unsaid), "{unsaid}: {}", mail.text);
    }
    days(&world, 6).await;
    assert_eq!(told(&world), ["bob"], "once");
    days(&world, 1).await;
    assert_eq!(told(&world), ["ada", "bob", "bob"], "then who writes there, and the admins; not who only reads");
    let world = world.restart().await;
    days(&world, 22).await;
    assert_eq!(told(&world).len(), 3);
    days(&world, 2).await;
    assert_eq!(told(&world), ["ada", "ada", "bob", "bob", "bob"], "a last time");
    days(&world, 60).await;
    assert_eq!(told(&world).len(), 5, "and no more");

    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_2")]).await.unwrap();
    days(&world, 29).await;
    assert_eq!(told(&world).len(), 5, "a new version begins anew");
    days(&world, 1).await;
    assert_eq!(told(&world).len(), 6, "with the facts of the last one");
    vault.delete(&production, &[STRIPE.to_owned()]).await.unwrap();
    days(&world, 40).await;
    assert_eq!(told(&world).len(), 6, "nobody replaces what is deleted");
    world.stop().await;
}

async fn a_snooze_holds_for_everybody_has_an_end_and_is_for_those_who_may_replace_the_secret(world: World) {
    let (mut ada, mut bob, mut carol) = (world.resident("ada").await, world.resident("bob").await, world.resident("carol").await);
    let (mut vault, production) = shop(&world, &mut ada).await;
    let bobs = world.admit(&mut vault, &mut bob, "Bob", &[(production, 3)]).await;
    let carols = world.admit(&mut vault, &mut carol, "Carol", &[(production, 1)]).await;
    vault.write(&production, &[stripe("sk_1", bob.account.identity().id()), SecretWrite::new("plain", "v")]).await.unwrap();
    let mut bobs = bobs;
    let mut carols = carols;
    bobs.sync().await.unwrap();
    carols.sync().await.unwrap();
    days(&world, 31).await;
    assert_eq!(told(&world), ["bob"]);

    let until = |after: Duration| world.now_ms() + ms(after);
    assert!(matches!(carols.snooze_reminder(&production, STRIPE, until(DAY)).await, Err(Error::Forbidden)), "she could not replace it");
    assert!(matches!(bobs.snooze_reminder(&production, "plain", until(DAY)).await, Err(Error::Invalid { .. })), "nothing to snooze");
    assert!(matches!(bobs.snooze_reminder(&production, STRIPE, world.now_ms()).await, Err(Error::Invalid { .. })), "no time");
    let asked = until(365 * DAY);
    let holds = bobs.snooze_reminder(&production, STRIPE, asked).await.unwrap();
    assert_eq!(holds, until(30 * DAY), "not for a year");
    let holds = bobs.snooze_reminder(&production, STRIPE, until(10 * DAY)).await.unwrap();
    assert_eq!(holds, until(10 * DAY));
    days(&world, 9).await;
    assert_eq!(told(&world), ["bob"], "silence, for the admins too");
    let due: Vec<String> = bobs.due(0).await.unwrap().into_iter().map(|due| due.name).collect();
    assert_eq!(due, [STRIPE], "clients say it all the same");
    days(&world, 1).await;
    assert_eq!(told(&world), ["bob", "bob"], "then the owner first again");
    days(&world, 7).await;
    assert_eq!(told(&world), ["ada", "bob", "bob", "bob"]);
    world.stop().await;
}

async fn facts_that_are_told_later_count_from_when_the_value_was_written(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_1")]).await.unwrap();
    days(&world, 25).await;
    vault.set_facts(&production, STRIPE, &every_month(None)).await.unwrap();
    days(&world, 4).await;
    assert_eq!(told(&world), NOBODY);
    days(&world, 1).await;
    assert_eq!(told(&world), ["ada"], "without an owner, whoever may act");
    let moved = FactsInput { rotate_every_ms: Some(ms(60 * DAY)), ..FactsInput::default() };
    vault.set_facts(&production, STRIPE, &moved).await.unwrap();
    days(&world, 29).await;
    assert_eq!(told(&world).len(), 1, "it is to be replaced later now");
    days(&world, 1).await;
    assert_eq!(told(&world).len(), 2);
    world.stop().await;
}

async fn whoever_leaves_has_owners_reminded_of_what_he_could_read(world: World) {
    let (mut ada, mut bob, mut eve) = (world.resident("ada").await, world.resident("bob").await, world.resident("eve").await);
    let (mut vault, production) = shop(&world, &mut ada).await;
    let mut bobs = world.admit(&mut vault, &mut bob, "Bob", &[(production, 3)]).await;
    world.admit(&mut vault, &mut eve, "Eve", &[(production, 1)]).await;
    let owned = |name: &str| {
        let owner = Some(bob.account.identity().id().to_string());
        let facts = FactsInput { owner, label: Some(format!("Key {name}")), ..FactsInput::default() };
        SecretWrite { facts: Some(facts), ..SecretWrite::new(name, "v") }
    };
    vault.write(&production, &["a", "b", "c"].map(owned)).await.unwrap();
    vault.write(&production, &[SecretWrite::new("a", "v2")]).await.unwrap();
    days(&world, 40).await;
    assert_eq!(told(&world), NOBODY);
    vault.remove_member(&eve.account.identity().id()).await.unwrap();
    vault.write(&production, &[SecretWrite::new("later", "v")]).await.unwrap();
    hear(&world).await;
    assert_eq!(told(&world), ["bob"], "all in one mail, to the owner");
    let mail = world.mails_to("bob@example.com").pop().unwrap();
    for key in ["Key a", "Key b", "Key c"] {
        assert!(mail.text.contains(key), "{key}: {}", mail.text);
    }
    assert!(mail.text.contains("lost access"), "{}", mail.text);
    bobs.sync().await.unwrap();
    bobs.write(&production, &[SecretWrite::new("a", "v3"), SecretWrite::new("b", "v3")]).await.unwrap();
    days(&world, 7).await;
    let mail = world.mails_to("ada@example.com").pop().unwrap();
    assert!(mail.text.contains("Key c") && !mail.text.contains("Key a"), "what was replaced is off the list: {}", mail.text);
    bobs.delete(&production, &["c".to_owned()]).await.unwrap();
    let heard = told(&world).len();
    days(&world, 60).await;
    assert_eq!(told(&world).len(), heard);
    world.stop().await;
}

async fn a_server_that_stays_silent_is_noticed(world: World) {
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let write = stripe("sk_1", ada.account.identity().id());
    let ends = FactsInput { expires_ms: Some(world.now_ms() + ms(40 * DAY)), ..write.facts.clone().unwrap() };
    vault.write(&production, &[SecretWrite { facts: Some(ends), ..write }]).await.unwrap();
    assert_eq!(whys(&vault.due(ms(29 * DAY)).await.unwrap()), []);
    assert_eq!(whys(&vault.due(ms(30 * DAY)).await.unwrap()), [DueWhy::Rotation]);
    // The worker never runs: no tick, no mail.
    world.pass(35 * DAY);
    let due = vault.due(ms(14 * DAY)).await.unwrap();
    assert_eq!(whys(&due), [DueWhy::Rotation, DueWhy::Expires]);
    let facts = due[0].facts.clone().unwrap();
    assert_eq!((due[0].version, facts.owner), (1, Some(ada.account.identity().id().to_string())));
    world.pass(6 * DAY);
    assert_eq!(whys(&vault.due(0).await.unwrap()), [DueWhy::Rotation, DueWhy::Expired]);
    assert_eq!(told(&world), NOBODY);

    // Nobody makes a value younger by moving it.
    vault.guard(&production, "payments/").await.unwrap();
    assert_eq!(whys(&vault.due(0).await.unwrap()), [DueWhy::Rotation, DueWhy::Expired]);
    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_2")]).await.unwrap();
    assert_eq!(whys(&vault.due(0).await.unwrap()), []);
    hear(&world).await;
    world.stop().await;
}

async fn a_rotation_is_done_when_the_new_version_works(world: World) {
    let (world, service) = with_service(world).await;
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    let monitor = vault.create_monitor(Some(&production), target("Payments API", &service.url)).await.unwrap();
    let write = stripe("sk_1", ada.account.identity().id());
    let facts = FactsInput { monitor: Some(monitor), ..write.facts.clone().unwrap() };
    vault.write(&production, &[SecretWrite { facts: Some(facts), ..write }]).await.unwrap();
    days(&world, 30).await;
    assert_eq!((told(&world), whys(&vault.due(0).await.unwrap())), (vec!["ada".to_owned()], vec![DueWhy::Rotation]));

    // The new value is a wrong one.
    service.answer(500);
    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_wrong")]).await.unwrap();
    for _ in 0..4 {
        looked_at(&world).await;
    }
    assert_eq!(whys(&vault.due(0).await.unwrap()), [DueWhy::MonitorDown], "clients say it at once");
    let [rotation] = &vault.rotations(&production).await.unwrap()[..] else { panic!("one rotation") };
    assert!(matches!((rotation.version, rotation.trouble), (Some(2), Some(Trouble::MonitorDown(_)))), "{rotation:?}");
    assert_eq!(failed(&world).len(), 0, "a deployment may take a while");
    watched(&world, 1, Duration::from_hours(1)).await;
    let mails = failed(&world);
    let [mail] = &mails[..] else { panic!("one mail, not {}", mails.len()) };
    assert_eq!((mail.to.as_str(), told(&world).len()), ("ada@example.com", 1), "it is another reminder");
    assert!(mail.subject.contains("Stripe live was replaced, but its monitor"), "{}", mail.subject);
    for unsaid in [STRIPE, "stripe_key", "sk_wrong", "production", "webshop"] {
        assert!(!mail.text.contains(unsaid) && !mail.html.contains(unsaid), "{unsaid}: {}", mail.text);
    }
    watched(&world, 6, DAY).await;
    assert_eq!(failed(&world).len(), 1, "once, for a week");
    watched(&world, 2, DAY).await;
    assert_eq!(failed(&world).len(), 2, "then again");

    service.answer(204);
    for _ in 0..3 {
        looked_at(&world).await;
    }
    assert_eq!(whys(&vault.due(0).await.unwrap()), []);
    assert_eq!(vault.rotations(&production).await.unwrap(), [], "its grace is over, and it works");
    watched(&world, 20, DAY).await;
    assert_eq!((failed(&world).len(), told(&world).len()), (2, 1), "done");
    vault.write(&production, &[SecretWrite::new(STRIPE, "sk_3")]).await.unwrap();
    watched(&world, 29, DAY).await;
    assert_eq!((failed(&world).len(), told(&world).len()), (2, 1), "of one that works, nobody hears");
    world.stop().await;
}

const NOBODY: [&str; 0] = [];

/// Lets time pass in which somebody looks at what is watched before each tick.
async fn watched(world: &World, times: u32, each: Duration) {
    for _ in 0..times {
        world.pass(each);
        looked_at(world).await;
        looked_at(world).await;
        world.tick().await;
        hear(world).await;
    }
}

/// Mails about a new version that does not work.
fn failed(world: &World) -> Vec<SentMail> {
    world.mails().into_iter().filter(|mail| mail.text.contains("was replaced, but")).collect()
}

fn whys(due: &[Due]) -> Vec<DueWhy> {
    due.iter().map(|due| due.why).collect()
}

/// An organization with one environment, which its founder reads and writes.
async fn shop(world: &World, founder: &mut Person) -> (Vault, NsId) {
    let mut vault = founder.account.found("Corner Shop", &founder.state).await.expect("an organization");
    let made = vault.create_project("webshop", &[("production", 3)]).await.expect("an environment");
    world.drain().await;
    (vault, made[0])
}

fn every_month(owner: Option<IdentityId>) -> FactsInput {
    FactsInput {
        rotate_every_ms: Some(ms(30 * DAY)),
        label: Some("Stripe live".to_owned()),
        owner: owner.map(|owner| owner.to_string()),
        ..FactsInput::default()
    }
}

/// A value to be replaced after thirty days.
fn stripe(value: &str, owner: IdentityId) -> SecretWrite {
    SecretWrite { facts: Some(every_month(Some(owner))), ..SecretWrite::new(STRIPE, value) }
}

/// Lets days pass, each with its ticks.
async fn days(world: &World, days: u32) {
    for _ in 0..days {
        world.pass(DAY);
        world.tick().await;
        hear(world).await;
    }
}

/// Lets messages go out that wait for company.
async fn hear(world: &World) {
    world.drain().await;
    world.pass(Duration::from_millis(keyvawlt_domain::notices::GATHER_MS));
    world.drain().await;
}

/// Who got mails about replacing something, in order of names.
fn told(world: &World) -> Vec<String> {
    let about = |text: &str| text.contains("to be replaced");
    // What a month brings is another story.
    let mails = world.mails().into_iter().filter(|mail| !mail.text.contains("mute monthly-digest"));
    let mails = mails.filter(|mail| about(&mail.subject) || about(&mail.text));
    let mut names: Vec<String> = mails.map(|mail| mail.to.trim_end_matches("@example.com").to_owned()).collect();
    names.sort();
    names
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a short time")
}
