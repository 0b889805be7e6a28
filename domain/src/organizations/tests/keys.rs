//! New keys for a person: in one organization after the other, and by somebody else.

use super::person::Person;
use super::world::{self, Draft, World};
use super::{begin, commit, key, read};
use crate::accounts::{NewAccount, Slot, SlotKind, sign_up};
use crate::authorize::authorize;
use crate::organizations::{Create, create};
use crate::scratch::on_each_engine;
use crate::{Caller, Error, Store};
use keyvawlt_ledger::account::Claim;
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Body, KeyReset, KeyRotate, Questions as _, WrapRef, role, verified};
use keyvawlt_ledger::{AccountId, Domain, Signed, SlotId};

const ORIGIN: &str = "http://127.0.0.1:7450";
const SLOT: SlotId = SlotId([1; 16]);

/// Olga's next keys, in one organization.
fn rotates(world: &mut World, next: &Person) -> Draft {
    let fences = vec![world.head("directory"), world.head("production")];
    let mut draft = Draft::default();
    let wraps = ["directory", "production"].map(|name| {
        let entry = world.replica.head().ns(&world::ns(name)).unwrap();
        let mut wrap = world.wrap(world::ns(name), entry.epoch, entry.nk_commit, &(next.id, next.key_id));
        wrap.granter_key_id = next.key_id;
        draft.wraps.push(wrap.to_bytes());
        WrapRef { ns_id: world::ns(name), epoch: entry.epoch, wrap_hash: wrap.hash() }
    });
    let body = KeyRotate { bundle: next.bundle.clone(), wraps: wraps.to_vec(), fences, compromised: false };
    world.says(&mut draft, &Body::KeyRotate(body));
    world.owner = next.clone();
    draft
}

async fn has_an_account(store: &Store, person: &Person) {
    let account_id = AccountId(person.id.0);
    let claim = Claim { account_id, key_id: person.key_id, origin: ORIGIN.to_owned() };
    let new = NewAccount {
        account_id,
        email: "olga@example.com".to_owned(),
        bundle: person.bundle.clone(),
        claim: Signed::make(&person.sign, Domain::Account, claim.to_bytes()),
        slots: vec![Slot {
            id: SLOT,
            kind: SlotKind::Password,
            login_pk: person.auth.verifying_key().to_bytes(),
            sealed_ak: vec![0; 112],
            label: String::new(),
        }],
        blob: vec![7; 300],
        generation: 1,
        request_id: [40; 16],
    };
    let tx = store.write().await.unwrap();
    sign_up(&tx, new, &[ORIGIN.to_owned()]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn caller(store: &Store, person: &Person) -> Caller {
    let tx = store.read().await.unwrap();
    let caller = Caller::find(&tx, Subject::Slot(AccountId(person.id.0), SLOT)).await.unwrap();
    tx.commit().await.unwrap();
    caller
}

/// Another organization of Olga's.
pub(super) async fn founds_another(store: &Store) -> World {
    let mut world = World::begins_with(9);
    let mut draft = world.genesis();
    world.environment(&mut draft, "production");
    let tx = store.write().await.unwrap();
    let permit = authorize(&tx, world.owner.account(), Create { batch: draft.batch().unwrap() }).await.unwrap();
    create(permit, &key(90)).await.unwrap();
    tx.commit().await.unwrap();
    world
}

#[tokio::test]
async fn new_keys_need_fences_and_end_the_old_ones() {
    on_each_engine(async |store| {
        let (mut world, _) = begin(store).await;
        let (before, next) = (world.owner.account(), Person::renewed("olga"));
        let draft = rotates(&mut world, &next);
        commit(store, &world, before, draft, 3).await.unwrap();
        assert!(matches!(read(store, before, world.cold("production")).await.unwrap_err(), Error::Forbidden));
        let changes = read(store, next.account(), world.cold("production")).await.unwrap();
        World::reader(&world).takes(&changes);
        assert_eq!(changes.wraps.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn keys_are_replaced_in_one_organization_after_the_other() {
    on_each_engine(async |store| {
        let olga = Person::named("olga");
        has_an_account(store, &olga).await;
        let (mut first, _) = begin(store).await;
        let mut second = founds_another(store).await;
        let next = Person::renewed("olga");
        let draft = rotates(&mut first, &next);
        commit(store, &first, caller(store, &olga).await, draft, 3).await.unwrap();
        for world in [&first, &second] {
            read(store, caller(store, &olga).await, world.cold("production")).await.expect("the account acts in both");
        }
        let draft = rotates(&mut second, &next);
        commit(store, &second, caller(store, &olga).await, draft, 4).await.unwrap();
        read(store, caller(store, &olga).await, second.cold("production")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn keys_that_somebody_else_set_are_not_the_accounts() {
    on_each_engine(async |store| {
        let olga = Person::named("olga");
        has_an_account(store, &olga).await;
        let (mut world, _) = begin(store).await;
        let other = founds_another(store).await;
        let otto = Person::named("otto");
        let mut draft = Draft::default();
        world.adds_as(&mut draft, &otto, role::OWNER);
        commit(store, &world, caller(store, &olga).await, draft, 3).await.unwrap();
        let reset = KeyReset {
            identity_id: olga.id,
            bundle: Person::of_generation("olga", 2).bundle,
            verified: verified::WORDS,
            fences: vec![world.head("directory"), world.head("production")],
            abandon: true,
        };
        let mut draft = Draft::default();
        world.acting(&otto, |world| world.says(&mut draft, &Body::KeyReset(reset)));
        commit(store, &world, otto.account(), draft, 4).await.unwrap();
        let shut_out = read(store, caller(store, &olga).await, world.cold("directory")).await.unwrap_err();
        assert!(matches!(shut_out, Error::Forbidden));
        read(store, caller(store, &olga).await, other.cold("production")).await.expect("elsewhere nothing changed");
    })
    .await;
}
