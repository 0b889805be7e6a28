//! Fences name the newest head, and nobody who loses something keeps a manifest that ends with his own link.

use super::person::Person;
use super::world::{self, Draft, World};
use super::{READ, WRITE, begin, commit};
use crate::scratch::on_each_engine;
use crate::{Error, Store};
use keyvawlt_ledger::Code;
use keyvawlt_ledger::chain::{Access, Body, Head, MemberRemove, MemberSet, Questions as _, role};

const MINUTE: u64 = 60_000;

/// Wim may write production until `expires_ms`, and wrote last.
async fn wim_wrote_last(store: &Store, world: &mut World, expires_ms: u64) -> Person {
    let wim = Person::named("wim");
    let entry = world.replica.head().ns(&world::ns("production")).unwrap();
    let wrap = world.wrap(world::ns("production"), entry.epoch, entry.nk_commit, &(wim.id, wim.key_id));
    let mut draft = Draft::default();
    world.adds_as(&mut draft, &wim, role::MEMBER);
    draft.wraps.push(keyvawlt_ledger::canon::Canon::to_bytes(&wrap));
    let access = Access { expires_ms, wrap: Some(wrap.hash()), ..access(&wim, WRITE, vec![]) };
    world.says(&mut draft, &Body::Access(access));
    commit(store, world, world.owner.account(), draft, 3).await.unwrap();
    let mut draft = Draft::default();
    world.acting(&wim, |world| world.writes(&mut draft, "production", &["d"]));
    commit(store, world, wim.account(), draft, 4).await.unwrap();
    wim
}

fn access(of: &Person, permissions: u8, fences: Vec<Head>) -> Access {
    Access { ns_id: world::ns("production"), identity_id: of.id, permissions, expires_ms: 0, wrap: None, fences, abandon: false }
}

/// The link is refused without the fence on production, and holds with it.
async fn needs_the_fence(store: &Store, world: &mut World, request: u8, body: impl Fn(Vec<Head>) -> Body) {
    let mut draft = Draft::default();
    world.says_unchecked(&mut draft, &body(vec![]));
    let error = commit(store, world, world.owner.account(), draft, request).await.unwrap_err();
    assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Fence), "{error:?}");
    let mut draft = Draft::default();
    let fence = world.head("production");
    world.says(&mut draft, &body(vec![fence]));
    commit(store, world, world.owner.account(), draft, request + 1).await.unwrap();
}

#[tokio::test]
async fn an_earlier_end_of_membership_fences_where_a_lapsed_writer_wrote_last() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let ends = world.now + MINUTE;
        let wim = wim_wrote_last(store, &mut world, ends).await;
        world.now = ends;
        store.clock().advance_ms(MINUTE);
        let until = world.now + MINUTE;
        let ending = |expires_ms| {
            move |fences| Body::MemberSet(MemberSet { identity_id: wim.id, role: role::MEMBER, expires_ms, confirm: false, fences })
        };
        needs_the_fence(store, &mut world, 5, ending(until)).await;
        // A later end takes nothing.
        let mut draft = Draft::default();
        world.says(&mut draft, &ending(until + MINUTE)(vec![]));
        commit(store, &world, world.owner.account(), draft, 7).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn less_access_fences_where_the_holder_wrote_last() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let wim = wim_wrote_last(store, &mut world, 0).await;
        needs_the_fence(store, &mut world, 5, |fences| Body::Access(access(&wim, READ, fences))).await;
        // The newest link is still his.
        let shorter = world.now + MINUTE;
        let shortened = |fences| Body::Access(Access { expires_ms: shorter, ..access(&wim, READ, fences) });
        needs_the_fence(store, &mut world, 7, shortened).await;
        needs_the_fence(store, &mut world, 9, |fences| Body::Access(access(&wim, 0, fences))).await;
    })
    .await;
}

#[tokio::test]
async fn less_access_elsewhere_fences_nothing_here() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let wim = wim_wrote_last(store, &mut world, 0).await;
        let mut draft = Draft::default();
        world.gives(&mut draft, "directory", &wim, READ);
        let taken = Access { ns_id: world::ns("directory"), ..access(&wim, 0, vec![]) };
        world.says(&mut draft, &Body::Access(taken));
        commit(store, &world, world.owner.account(), draft, 5).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn removal_fences_where_a_former_writer_wrote_last() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let wim = wim_wrote_last(store, &mut world, 0).await;
        needs_the_fence(store, &mut world, 5, |fences| Body::Access(access(&wim, 0, fences))).await;
        let removal = |fences| Body::MemberRemove(MemberRemove { identity_id: wim.id, fences, abandon: false });
        needs_the_fence(store, &mut world, 7, removal).await;
    })
    .await;
}

#[tokio::test]
async fn a_fence_names_the_newest_head() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let writer = Person::named("wim");
        let mut draft = Draft::default();
        world.adds_as(&mut draft, &writer, role::MEMBER);
        world.gives(&mut draft, "production", &writer, WRITE);
        commit(store, &world, world.owner.account(), draft, 3).await.unwrap();
        let mut stale = world.clone();
        let mut draft = Draft::default();
        world.writes(&mut draft, "production", &["d"]);
        commit(store, &world, world.owner.account(), draft, 4).await.unwrap();
        let fence = stale.head("production");
        let lowering = Access {
            ns_id: world::ns("production"),
            identity_id: writer.id,
            permissions: READ,
            expires_ms: 0,
            wrap: None,
            fences: vec![fence],
            abandon: false,
        };
        let mut draft = Draft::default();
        stale.says(&mut draft, &Body::Access(lowering));
        let error = commit(store, &stale, stale.owner.account(), draft, 5).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { current: Some(2), .. }), "{error:?}");
    })
    .await;
}
