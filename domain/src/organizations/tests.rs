//! A small organization, committed and read back on both engines; the reader verifies everything with its own replica.

mod fences;
mod keys;
mod newest;
mod people;
mod person;
mod remembered;
mod world;

use super::{Commit, Create, ListAuditEvents, ReadChain, RequestKey, answered, list_audit_events, read_chain};
use crate::audit::{Event, record_all};
use crate::authorize::authorize;
use crate::namespaces::{Changes, ReadChanges, ReadVersion, Spans, read_changes, read_version};
use crate::scratch::on_each_engine;
use crate::{Caller, Error, Result, Store};
use keyvawlt_ledger::chain::{Body, Checkpoint, InviteRevoke, View as _, permission};
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_ledger::{Code, OrgId};
use person::Person;
use world::{Draft, World};

const READ: u8 = permission::READ;
const WRITE: u8 = permission::READ | permission::WRITE;

async fn create(store: &Store, world: &World, draft: Draft) -> Result<OrgId> {
    let tx = store.write().await?;
    let batch = draft.batch()?;
    let permit = authorize(&tx, world.owner.account(), Create { batch }).await?;
    let org = super::create(permit, &key(1)).await?;
    tx.commit().await?;
    Ok(org)
}

async fn commit(store: &Store, world: &World, caller: Caller, draft: Draft, request: u8) -> Result<()> {
    let tx = store.write().await?;
    let permit = authorize(&tx, caller, Commit { org: world.org(), batch: draft.batch()? }).await?;
    super::commit(permit, &key(request)).await?;
    tx.commit().await
}

async fn read(store: &Store, caller: Caller, asked: ReadChanges) -> Result<Changes> {
    read_with(store, &Spans::default(), caller, asked).await
}

async fn read_with(store: &Store, spans: &Spans, caller: Caller, asked: ReadChanges) -> Result<Changes> {
    let tx = store.read().await?;
    let permit = authorize(&tx, caller, asked).await?;
    let changes = read_changes(permit, spans).await?;
    tx.commit().await?;
    Ok(changes)
}

fn key(n: u8) -> RequestKey {
    RequestKey { id: [n; 16], rpc: "Commit", content: [n; 32] }
}

/// Olga's organization with one environment of three secrets, and a machine that reads it.
async fn begin(store: &Store) -> (World, Person) {
    let mut world = World::begins();
    let mut draft = world.genesis();
    world.environment(&mut draft, "production");
    assert_eq!(create(store, &world, draft).await.unwrap(), world.org());

    let machine = Person::machine("ci");
    let mut draft = Draft::default();
    world.adds(&mut draft, &machine);
    world.gives(&mut draft, "production", &machine, READ);
    world.writes(&mut draft, "production", &["a", "b", "c"]);
    commit(store, &world, world.owner.account(), draft, 2).await.unwrap();
    (world, machine)
}

#[tokio::test]
async fn what_was_written_is_read_and_verified_by_another_replica() {
    on_each_engine(async |store| {
        let (world, machine) = begin(store).await;
        let changes = read(store, machine.caller(), world.cold("production")).await.unwrap();
        let mut reader = World::reader(&world);
        reader.takes(&changes);
        assert_eq!(reader.replica.tip(), world.replica.tip());
        assert_eq!(reader.head("production"), world.head("production"));
        assert_eq!(changes.namespaces[0].news.objects.len(), 12);
        assert_eq!((changes.wraps.len(), changes.wraps[0].count, changes.wraps[0].path.len()), (1, 1, 0));
        assert_eq!(changes.events.len(), 2);
        let warm = read(store, machine.caller(), reader.warm("production")).await.unwrap();
        assert!(warm.is_nothing() && warm.next_seq == changes.next_seq);
    })
    .await;
}

#[tokio::test]
async fn a_cold_reader_gets_pages_and_ends_at_the_head() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        for n in 0..5 {
            let mut draft = Draft::default();
            world.writes(&mut draft, "production", &["a", "d"]);
            commit(store, &world, world.owner.account(), draft, 10 + n).await.unwrap();
        }
        let mut reader = World::reader(&world);
        let mut pages = 0;
        let mut objects = 0;
        loop {
            let mut asked = reader.warm("production");
            (asked.page_bytes, asked.all_wraps) = (700, true);
            let changes = read(store, machine.caller(), asked).await.unwrap();
            reader.takes(&changes);
            pages += 1;
            objects +=
                changes.namespaces.iter().flat_map(|changed| &changed.news.objects).filter(|o| o.kind == ObjectKind::Payload).count();
            if !changes.more {
                break;
            }
        }
        assert!(pages > 5, "{pages}");
        assert_eq!(objects, 4);
        assert_eq!(reader.head("production"), world.head("production"));
    })
    .await;
}

#[tokio::test]
async fn the_servers_state_is_the_clients_state() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let claimed = world.replica.head().state_hash();
        let mut draft = Draft::default();
        world.says(&mut draft, &Body::Checkpoint(Checkpoint { state_hash: Some(claimed) }));
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_writers_hears_of_the_first_and_a_retry_is_recognized() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let mut late = world.clone();
        let mut draft = Draft::default();
        world.writes(&mut draft, "production", &["d"]);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();

        let mut draft = Draft::default();
        late.writes(&mut draft, "production", &["e"]);
        let error = commit(store, &late, late.owner.account(), draft, 4).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { current: Some(2), .. }), "{error:?}");

        let tx = store.read().await.unwrap();
        let owner = world.owner.account();
        assert_eq!(answered(&tx, &owner, &key(3)).await.unwrap(), Some(vec![]));
        assert_eq!(answered(&tx, &owner, &key(4)).await.unwrap(), None);
        let other = RequestKey { content: [9; 32], ..key(3) };
        assert!(matches!(answered(&tx, &owner, &other).await.unwrap_err(), Error::Invalid { field: "request_id", .. }));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_removed_machine_is_a_stranger_and_the_next_write_needs_an_epoch() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let mut draft = Draft::default();
        world.removes(&mut draft, &machine);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        let gone = read(store, machine.caller(), world.cold("production")).await.unwrap_err();
        let absent = ReadChanges { org: OrgId([7; 32]), ..world.cold("production") };
        let absent = read(store, world.owner.account(), absent).await.unwrap_err();
        assert!(matches!((gone, absent), (Error::Forbidden, Error::Forbidden)));

        let mut owing = world.clone();
        let mut draft = Draft::default();
        owing.writes_badly(&mut draft, "production", &["d"]);
        let error = commit(store, &owing, owing.owner.account(), draft, 4).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Owed), "{error:?}");

        let mut draft = Draft::default();
        world.renews(&mut draft, "production");
        world.writes(&mut draft, "production", &["d"]);
        commit(store, &world, world.owner.account(), draft, 5).await.unwrap();
        let mut reader = World::reader(&world);
        let changes = read(store, world.owner.account(), world.cold("production")).await.unwrap();
        reader.takes(&changes);
        assert_eq!((changes.wraps.len(), changes.wraps[0].count), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_wrap_given_again_leaves_the_proofs_of_the_others_whole() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let other = Person::machine("deploy");
        let mut draft = Draft::default();
        world.adds(&mut draft, &other);
        world.gives(&mut draft, "production", &other, READ);
        world.renews(&mut draft, "production");
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        let mut draft = Draft::default();
        world.gives(&mut draft, "production", &machine, READ);
        commit(store, &world, world.owner.account(), draft, 4).await.unwrap();
        for (person, count) in [(&machine, 1), (&other, 3)] {
            let changes = read(store, person.caller(), world.cold("production")).await.unwrap();
            assert_eq!((changes.wraps.len(), changes.wraps[0].count), (1, count));
            World::reader(&world).takes(&changes);
        }
    })
    .await;
}

#[tokio::test]
async fn every_object_is_named_and_none_is_missing() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let before = world.clone();
        let mut draft = Draft::default();
        world.writes(&mut draft, "production", &["d"]);
        let mut missing = draft.clone();
        missing.objects.pop();
        let error = commit(store, &before, before.owner.account(), missing, 3).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Root), "{error:?}");
        let mut more = draft.clone();
        more.objects.push(world::object(more.objects[0].ns_id, "z", 1, ObjectKind::Name));
        let error = commit(store, &before, before.owner.account(), more, 4).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "batch.objects", .. }), "{error:?}");
        let mut unwrapped = draft.clone();
        unwrapped.wraps.push(world.spare_wrap("production"));
        let error = commit(store, &before, before.owner.account(), unwrapped, 5).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Wrap), "{error:?}");
        commit(store, &before, before.owner.account(), draft, 6).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nobody_commits_the_statements_of_somebody_else() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let mut draft = Draft::default();
        world.says(&mut draft, &Body::Checkpoint(Checkpoint { state_hash: None }));
        let error = commit(store, &world, machine.caller(), draft, 3).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Authority), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn an_old_version_is_read_by_readers_and_recorded() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        let mut draft = Draft::default();
        world.writes(&mut draft, "production", &["a"]);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        let asked = ReadVersion { org: world.org(), ns: world::ns("production"), secret: world::secret("a"), version: 1 };
        let tx = store.read().await.unwrap();
        let permit = authorize(&tx, machine.caller(), asked).await.unwrap();
        let sealed = read_version(&permit).await.unwrap();
        assert_eq!(sealed.payload, world::object(asked.ns, "a", 1, ObjectKind::Payload).data);
        assert_eq!(sealed.event.action, "version.read");
        let permit = authorize(&tx, machine.caller(), ReadVersion { version: 9, ..asked }).await.unwrap();
        assert!(matches!(read_version(&permit).await.unwrap_err(), Error::Forbidden));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lower_role_may_neither_invite_nor_see_what_happened() {
    on_each_engine(async |store| {
        let (world, machine) = begin(store).await;
        let tx = store.read().await.unwrap();
        let asked = ListAuditEvents { org: world.org(), limit: 2, before: None, actor: None };
        let denied = authorize(&tx, machine.caller(), asked.clone()).await.unwrap_err();
        assert!(matches!(denied.error, Error::Forbidden));
        assert_eq!(denied.event.unwrap().action, "denied");
        let permit = authorize(&tx, world.owner.account(), asked.clone()).await.unwrap();
        let page = list_audit_events(&permit).await.unwrap();
        let next = ListAuditEvents { before: page.next, limit: 100, ..asked };
        let rest = list_audit_events(&authorize(&tx, world.owner.account(), next).await.unwrap()).await.unwrap();
        let actions: Vec<String> = page.events.into_iter().chain(rest.events).map(|event| event.action).collect();
        assert_eq!(actions.len(), 6);
        assert!(actions.contains(&"organization.create".to_owned()) && actions.contains(&"namespace.write".to_owned()));
        let permit = authorize(&tx, machine.caller(), ReadChain { org: world.org(), from_seq: 1, page_bytes: 100_000 }).await.unwrap();
        assert_eq!(read_chain(&permit).await.unwrap().statements.len(), 4);
        tx.commit().await.unwrap();
        let mut draft = Draft::default();
        let mut machines = world.clone();
        machines.owner = machine.clone();
        machines.says_unchecked(&mut draft, &Body::InviteRevoke(InviteRevoke { invite_id: keyvawlt_ledger::InviteId([1; 16]) }));
        assert!(matches!(commit(store, &world, machine.caller(), draft, 9).await.unwrap_err(), Error::Forbidden));
    })
    .await;
}

#[tokio::test]
async fn one_actors_events_are_found_behind_any_number_of_others() {
    on_each_engine(async |store| {
        let (world, _) = begin(store).await;
        let event = |actor: &str, at_ms| Event {
            org: world.org(),
            at_ms,
            actor: actor.to_owned(),
            action: "namespace.read",
            subject: String::new(),
            detail: String::new(),
        };
        let now = store.clock().now_ms();
        let tx = store.write().await.unwrap();
        record_all(&tx, vec![event("bob", now), event("bob", now + 1)]).await.unwrap();
        record_all(&tx, (0..20_000).map(|nth| event("ci", now + 2 + nth)).collect()).await.unwrap();
        tx.commit().await.unwrap();
        let (mut before, mut found, mut calls) = (None, Vec::new(), 0);
        loop {
            let asked = ListAuditEvents { org: world.org(), limit: 1, before, actor: Some("bob".to_owned()) };
            let tx = store.read().await.unwrap();
            let page = list_audit_events(&authorize(&tx, world.owner.account(), asked).await.unwrap()).await.unwrap();
            tx.commit().await.unwrap();
            assert!(page.events.len() <= 1);
            found.extend(page.events.into_iter().map(|event| (event.actor, event.at_ms)));
            calls += 1;
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, [("bob".to_owned(), now + 1), ("bob".to_owned(), now)]);
        assert_eq!(calls, 3, "the first call looks only at the machine's");
    })
    .await;
}
