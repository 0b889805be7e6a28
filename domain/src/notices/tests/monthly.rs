//! The monthly digest: once, on the morning of the first where somebody is, and of nothing but what that person may know.

use super::super::*;
use super::world::*;
use crate::Store;
use crate::authorize::authorize;
use crate::jobs::{self, Job};
use crate::monitors::{self, DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS, Method, Rules, Statuses, Target};
use crate::scratch::chain::{self, give};
use crate::scratch::{NOW, on_each_engine};
use crate::store::{column, number};
use crate::zone::{Month, Zone};
use keyvawlt_ledger::SecretId;
use keyvawlt_ledger::chain::permission;
use keyvawlt_schema::{delivery, incident, job, notice, notice_preference, rotation, secret};
use sea_orm::{ActiveValue::Set, EntityTrait};

const HOUR_MS: u64 = 60 * 60 * 1000;
/// A namespace that the reader does not read.
const ELSEWHERE: NsId = NsId([33; 16]);
/// What every person reads, and holds nobody's secrets.
const DIRECTORY: NsId = NsId([34; 16]);

fn december() -> Month {
    "2026-12".parse().expect("a month")
}

fn id(nth: u8) -> SecretId {
    SecretId([nth; 16])
}

/// 1 December 2026, 00:00 UTC.
fn first() -> u64 {
    Zone::utc().first_of(december(), 0)
}

fn at(store: &Store, moment_ms: u64) {
    store.clock().advance_ms(moment_ms - store.clock().now_ms());
}

/// A tick, and all jobs it leads to but messages; says how many organizations were gone through.
async fn tick(store: &Store) -> usize {
    let tx = store.write().await.unwrap();
    begin_month(&tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut organizations = 0;
    loop {
        let tx = store.write().await.unwrap();
        let mut found = None;
        for id in jobs::due(&tx, 100).await.unwrap() {
            let row = job::Entity::find_by_id(id.0.to_vec()).one(tx.db()).await.unwrap().unwrap();
            if row.kind == "monthly_digest" {
                found = jobs::claim(&tx, id, "test").await.unwrap();
            }
        }
        let Some(claim) = found else { return organizations };
        let Job::MonthlyDigest { month, after } = claim.job else { panic!("of this kind") };
        if let Some(org) = next_org(&tx, month, after).await.unwrap() {
            organizations += 1;
            let mut after = None;
            loop {
                after = open_month(&tx, &org, month, after).await.unwrap();
                if after.is_none() {
                    break;
                }
            }
        }
        jobs::finish(&tx, &claim).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The messages that wait, with their time.
async fn waiting(store: &Store) -> Vec<(DeliveryId, u64)> {
    let rows = delivery::Entity::find().all(store.read().await.unwrap().db()).await.unwrap();
    let open = rows.into_iter().filter(|row| row.ended_at.is_none());
    open.map(|row| (DeliveryId::from_slice(&row.id).unwrap(), number(row.run_at))).collect()
}

async fn set(store: &Store, preferences: Preferences) {
    let tx = store.write().await.unwrap();
    As(READER).sets(&tx, preferences).await.unwrap();
    tx.commit().await.unwrap();
}

/// Something of everything: a key that ends, one that has ended, one to be replaced, two that are overdue of which one is snoozed, one that
/// somebody who left could read, two without an end, a draft and a deleted one, a service that fails; and the same again elsewhere. And names.
async fn a_full_month(store: &Store) {
    team(store, first() + 9 * DAY_MS).await;
    put_names(store).await;
    let tx = store.write().await.unwrap();
    chain::put_namespace(&tx, ELSEWHERE, None).await;
    for ns in [CHILD, ELSEWHERE] {
        let here = |row: secret::ActiveModel| secret::ActiveModel { ns_id: Set(ns.0.to_vec()), ..row };
        let endless =
            |nth: u8, flags: i64| secret::ActiveModel { expires_at: Set(None), flags: Set(flags), ..here(secret_row(id(nth), 1, NOW)) };
        let mut rows = vec![here(secret_row(id(20), 1, NOW - 60 * DAY_MS)), here(secret_row(id(21), 1, first() + 31 * DAY_MS + 1))];
        rows.extend([endless(22, 0), endless(23, 0), endless(24, 1), endless(25, 2)]);
        secret::Entity::insert_many(rows).exec_without_returning(tx.db()).await.unwrap();
        let due = |nth: u8, rotate: Option<u64>, owed: Option<u64>, snoozed: Option<u64>| rotation::ActiveModel {
            org_id: Set(ORG.0.to_vec()),
            ns_id: Set(ns.0.to_vec()),
            secret_id: Set(id(nth).0.to_vec()),
            version: Set(1),
            rotate_at: Set(rotate.map(column)),
            owed_at: Set(owed.map(column)),
            snoozed_until: Set(snoozed.map(column)),
            trial_at: Set(None),
            remind_at: Set(None),
        };
        let rows = [
            due(20, Some(NOW - DAY_MS), None, None),
            due(21, Some(first() + 3 * DAY_MS), None, None),
            due(22, Some(NOW - DAY_MS), Some(NOW - DAY_MS), Some(first() + 40 * DAY_MS)),
            due(23, Some(NOW - 2 * DAY_MS), None, Some(NOW)),
        ];
        rotation::Entity::insert_many(rows).exec_without_returning(tx.db()).await.unwrap();
        fail(&tx, ns).await;
    }
    tx.commit().await.unwrap();
}

/// What is written in the directory of every organization.
async fn put_names(store: &Store) {
    let tx = store.write().await.unwrap();
    chain::put_directory(&tx, DIRECTORY).await;
    give(&tx, DIRECTORY, READER, permission::READ, 0).await;
    let row = secret::ActiveModel { ns_id: Set(DIRECTORY.0.to_vec()), expires_at: Set(None), ..secret_row(id(30), 1, NOW) };
    secret::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn fail(tx: &Tx, ns: NsId) {
    let rules = Rules {
        method: Method::Get,
        statuses: vec![Statuses(200, 299)],
        headers: vec![],
        body: None,
        timeout_ms: DEFAULT_TIMEOUT_MS,
        slow_ms: None,
    };
    let what = Target { name: "api".to_owned(), url: "https://api.example.com/".to_owned(), rules, interval_ms: DEFAULT_INTERVAL_MS };
    give(tx, ns, MACHINE, permission::READ | permission::WRITE, 0).await;
    let permit = authorize(tx, As(MACHINE).caller(), monitors::Change { org: ORG, ns: Some(ns), what }).await.unwrap();
    let monitor = monitors::create_monitor(&permit).await.unwrap();
    for (nth, resolved) in [(1, None), (2, Some(2))] {
        let row = incident::ActiveModel {
            org_id: Set(ORG.0.to_vec()),
            incident_id: Set(vec![ns.0[0], nth]),
            ns_id: Set(ns.0.to_vec()),
            monitor_id: Set(monitor.0.to_vec()),
            leader_id: Set(vec![ns.0[0], nth]),
            flapping: Set(false),
            cause: Set(String::new()),
            opened_at: Set(1),
            acknowledged_at: Set(None),
            acknowledged_by: Set(None),
            reminded_at: Set(None),
            resolved_at: Set(resolved),
        };
        incident::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    }
}

#[tokio::test]
async fn a_month_is_told_once_on_its_first_morning_of_what_its_reader_may_know() {
    on_each_engine(async |store| {
        a_full_month(store).await;
        set(store, Preferences { zone: "Europe/Berlin".to_owned(), ..Preferences::default() }).await;
        assert_eq!((tick(store).await, waiting(store).await.len()), (0, 0), "it is November everywhere");
        at(store, first() - 6 * HOUR_MS);
        assert_eq!(tick(store).await, 1);
        let [(message, run_at_ms)] = waiting(store).await[..] else { panic!("one message") };
        assert_eq!(run_at_ms, first() + 7 * HOUR_MS, "08:00 in Berlin");
        for _ in 0..3 {
            // Another replica, or the same one started again: the job is known.
            assert_eq!((tick(store).await, waiting(store).await.len()), (0, 1));
            store.clock().advance_ms(HOUR_MS);
        }
        let tx = store.write().await.unwrap();
        job::Entity::delete_many().exec(tx.db()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((tick(store).await, waiting(store).await.len()), (1, 1), "and where it was forgotten, the month is");

        at(store, run_at_ms);
        let (email, items) = delivered(store, message).await;
        let [Item::MonthlyDigest(ahead)] = &items[..] else { panic!("{items:?}") };
        let named = |sort: &Sort<DueSecret>| sort.named.iter().map(|due| (due.secret, due.wants)).collect::<Vec<_>>();
        assert_eq!((&email[..], ahead.month, ahead.until_ms), (READERS, december(), first() + 31 * DAY_MS - HOUR_MS));
        assert_eq!((ahead.coming.count, named(&ahead.coming)), (2, vec![(id(21), Wants::Rotation), (SECRET, Wants::End)]));
        assert_eq!((ahead.overdue.count, named(&ahead.overdue)), (2, vec![(id(20), Wants::End), (id(23), Wants::Rotation)]));
        assert_eq!(ahead.coming.named[1].label.as_deref(), Some("Stripe live"));
        assert_eq!((ahead.owed, &ahead.failing), (1, &Sort { count: 1, named: vec!["api".to_owned()] }));
        assert_eq!(ahead.endless, Sort { count: 2, named: vec![(CHILD, 2)] });
        assert_eq!((tick(store).await, waiting(store).await), (0, vec![]), "told");
    })
    .await;
}

#[tokio::test]
async fn of_a_month_that_brings_nothing_nobody_hears() {
    on_each_engine(async |store| {
        team(store, first() + 32 * DAY_MS).await;
        put_names(store).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        As(READER).changes(&tx, webhook(&[Kind::MonthlyDigest], &[])).await.unwrap();
        tx.commit().await.unwrap();
        at(store, first());
        assert_eq!(tick(store).await, 1);
        assert_eq!(notice::Entity::find().all(store.read().await.unwrap().db()).await.unwrap(), []);
        at(store, Zone::utc().first_of(december().next(), 0) + 2 * DAY_MS);
        assert_eq!((tick(store).await, waiting(store).await.len()), (0, 0), "too late to begin a month");
    })
    .await;
}

#[tokio::test]
async fn who_does_not_want_it_or_may_not_know_it_gets_none() {
    on_each_engine(async |store| {
        a_full_month(store).await;
        at(store, first());
        set(store, Preferences { muted: [Kind::MonthlyDigest].into_iter().collect(), ..Preferences::default() }).await;
        tick(store).await;
        assert_eq!(waiting(store).await, [], "muted");
        set(store, Preferences { namespaces: vec![NsId([77; 16])], ..Preferences::default() }).await;
        open(store).await;
        // What belongs to the organization is everybody's: its own monitors fail nowhere here.
        assert_eq!(waiting(store).await, [], "nothing in what was chosen");
        set(store, Preferences { quiet: Some((7 * 60, 9 * 60)), ..Preferences::default() }).await;
        open(store).await;
        let [(message, run_at_ms)] = waiting(store).await[..] else { panic!("one message") };
        assert_eq!(run_at_ms, first() + 9 * HOUR_MS, "quiet hours");
        let tx = store.write().await.unwrap();
        give(&tx, PARENT, READER, permission::MANAGE, 0).await;
        tx.commit().await.unwrap();
        assert_eq!(delivered(store, message).await.1, [], "access was lost meanwhile");
    })
    .await;
}

async fn open(store: &Store) {
    let tx = store.write().await.unwrap();
    assert_eq!(open_month(&tx, &ORG, december(), None).await.unwrap(), None);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn its_link_ends_it_and_nothing_else() {
    on_each_engine(async |store| {
        a_full_month(store).await;
        for preferences in
            [None, Some(Preferences { digest_hour: Some(12), muted: [Kind::Monitor].into_iter().collect(), ..Preferences::default() })]
        {
            let tx = store.write().await.unwrap();
            notice::Entity::delete_many().exec(tx.db()).await.unwrap();
            notice_preference::Entity::delete_many().exec(tx.db()).await.unwrap();
            if let Some(preferences) = preferences.clone() {
                As(READER).sets(&tx, preferences).await.unwrap();
            }
            tx.commit().await.unwrap();
            open(store).await;
            let [(message, _)] = waiting(store).await[..] else { panic!("one message") };
            let tx = store.write().await.unwrap();
            assert!(begin(&tx, &ORG, &message).await.unwrap());
            let Attempt::Send(delivery) = load(&tx, &ORG, &message).await.unwrap() else { panic!("something to say") };
            assert!(delivery.digest && delivery.is_monthly());
            let token = unsubscribe_token(&tx, &delivery).await.unwrap().unwrap();
            end(&tx, &delivery, &Ending::Sent).await.unwrap();
            unsubscribe(&tx, &token).await.unwrap();
            let permit = authorize(&tx, As(READER).caller(), OwnPreferences { org: ORG, set: None }).await.unwrap();
            let before = preferences.unwrap_or_default();
            let muted = before.muted.with(Kind::MonthlyDigest);
            assert_eq!(own_preferences(&permit).await.unwrap(), Preferences { muted, ..before });
            assert!(unsubscribe::ended(&tx, &ORG, &[READER]).await.unwrap().is_empty(), "daily digests go on");
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_asks_for_it_gets_what_its_namespaces_bring() {
    on_each_engine(async |store| {
        a_full_month(store).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap();
        As(READER).changes(&tx, webhook(&[Kind::MonthlyDigest], &[ELSEWHERE])).await.unwrap();
        tx.commit().await.unwrap();
        set(store, Preferences { muted: [Kind::MonthlyDigest].into_iter().collect(), ..Preferences::default() }).await;
        at(store, first());
        tick(store).await;
        let [(message, run_at_ms)] = waiting(store).await[..] else { panic!("one message") };
        assert_eq!(run_at_ms, first() + 8 * HOUR_MS);
        let (_, items) = delivered(store, message).await;
        let [Item::MonthlyDigest(ahead)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((ahead.endless.named[0], ahead.coming.count, ahead.failing.count), ((ELSEWHERE, 2), 1, 1));
    })
    .await;
}
