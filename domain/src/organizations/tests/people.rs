//! Joining by an invite.

use super::person::Person;
use super::world::{self, Draft, World};
use super::{begin, commit, read};
use crate::authorize::authorize;
use crate::namespaces::ReadChanges;
use crate::organizations::{Batch, ListOrganizations, ReadChain, list_organizations};
use crate::scratch::{NOW, on_each_engine};
use crate::{Caller, Error, Store};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{
    Body, Checkpoint, Intended, Invite, MemberJoin, Questions as _, View as _, WrapRef, invite_key_id, join_statement, permission, role,
};
use keyvawlt_ledger::{Code, Domain, IdentityId, InviteId, Signed, bundle, limits};

const CODE: InviteId = InviteId([5; 16]);
const HOUR: u64 = 3600 * 1000;

/// An invite to the directory, whose key it carries.
async fn invite(store: &Store, world: &mut World, request: u8) -> Caller {
    let keys = Person::named("the invite");
    let directory = world::ns("directory");
    let (sign_pk, auth_pk) = (keys.sign.verifying_key().to_bytes(), keys.auth.verifying_key().to_bytes());
    let key_id = invite_key_id(&sign_pk, &auth_pk, &[9; 1216]);
    let entry = world.replica.head().ns(&directory).unwrap();
    let wrap = world.wrap(directory, 1, entry.nk_commit, &(IdentityId(CODE.0), key_id));
    let body = Invite {
        invite_id: CODE,
        sign_pk,
        auth_pk,
        kem_pk: [9; bundle::KEM_PK_LEN],
        role: role::MEMBER,
        access: vec![Intended { ns_id: directory, permissions: permission::READ, expires_ms: 0 }],
        expires_ms: NOW + HOUR,
        member_expires_ms: 0,
        mailed: false,
        prewraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: wrap.hash() }],
    };
    let mut draft = Draft::default();
    draft.wraps.push(wrap.to_bytes());
    world.says(&mut draft, &Body::Invite(body));
    commit(store, world, world.owner.account(), draft, request).await.unwrap();
    Caller::Invite { org_id: world.org(), invite_id: CODE }
}

/// The newcomer's join, by the invite's key.
fn join(world: &mut World, newcomer: &Person) -> Draft {
    let directory = world::ns("directory");
    let entry = world.replica.head().ns(&directory).unwrap();
    let statement = join_statement(&world.org(), &CODE, &newcomer.key_id);
    let wrap = world.acting(newcomer, |world| world.wrap(directory, 1, entry.nk_commit, &(newcomer.id, newcomer.key_id)));
    let body = MemberJoin {
        bundle: newcomer.bundle.clone(),
        invite_id: CODE,
        join_sig: Signed::make(&Person::named("the invite").sign, Domain::InviteJoin, statement).sig,
        wraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: wrap.hash() }],
    };
    let mut draft = Draft::default();
    draft.wraps.push(wrap.to_bytes());
    world.acting(newcomer, |world| world.says(&mut draft, &Body::MemberJoin(body)));
    draft
}

#[tokio::test]
async fn the_bearer_of_an_invite_reads_the_chain_and_its_wraps_and_joins() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let bearer = invite(store, &mut world, 3).await;
        let asked = ReadChanges { held: vec![], ..world.cold("directory") };
        let changes = read(store, bearer, asked).await.unwrap();
        assert_eq!((changes.links.len(), changes.namespaces.len(), changes.wraps.len()), (6, 0, 1));
        let other = read(store, bearer, world.cold("production")).await.unwrap_err();
        assert!(matches!(other, Error::Forbidden));

        let nina = Person::named("nina");
        let draft = join(&mut world, &nina);
        commit(store, &world, bearer, draft, 1).await.unwrap();
        let changes = read(store, nina.account(), world.cold("directory")).await.unwrap();
        let mut reader = World::reader(&world);
        reader.takes(&changes);
        assert_eq!(changes.wraps.len(), 1);

        // Used up.
        let tx = store.read().await.unwrap();
        let again = authorize(&tx, bearer, ReadChain { org: world.org(), from_seq: 0, page_bytes: 1000 }).await.unwrap_err();
        assert!(matches!(again.error, Error::Forbidden));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_bearer_of_an_invite_does_nothing_but_join() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let bearer = invite(store, &mut world, 3).await;
        let mut draft = Draft::default();
        let mut writing = world.clone();
        writing.writes(&mut draft, "production", &["x"]);
        assert!(matches!(commit(store, &world, bearer, draft, 1).await.unwrap_err(), Error::Forbidden));
        let mut draft = join(&mut world.clone(), &Person::named("nina"));
        draft.links.push(draft.links[0].clone());
        let error = commit(store, &world, bearer, draft, 1).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == Code::Authority), "{error:?}");
    })
    .await;
}

async fn homes(store: &Store, person: &Person) -> Vec<keyvawlt_ledger::OrgId> {
    let tx = store.read().await.unwrap();
    let permit = authorize(&tx, person.account(), ListOrganizations { limit: 10, after: None }).await.unwrap();
    let page = list_organizations(&permit).await.unwrap();
    tx.commit().await.unwrap();
    page.orgs
}

#[tokio::test]
async fn whom_others_add_does_not_belong_there_by_that() {
    on_each_engine(async |store| {
        let (mut world, machine) = begin(store).await;
        assert_eq!(homes(store, &world.owner).await, [world.org()], "signed itself");
        assert_eq!(homes(store, &machine).await, [world.org()], "its keys were made here");
        let vera = Person::named("vera");
        let tx = store.write().await.unwrap();
        let (bundle, id) = bundle::Bundle::verify(&vera.bundle).unwrap();
        assert!(crate::accounts::keep_bundle(&tx, &vera.bundle, &bundle, &id).await.unwrap(), "vera has an account");
        tx.commit().await.unwrap();
        let mut draft = Draft::default();
        world.adds_as(&mut draft, &vera, role::MEMBER);
        commit(store, &world, world.owner.account(), draft, 77).await.unwrap();
        assert_eq!(homes(store, &vera).await, []);
    })
    .await;
}

#[tokio::test]
async fn whoever_begins_an_account_for_somebody_elses_identity_is_not_told_where_that_one_belongs() {
    on_each_engine(async |store| {
        let (world, _) = begin(store).await;
        let stranger = Person::renewed("olga");
        assert_eq!(stranger.id, world.owner.id);
        assert_eq!(homes(store, &world.owner).await, [world.org()]);
        assert_eq!(homes(store, &stranger).await, []);
    })
    .await;
}

#[test]
fn what_would_take_too_much_room_is_refused_before_it_is_decoded() {
    let mut world = World::begins();
    let mut draft = world.genesis();
    for _ in 0..5 {
        let state_hash = Some(world.replica.head().state_hash());
        world.says(&mut draft, &Body::Checkpoint(Checkpoint { state_hash }));
    }
    assert!(matches!(draft.batch(), Err(Error::TooLarge { limit: 4, .. })), "each state hash goes through the whole state");

    let mut bomb = vec![0x9a, 0, 8, 0, 0];
    bomb.extend(vec![0; 1 << 19]);
    let bomb = Signed::from_parts(&bomb, &[0; 64]).unwrap();
    let refused = Batch::decode(vec![bomb], vec![], &[] as &[Vec<u8>], vec![]);
    assert!(matches!(refused, Err(Error::TooLarge { what: "the number of items of a batch", .. })));
    assert_eq!(Signed::from_parts(&vec![0; limits::MAX_STATEMENT + 1], &[0; 64]).unwrap_err().code, Code::Limit);
}
