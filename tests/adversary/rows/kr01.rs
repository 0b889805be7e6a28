//! KR01: around the rotation and the reset of somebody's keys. Each set of keys is brought by a link that the one before it signed, or an admin who
//! compared words; the account's own data has the same generation as the chain, or is refused; and what was wrapped to earlier keys counts no more.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery, Tamper, Tampered};
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::rpcs::{ReadAccount, ReadChain, ReadChanges, ReadStart};
use crate::scene::{CANARY, PASSWORD, Scene};
use bytes::Bytes;
use keyvawlt_client::ledger::chain::{Body, KeyRotate, Link, Questions as _, WrapRef, permission, role};
use keyvawlt_client::{Account, Error, NewKeys, ReturnCode, StateDir};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Domain, Hash, NsId};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const ROW: Row = Row {
    id: "KR01",
    title: "Tries something around a rotation or a reset of a member's keys",
    tries: &[
        Try::detected::<Tampered<Withheld>>("the rotation is withheld, and a write under the new keys shown", Code::Rollback),
        Try::detected::<Forged<Rotation<SAME>>>("a rotation to the bundle that is in use already", Code::Authority),
        Try::detected::<Forged<Rotation<OTHERS>>>("a rotation to somebody else's bundle", Code::KeySubst),
        Try::detected::<Forged<Rotation<UNSIGNED>>>("a rotation to keys of the server's, which the member did not sign", Code::Sig),
        Try::detected::<Forged<Rotation<REPLACED>>>("a rotation signed by keys that were replaced before", Code::Authority),
        Try::detected::<Forged<Rotation<FEWER_WRAPS>>>("a rotation that leaves one key unwrapped", Code::Wrap),
        Try::detected::<OlderAccount<true>>("account data from before the rotation, to a device that has seen it", Code::Rollback),
        Try::detected::<OlderAccount<false>>("account data from before the rotation, to a new device", Code::KeySubst),
        Try::detected::<EarlierWraps>("the wraps of earlier keys in the place of those that the rotation signed", Code::Wrap),
        Try::detected::<WithoutReset>("a chain without the reset, to the member who returns after it", Code::Fork),
    ],
};

/// Ada replaces her keys, and goes on working with the new ones.
async fn rotate(scene: &mut Scene) {
    let ada = &mut scene.ada;
    // Her vault has the lock.
    ada.vault = None;
    let rotation = ada.account.rotate_keys(&ada.state, false).await.expect("new keys");
    assert_eq!((rotation.rotated.len(), rotation.failed.len()), (1, 0));
    let org = ada.account.organizations()[0];
    ada.vault = Some(ada.account.open(org, &ada.state).await.expect("the organization, with the new keys"));
}

struct Withheld;

impl Tamper for Withheld {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        scene.bob.read_all(&production).await.expect("Bob knows Ada's keys");
        rotate(scene).await;
        scene.ada.write(&production, CANARY).await.expect("a write with the new keys");
    }

    fn tamper(_: &NsId, answer: &mut v1::ReadChangesResponse) {
        answer.links.retain(|signed| Link::from_bytes(&signed.payload).expect("a link").kind != KEY_ROTATE);
    }
}

/// The type of a rotation.
const KEY_ROTATE: u8 = 6;

const SAME: u8 = 1;
const OTHERS: u8 = 2;
const UNSIGNED: u8 = 3;
const REPLACED: u8 = 4;
const FEWER_WRAPS: u8 = 5;

/// A rotation of Ada's that breaks one rule; the control is one that breaks none.
struct Rotation<const HOW: u8> {
    before: Arc<Identity>,
}

impl<const HOW: u8> Forgery for Rotation<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        let before = forge::keys_of(scene.ada.account.identity());
        if HOW == REPLACED {
            rotate(scene).await;
        }
        Self { before }
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let ada = scene.ada.account.identity();
        let (chain, rng) = (scene.chain(), &mut forge::rng());
        let last = chain.head().chain().expect("a chain").last_ts_ms;
        let next = ada.next(last, rng);
        let bundle = match HOW {
            SAME if forged => ada.signed_bundle().clone(),
            OTHERS if forged => scene.bob.account.identity().next(last, rng).signed_bundle().clone(),
            _ => next.signed_bundle().clone(),
        };
        let state = chain.head();
        let reads = |ns: &NsId| state.access(ns, &ada.id()).is_some_and(|access| access.permissions & permission::READ != 0);
        let wraps = state.held_by(&ada.id()).into_iter().filter(reads);
        let wraps = wraps.map(|ns_id| WrapRef { ns_id, epoch: state.ns(&ns_id).expect("it is there").epoch, wrap_hash: Hash([5; 32]) });
        let mut wraps: Vec<WrapRef> = wraps.collect();
        if forged && HOW == FEWER_WRAPS {
            wraps.pop();
        }
        // She writes everywhere: every head is fenced.
        let fences = scene.ada.vault.as_ref().expect("a member").verified().manifests;
        let body = Body::KeyRotate(KeyRotate { bundle, wraps, fences, compromised: false });
        match HOW {
            UNSIGNED if forged => {
                let link = forge::unsigned(ada, chain, &body);
                forge::statement(&next.sign(Domain::OrgLink, link.to_bytes()))
            }
            REPLACED if forged => forge::link(&self.before, chain, &body),
            _ => forge::link(ada, chain, &body),
        }
    }
}

/// `SEEN`: the device remembers which account data there is; else it has nothing but its key.
struct OlderAccount<const SEEN: bool> {
    before: v1::ReadAccountResponse,
    pins: StateDir,
    state: StateDir,
}

impl<const SEEN: bool> Attack for OlderAccount<SEEN> {
    async fn prepare(scene: &mut Scene) -> Self {
        let read = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&read);
        scene.server.answers::<ReadAccount>(Audience::Everybody, move |_, answer| *heard.lock().expect("one at a time") = Some(answer.clone()));
        scene.client().unlock_device(&scene.ada.device, None).await.expect("the account as it is");
        scene.server.repent();
        let before = read.lock().expect("one at a time").take().expect("account data");
        rotate(scene).await;
        let pins = scene.empty_state();
        scene.ada.account.pin(&pins).expect("a pin");
        Self { before, pins, state: scene.empty_state() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.ada.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let before = self.before.clone();
        scene.server.answers::<ReadAccount>(audience, move |_, answer| answer.clone_from(&before));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let account = scene.client().unlock_device(&scene.ada.device, SEEN.then_some(&self.pins)).await?;
        account.open(account.organizations()[0], &self.state).await?.read_all(&scene.production).map(|_| ())
    }
}

/// Ada's new machine is delivered what was wrapped to her first keys.
struct EarlierWraps {
    earlier: BTreeMap<NsId, Bytes>,
    state: StateDir,
}

impl Attack for EarlierWraps {
    async fn prepare(scene: &mut Scene) -> Self {
        let own = scene.ada.account.identity().id();
        let wraps = forge::batches(&scene.server.calls()).flat_map(|batch| batch.wraps).collect::<Vec<_>>();
        let wraps = wraps.into_iter().map(|record| (Wrap::from_bytes(&record).expect("a wrap"), record));
        let mut earlier: BTreeMap<NsId, Bytes> =
            wraps.filter(|(wrap, _)| wrap.recipient_id == own).map(|(wrap, record)| (wrap.ns_id, record)).collect();
        earlier.retain(|ns_id, _| *ns_id == scene.production);
        assert_eq!(earlier.len(), 1);
        rotate(scene).await;
        Self { earlier, state: scene.empty_state() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.ada.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let earlier = self.earlier.clone();
        let own = scene.ada.account.identity().id();
        scene.server.answers::<ReadChanges>(audience, move |_, answer| {
            for delivered in &mut answer.wraps {
                let wrap = Wrap::from_bytes(&delivered.record).expect("a wrap");
                if let Some(record) = earlier.get(&wrap.ns_id).filter(|_| wrap.recipient_id == own) {
                    delivered.record = record.clone();
                }
            }
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let account = scene.client().unlock_device(&scene.ada.device, None).await?;
        account.open(account.organizations()[0], &self.state).await?.read_all(&scene.production).map(|_| ())
    }
}

/// A member lost every key; Ada has reset them, and gave the member a code by which to return.
struct WithoutReset {
    guest: Person,
    account: Account,
    code: ReturnCode,
    state: StateDir,
}

impl Attack for WithoutReset {
    async fn prepare(scene: &mut Scene) -> Self {
        let guest = scene.newcomer(role::MEMBER, &[(scene.production, permission::READ)]).await;
        let id = guest.account.identity().id();
        let new = scene.client().sign_up_again("again@example.com", PASSWORD, id).await.expect("another account");
        let keys = NewKeys::parse(&new.account.keys_code()).expect("its keys");
        let reset = scene.ada.vault().reset_member(&keys).await.expect("a reset");
        Self { guest, account: new.account, code: reset.code, state: scene.empty_state() }
    }

    fn victim(&self, _: &Scene) -> Who {
        Who::Account(self.account.id())
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let reset = self.code.seq;
        let earlier = move |signed: &v1::SignedStatement| Link::from_bytes(&signed.payload).expect("a link").seq < reset;
        scene.server.answers::<ReadStart>(audience, |_, answer| *answer = v1::ReadStartResponse::default());
        scene.server.answers::<ReadChain>(audience, move |_, answer| answer.links.retain(earlier));
        scene.server.answers::<ReadChanges>(audience, move |_, answer| {
            answer.links.retain(earlier);
            (answer.next_seq, answer.namespaces, answer.wraps) = (reset, vec![], vec![]);
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        assert_ne!(self.guest.account.id(), self.account.id());
        self.account.enter_again(&self.code, &self.state).await.map(|_| ())
    }
}
