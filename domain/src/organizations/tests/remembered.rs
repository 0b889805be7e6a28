//! What a process remembers between calls: verdicts and spans. Other processes write meanwhile; they know nothing of what this one remembers,
//! and neither does `commit` here.

use super::keys::founds_another;
use super::world::{Draft, World};
use super::{begin, commit, read, read_with};
use crate::Error;
use crate::Store;
use crate::namespaces::{ReadChanges, Revisions, Spans, Unchanged};
use crate::scratch::on_each_engine;
use futures::future::join_all;
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::{AccountId, SlotId};
use keyvawlt_schema::slot;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn nothing_is_remembered_until_something_changes_or_a_minute_has_passed() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let remembered = Unchanged::default();
        let revisions = Revisions::start(store.clone(), &TaskTracker::new());
        let look = async |subject: Subject, asked: &ReadChanges| remembered.look(store.clock(), &revisions, subject, asked).await.unwrap();
        let (subject, asked) = (Subject::Identity(machine.id, machine.key_id), world.warm("production"));
        assert_eq!(look(subject, &asked).await, None);
        let changes = read(store, machine.caller(), asked.clone()).await.unwrap();
        remembered.remember(store.clock(), subject, &asked, "ci".to_owned(), &changes);
        assert_eq!(look(subject, &asked).await.unwrap().next_seq, world.replica.tip().next_seq());
        // Others, and other questions, are not answered by it.
        let other = Subject::Identity(world.owner.id, world.owner.key_id);
        assert_eq!(look(other, &asked).await, None);
        assert_eq!(look(subject, &world.cold("production")).await, None);

        let mut draft = Draft::default();
        world.writes(&mut draft, "production", &["d"]);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        assert_eq!(look(subject, &asked).await, None);

        let asked = world.warm("production");
        let changes = read(store, machine.caller(), asked.clone()).await.unwrap();
        remembered.remember(store.clock(), subject, &asked, "ci".to_owned(), &changes);
        assert!(look(subject, &asked).await.is_some());
        let now = store.clock().now_ms();
        store.clock().set_ms(now - 365 * 24 * 60 * 60 * 1000);
        assert_eq!(look(subject, &asked).await, None, "the clock was ahead");
        store.clock().set_ms(now);
        store.clock().advance_ms(60_000);
        assert_eq!(look(subject, &asked).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_ends_with_the_access_and_with_the_way_in() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let remembered = Unchanged::default();
        let revisions = Revisions::start(store.clone(), &TaskTracker::new());
        let look = async |subject: Subject, asked: &ReadChanges| remembered.look(store.clock(), &revisions, subject, asked).await.unwrap();
        let (device, asked) = (way_in(store, 1).await, world.warm("production"));
        let by_device = Subject::Slot(device.0, device.1);
        let changes = read(store, world.owner.account(), asked.clone()).await.unwrap();
        remembered.remember(store.clock(), by_device, &asked, "olga".to_owned(), &changes);
        assert!(look(by_device, &asked).await.is_some());
        slot::Entity::delete_by_id((device.0.0.to_vec(), device.1.0.to_vec())).exec(store.write().await.unwrap().db()).await.unwrap();
        assert!(look(by_device, &asked).await.is_some(), "a removal that was not committed");
        let tx = store.write().await.unwrap();
        slot::Entity::delete_by_id((device.0.0.to_vec(), device.1.0.to_vec())).exec(tx.db()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(look(by_device, &asked).await, None);

        let subject = Subject::Identity(machine.id, machine.key_id);
        let changes = read(store, machine.caller(), asked.clone()).await.unwrap();
        remembered.remember(store.clock(), subject, &asked, "ci".to_owned(), &changes);
        assert!(look(subject, &asked).await.is_some());
        let mut draft = Draft::default();
        world.removes(&mut draft, &machine);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        assert_eq!(look(subject, &asked).await, None);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_ask_at_once_each_hears_of_its_own() {
    on_each_engine(async |store| {
        let (mut here, machine) = begin(store).await;
        for n in 0..2 {
            let mut draft = Draft::default();
            here.writes(&mut draft, "production", &["d"]);
            commit(store, &here, here.owner.account(), draft, 3 + n).await.unwrap();
        }
        let there = founds_another(store).await;
        let (here, there) = (here.org(), there.org());
        let nowhere = keyvawlt_ledger::OrgId([7; 32]);
        let machine = Subject::Identity(machine.id, machine.key_id);
        let (one, other) = (way_in(store, 1).await, way_in(store, 2).await);
        // Each has a way in, and not the other's.
        let (mine, foreign) = (Subject::Slot(one.0, one.1), Subject::Slot(one.0, other.1));
        let revisions = Revisions::start(store.clone(), &TaskTracker::new());
        let questions = [(here, machine), (there, machine), (nowhere, machine), (here, mine), (there, mine), (here, foreign)];
        // More than one statement takes.
        let asked: Vec<_> = questions.iter().cycle().take(questions.len() * 100).collect();
        let found = join_all(asked.iter().map(|(org, subject)| revisions.find(*org, *subject))).await;
        let found: Vec<_> = found.into_iter().collect::<Result<_, _>>().unwrap();
        let alone = [Some(4), Some(1), None, Some(4), Some(1), None];
        for group in found.chunks(questions.len()) {
            assert_eq!(group, alone);
        }
    })
    .await;
}

#[tokio::test]
async fn what_one_reader_was_given_is_given_to_nobody_else_without_a_permit() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let spans = Spans::default();
        let first = read_with(store, &spans, machine.caller(), world.cold("production")).await.unwrap();
        let again = read_with(store, &spans, world.owner.account(), world.cold("production")).await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&first.namespaces[0].news, &again.namespaces[0].news), "it is remembered");
        World::reader(&world).takes(&again);
        assert_eq!(again.events.len(), 2, "what is remembered is put on record too");

        // The same names stand for other things elsewhere.
        let mut there = founds_another(store).await;
        let mut draft = Draft::default();
        there.writes(&mut draft, "production", &["x"]);
        commit(store, &there, there.owner.account(), draft, 91).await.unwrap();
        let theirs = read_with(store, &spans, there.owner.account(), there.cold("production")).await.unwrap();
        World::reader(&there).takes(&theirs);
        assert_eq!(theirs.namespaces[0].news.objects.len(), 4);
        let foreign = read_with(store, &spans, machine.caller(), there.cold("production")).await.unwrap_err();
        assert!(matches!(foreign, Error::Forbidden));

        let mut draft = Draft::default();
        world.removes(&mut draft, &machine);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        let gone = read_with(store, &spans, machine.caller(), world.cold("production")).await.unwrap_err();
        assert!(matches!(gone, Error::Forbidden));
    })
    .await;
}

#[tokio::test]
async fn what_is_remembered_is_not_delivered_after_a_later_write() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let spans = Spans::default();
        for n in 0..4 {
            for _ in 0..2 {
                let changes = read_with(store, &spans, machine.caller(), world.cold("production")).await.unwrap();
                let mut reader = World::reader(&world);
                reader.takes(&changes);
                assert_eq!(reader.head("production"), world.head("production"));
                assert_eq!(changes.namespaces[0].news.objects.len(), 12);
            }
            let mut draft = Draft::default();
            world.writes(&mut draft, "production", &["a"]);
            commit(store, &world, world.owner.account(), draft, 10 + n).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_remembered_does_not_fill_more_than_a_page() {
    on_each_engine(async |store| {
        let (world, machine) = begin(store).await;
        let spans = Spans::default();
        let whole = read_with(store, &spans, machine.caller(), world.cold("production")).await.unwrap();
        assert!(!whole.links.is_empty() && !whole.namespaces.is_empty());
        let mut asked = world.cold("production");
        asked.page_bytes = whole.links.iter().map(|(payload, sig)| payload.len() + sig.len()).sum::<usize>() + 100;
        let page = read_with(store, &spans, machine.caller(), asked).await.unwrap();
        assert!(page.namespaces.is_empty() && page.more);
    })
    .await;
}

/// A way into some account.
async fn way_in(store: &Store, n: u8) -> (AccountId, SlotId) {
    let (account, way_in) = (AccountId([n; 16]), SlotId([n + 100; 16]));
    let row = slot::ActiveModel {
        account_id: Set(account.0.to_vec()),
        slot_id: Set(way_in.0.to_vec()),
        kind: Set(1),
        login_pk: Set(vec![1; 32]),
        sealed_ak: Set(vec![1; 32]),
        label: Set(String::new()),
        created_at: Set(0),
    };
    let tx = store.write().await.unwrap();
    slot::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    tx.commit().await.unwrap();
    (account, way_in)
}
