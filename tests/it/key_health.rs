//! A key that dies at its provider is noticed by whoever may decrypt it, and by nobody else: the server hears what came of it.
//!
//! The provider is a stand-in on this machine; nothing else may be dialled, which each story looks after.

pub mod provider;

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::catalogue::Outcome;
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Dial, FactsInput, KeyCheck, KeyHealth, NewMachine, Prober, SecretWrite, Vault, Verdict, Which};
use keyvawlt_domain::Clock;
use keyvawlt_proto::v1::KeyHealthState;
use provider::Provider;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_each_store!(
    a_key_revoked_at_its_provider_is_doubted_and_a_minute_later_dead,
    a_provider_that_refuses_all_keys_is_not_held_against_each,
    a_key_is_one_runners_for_one_interval_and_stale_when_nobody_comes,
    what_was_checked_while_the_clocks_were_ahead_is_checked_again,
    a_replaced_key_that_still_works_after_its_grace_is_noticed,
    a_key_of_which_a_day_of_checks_finds_nothing_out_is_stale,
    an_end_that_the_provider_tells_is_known,
    a_report_of_somebody_who_left_says_nothing,
);

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MS: u64 = 3_600_000;
const KEY: &str = "payments/stripe_key";

async fn a_key_revoked_at_its_provider_is_doubted_and_a_minute_later_dead(world: World) {
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_FirstKeyOfTheShop").await;
    assert_eq!(scene.outcomes(&Which::default()).await, [Outcome::Valid]);
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid)]);

    scene.stripe.answer("sk_live_FirstKeyOfTheShop", 401, "{}");
    world.pass(HOUR);
    assert_eq!(scene.outcomes(&Which::default()).await, [Outcome::Invalid]);
    assert_eq!(scene.standing().await, [(Verdict::Suspect, KeyHealthState::Suspect)]);
    world.pass(Duration::from_secs(30));
    scene.outcomes(&Which::default()).await;
    assert_eq!(scene.standing().await, [(Verdict::Suspect, KeyHealthState::Suspect)], "half a minute is no time");
    world.pass(Duration::from_secs(31));
    scene.outcomes(&Which::default()).await;
    assert_eq!(scene.standing().await, [(Verdict::Refused, KeyHealthState::Invalid)]);
    world.drain().await;
    assert_eq!(subjects(&world), ["the shop's key is refused by Stripe"], "one mail, once it is sure");
    let mail = &world.mails_to("ada@example.com").pop().unwrap();
    assert!(!mail.text.contains("sk_live") && !mail.text.contains("stripe_key"), "{}", mail.text);

    let asked = scene.stripe.asked();
    world.pass(24 * HOUR);
    let left_alone = scene.check(&Which::default()).await;
    assert!(left_alone[0].why.as_deref().is_some_and(|why| why.contains("refused twice")), "{left_alone:?}");
    assert_eq!(scene.stripe.asked(), asked, "a provider is not asked again about a dead key");

    scene.write(KEY, "sk_live_SecondKeyOfTheShop").await;
    assert_eq!(scene.outcomes(&Which::default()).await, [Outcome::Valid]);
    assert_eq!(scene.standing().await[0], (Verdict::Works, KeyHealthState::Valid));
    world.drain().await;
    assert_eq!(subjects(&world).len(), 1);
    scene.end();
    world.stop().await;
}

async fn a_provider_that_refuses_all_keys_is_not_held_against_each(world: World) {
    let mut scene = Scene::set(&world).await;
    for nth in 0..4 {
        scene.write(&format!("key/{nth}"), &format!("sk_live_NumberedKey{nth}")).await;
    }
    assert_eq!(scene.outcomes(&Which::default()).await, [Outcome::Valid; 4]);
    scene.stripe.refuse_everybody(401);
    for _ in 0..2 {
        world.pass(Duration::from_secs(61));
        assert_eq!(scene.outcomes(&Which::default()).await, [Outcome::Invalid; 4]);
    }
    let told: Vec<KeyHealthState> = scene.standing().await.into_iter().map(|(_, told)| told).collect();
    assert_eq!(told, [KeyHealthState::Suspect; 4], "it is the provider");
    gathered(&world).await;
    assert_eq!(subjects(&world), ["stripe refuses 4 of 4 keys at once"], "one mail for all keys");

    // One of them stays dead when the provider is back.
    scene.stripe.refuse_nobody();
    scene.stripe.answer("sk_live_NumberedKey2", 401, "{}");
    world.pass(2 * HOUR);
    scene.outcomes(&Which::default()).await;
    world.pass(2 * HOUR);
    scene.outcomes(&Which::default()).await;
    let told: Vec<KeyHealthState> = scene.standing().await.into_iter().map(|(_, told)| told).collect();
    let (valid, invalid) = (KeyHealthState::Valid, KeyHealthState::Invalid);
    assert_eq!(told, [valid, valid, invalid, valid]);
    world.drain().await;
    assert_eq!(subjects(&world)[1..], ["the shop's key is refused by Stripe"], "of the one that stays dead, they hear as of any");
    scene.end();
    world.stop().await;
}

async fn a_key_is_one_runners_for_one_interval_and_stale_when_nobody_comes(world: World) {
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_WatchedKeyOfTheShop").await;
    let mut machines = scene.machines(&world).await;
    let round = Which { lease_ms: Some(HOUR_MS), previous: true, ..Which::default() };
    let production = scene.production;
    let mut asked = Vec::new();
    for machine in &mut machines {
        let checks = machine.check_keys(&scene.prober, &production, &round).await.unwrap();
        asked.push(checks.iter().filter(|check| check.why.is_none()).count());
        // Longer than the pause that each runner keeps by itself.
        world.pass(Duration::from_secs(10));
    }
    assert_eq!(asked, [1, 0], "one runner for each key and interval");
    world.pass(Duration::from_mins(50));
    let later = machines[1].check_keys(&scene.prober, &production, &round).await.unwrap();
    assert_eq!(later.len(), 1, "the next round is whoever's comes first");
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid)]);

    world.pass(2 * HOUR);
    world.tick().await;
    assert_eq!(scene.standing().await[0].1, KeyHealthState::Valid, "two rounds may be missed");
    world.pass(HOUR);
    world.tick().await;
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Stale)], "stale, which is not dead");
    gathered(&world).await;
    assert_eq!(subjects(&world), ["the shop's key was not checked for a while"]);
    machines[0].check_keys(&scene.prober, &production, &round).await.unwrap();
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid)]);
    drop(machines);
    scene.end();
    world.stop().await;
}

async fn what_was_checked_while_the_clocks_were_ahead_is_checked_again(world: World) {
    let Clock::Fixed(now) = world.server_clock() else { panic!("a world's time stands still") };
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_CheckedAhead").await;
    scene.write("stripe/other", "sk_live_TakenAhead").await;
    let [mut one, mut two] = scene.machines(&world).await;
    let production = scene.production;
    let both = Which { lease_ms: Some(HOUR_MS), ..Which::default() };
    let reported = Which { names: vec![KEY.to_owned()], ..both.clone() };
    let ahead_ms = 60 * 24 * HOUR_MS;
    now.fetch_add(ahead_ms, Ordering::SeqCst);
    // It finds out about one key, and takes the other, of which it never reports.
    for which in [reported, Which { quiet: true, ..both.clone() }] {
        assert_eq!(one.check_keys(&scene.prober, &production, &which).await.unwrap().len(), 1);
        world.pass(Duration::from_secs(10));
    }
    now.fetch_sub(ahead_ms - HOUR_MS, Ordering::SeqCst);

    assert_eq!(scene.standing().await, [], "nothing that is dated ahead is told");
    world.tick().await;
    let checked = two.check_keys(&scene.prober, &production, &both).await.unwrap();
    assert!(checked.len() == 2 && checked.iter().all(|check| check.why.is_none()), "{checked:?}");
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid); 2]);
    world.pass(4 * HOUR);
    world.tick().await;
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Stale); 2], "and is stale when nobody comes");
    drop((one, two));
    scene.end();
    world.stop().await;
}

async fn a_replaced_key_that_still_works_after_its_grace_is_noticed(world: World) {
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_OldKeyOfTheShop").await;
    scene.write(KEY, "sk_live_NewKeyOfTheShop").await;
    let both = Which { previous: true, ..Which::default() };
    assert_eq!(scene.outcomes(&both).await, [Outcome::Valid; 2]);
    assert_eq!(scene.told_by_version().await, [(2, KeyHealthState::Valid), (1, KeyHealthState::Valid)], "within its grace");
    world.pass(7 * 24 * HOUR + 2 * HOUR);
    scene.outcomes(&both).await;
    assert_eq!(scene.told_by_version().await, [(2, KeyHealthState::Valid), (1, KeyHealthState::RetiredStillAlive)]);
    gathered(&world).await;
    assert_eq!(subjects(&world), ["the shop's key was replaced, and its old key still works"]);
    scene.stripe.answer("sk_live_OldKeyOfTheShop", 401, "{}");
    for _ in 0..2 {
        world.pass(HOUR);
        scene.outcomes(&both).await;
    }
    assert_eq!(scene.told_by_version().await, [(2, KeyHealthState::Valid), (1, KeyHealthState::Invalid)]);
    scene.end();
    world.stop().await;
}

async fn a_key_of_which_a_day_of_checks_finds_nothing_out_is_stale(world: World) {
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_UnreachableKeyOfTheShop").await;
    let round = Which { lease_ms: Some(HOUR_MS), ..Which::default() };
    assert_eq!(scene.outcomes(&round).await, [Outcome::Valid]);
    scene.stripe.refuse_everybody(503);
    for hour in 1..=30 {
        world.pass(HOUR);
        assert_eq!(scene.outcomes(&round).await, [Outcome::ProviderError]);
        world.tick().await;
        let expected = if hour < 24 { KeyHealthState::Valid } else { KeyHealthState::Stale };
        assert_eq!(scene.standing().await[0].1, expected, "after {hour} hours");
    }
    gathered(&world).await;
    assert_eq!(subjects(&world), ["the shop's key could not be checked for a while"], "once");
    scene.stripe.refuse_nobody();
    world.pass(HOUR);
    assert_eq!(scene.outcomes(&round).await, [Outcome::Valid]);
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid)]);
    scene.end();
    world.stop().await;
}

async fn an_end_that_the_provider_tells_is_known(world: World) {
    let mut scene = Scene::set(&world).await;
    let gitlab = Provider::start().await;
    scene.prober.place("gitlab", &gitlab.origin()).unwrap();
    let token = "glpat-0123456789abcdefghij";
    gitlab.answer(token, 200, r#"{"active":true,"revoked":false,"expires_at":"2026-12-01"}"#);
    scene.write("gitlab/token", token).await;
    let checks = scene.check(&Which::default()).await;
    assert_eq!((checks[0].provider.as_deref(), checks[0].outcome), (Some("GitLab"), Outcome::Valid));
    let known = scene.vault.key_health(&scene.production).await.unwrap();
    assert_eq!((known[0].expires_ms, known[0].told), (Some(1_796_083_200_000), KeyHealthState::Expiring));
    gathered(&world).await;
    assert_eq!(subjects(&world), ["the shop's key ends at its provider in 8 days"]);
    scene.end();
    world.stop().await;
}

async fn a_report_of_somebody_who_left_says_nothing(world: World) {
    let mut scene = Scene::set(&world).await;
    scene.write(KEY, "sk_live_SharedKeyOfTheShop").await;
    let mut bob = world.resident("bob").await;
    let mut bobs = world.admit(&mut scene.vault, &mut bob, "Bob", &[(scene.production, 1)]).await;
    bobs.check_keys(&scene.prober, &scene.production, &Which::default()).await.unwrap();
    assert_eq!(scene.standing().await, [(Verdict::Works, KeyHealthState::Valid)]);
    let id = scene.vault.member("Bob").unwrap().id;
    scene.vault.remove_member(&id).await.unwrap();
    assert_eq!(scene.standing().await[0].0, Verdict::Unknown);
    assert!(bobs.check_keys(&scene.prober, &scene.production, &Which::default()).await.is_err());
    world.pass(HOUR);
    scene.outcomes(&Which::default()).await;
    assert_eq!(scene.standing().await[0].0, Verdict::Works);
    scene.end();
    world.stop().await;
}

/// What Ada was mailed about keys.
fn subjects(world: &World) -> Vec<String> {
    let mails = world.mails_to("ada@example.com").into_iter().map(|mail| mail.subject);
    mails.filter(|subject| subject.contains("key")).collect()
}

/// Messages that do not hurry wait a moment for company.
async fn gathered(world: &World) {
    world.pass(Duration::from_mins(1));
    world.drain().await;
}

/// Ada's shop, and a stand-in for Stripe.
struct Scene {
    _ada: Person,
    vault: Vault,
    production: NsId,
    stripe: Provider,
    prober: Prober,
    /// What would have been dialled elsewhere.
    refused: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    async fn set(world: &World) -> Self {
        let ada = world.resident("ada").await;
        Self::of(world, ada).await
    }

    async fn of(world: &World, mut ada: Person) -> Self {
        let mut vault = ada.account.found("Corner Shop", &ada.state).await.expect("an organization");
        let production = vault.create_project("webshop", &[("production", 3)]).await.expect("an environment")[0];
        world.drain().await;
        let (stripe, refused) = (Provider::start().await, Arc::new(Mutex::new(Vec::new())));
        let mut prober = Prober::new(Dial::LoopbackOnly(Arc::clone(&refused))).expect("a prober");
        prober.place("stripe", &stripe.origin()).expect("a place");
        Self { _ada: ada, vault, production, stripe, prober, refused }
    }

    async fn write(&mut self, name: &str, value: &str) {
        let provider = if value.starts_with("sk_live_") { Some("Stripe".to_owned()) } else { None };
        let facts = FactsInput { provider, label: Some("the shop's key".to_owned()), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), ..SecretWrite::new(name, value) };
        self.vault.write(&self.production, &[write]).await.expect("a write");
    }

    /// Two that read the environment.
    async fn machines(&mut self, world: &World) -> [Vault; 2] {
        let mut machines = Vec::new();
        for name in ["one", "two"] {
            let machine = NewMachine { name: name.to_owned(), access: vec![(self.production, 1)], ttl_ms: 90 * 24 * HOUR_MS };
            let token = self.vault.create_machine(&machine).await.expect("a machine");
            machines.push(world.client().machine(&token, &world.machine_state(name)).await.expect("its vault"));
        }
        machines.try_into().expect("two")
    }

    async fn check(&mut self, which: &Which) -> Vec<KeyCheck> {
        self.vault.sync().await.expect("news");
        self.vault.check_keys(&self.prober, &self.production, which).await.expect("a check")
    }

    async fn outcomes(&mut self, which: &Which) -> Vec<Outcome> {
        self.check(which).await.into_iter().map(|check| check.outcome).collect()
    }

    async fn known(&mut self) -> Vec<KeyHealth> {
        self.vault.sync().await.expect("news");
        self.vault.key_health(&self.production).await.expect("reports that verify")
    }

    async fn standing(&mut self) -> Vec<(Verdict, KeyHealthState)> {
        self.known().await.into_iter().map(|health| (health.verdict, health.told)).collect()
    }

    async fn told_by_version(&mut self) -> Vec<(u64, KeyHealthState)> {
        self.known().await.into_iter().map(|health| (health.version, health.told)).collect()
    }

    fn end(self) {
        assert_eq!(*self.refused.lock().unwrap(), Vec::<String>::new(), "nothing but the stand-in was to be dialled");
    }
}
