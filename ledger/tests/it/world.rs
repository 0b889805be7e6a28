//! A small organization to try links on: real Ed25519 identities, everything drawn from labels, so that it is the same each time.
//!
//! What tests say is `world.accepts(&person, link)` and `world.refuses(code, &person, link)`. Wraps and seals are only bytes here: the ledger
//! never opens them.

use crate::people::{Person, bytes, id};
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{
    Access, Applied, Body, Checkpoint, Genesis, Head, Intended, Invite, InviteRevoke, KeyReset, KeyRotate, Link, MemberAdd, MemberJoin,
    MemberRemove, MemberSet, NamespaceCreate, NamespaceEpoch, NamespaceSet, Policy, Questions, Replica, Seal, WrapRef, WrapSet, apply,
    class, invite_key_id, join_statement, org_id_of, permission, role, verified,
};
use keyvawlt_ledger::manifest::{Leaf, Leaves, ManifestTip};
use keyvawlt_ledger::merkle::{Tree, empty_root};
use keyvawlt_ledger::{Code, Domain, FORMAT, Fault, Hash, IdentityId, InviteId, NsId, OrgId, SecretId, Signed};
use std::collections::{BTreeMap, BTreeSet};

/// When the organization begins.
pub const START: u64 = 1_790_000_000_000;
pub const MINUTE: u64 = 60_000;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

pub const READ: u8 = permission::READ;
pub const WRITE: u8 = permission::READ | permission::WRITE;
pub const MANAGE: u8 = permission::MANAGE;
pub const ALL: u8 = WRITE | MANAGE;

/// One namespace's manifest, as a client holds it.
#[derive(Clone)]
pub struct Manifest {
    pub tip: ManifestTip,
    pub leaves: BTreeMap<SecretId, Leaf>,
    pub tree: Tree,
    pub links: Vec<Signed>,
}

impl Leaves for Manifest {
    fn leaf(&self, id: &SecretId) -> Option<Leaf> {
        self.leaves.get(id).cloned()
    }
}

#[derive(Clone)]
pub struct World {
    pub replica: Replica,
    pub links: Vec<Signed>,
    pub manifests: BTreeMap<NsId, Manifest>,
    /// Everybody's clock; also the time stamps of new links.
    pub now: u64,
    /// Olga, who made it.
    pub owner: Person,
    pub directory: NsId,
}

impl World {
    /// Olga's organization: genesis and directory.
    pub fn begins() -> Self {
        Self::begins_with(&policy())
    }

    pub fn begins_with(policy: &Policy) -> Self {
        let owner = Person::named("olga");
        let (signed, org_id) = genesis(&owner, policy, START);
        let mut world = Self {
            replica: Replica::new(org_id),
            links: vec![],
            manifests: BTreeMap::new(),
            now: START,
            owner: owner.clone(),
            directory: NsId(id("directory")),
        };
        world.takes(&signed).expect("the genesis is accepted");
        let directory = NamespaceCreate { ns_id: world.directory, ..world.root(class::DIRECTORY) };
        world.accepts(&owner, directory);
        world
    }

    pub fn org_id(&self) -> OrgId {
        self.replica.tip().org_id
    }

    pub fn waits(&mut self, ms: u64) {
        self.now += ms;
    }

    // Links

    /// The next link as its author would write it now.
    pub fn link(&self, author: &Person, body: &Body) -> Link {
        let tip = self.replica.tip();
        Link {
            v: FORMAT,
            org_id: tip.org_id,
            seq: tip.next_seq(),
            history: tip.history.root(),
            kind: body.kind(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms: self.now,
            body: body.to_value(),
            seen: vec![],
        }
    }

    pub fn signs(&self, author: &Person, body: &Body) -> Signed {
        sign(author, &self.link(author, body))
    }

    /// Verifies a signed link and takes it in; a refused one changes nothing.
    pub fn takes(&mut self, signed: &Signed) -> Result<Applied, Fault> {
        let applied = self.replica.append(signed, self.now)?;
        self.links.push(signed.clone());
        if let Body::NamespaceCreate(body) = &applied.body {
            let tip = ManifestTip::before_first(applied.link.org_id, body.ns_id, applied.hash);
            let manifest = Manifest { tip, leaves: BTreeMap::new(), tree: Tree::default(), links: vec![] };
            self.manifests.insert(body.ns_id, manifest);
        }
        Ok(applied)
    }

    pub fn accepts(&mut self, author: &Person, body: impl Into<Say>) -> Applied {
        let body = body.into().0;
        let signed = self.signs(author, &body);
        match self.takes(&signed) {
            Ok(applied) => applied,
            Err(fault) => panic!("{}'s link {body:?} was refused: {fault}", author.name),
        }
    }

    #[track_caller]
    pub fn refuses(&self, code: Code, author: &Person, body: impl Into<Say>) {
        let body = body.into().0;
        self.refuses_link(code, author, &self.link(author, &body));
    }

    #[track_caller]
    pub fn refuses_link(&self, code: Code, author: &Person, link: &Link) {
        self.refuses_signed(code, &sign(author, link));
    }

    #[track_caller]
    pub fn refuses_signed(&self, code: Code, signed: &Signed) {
        match apply(&self.replica.head(), self.replica.tip(), signed, self.now) {
            Ok(applied) => panic!("accepted: {:?}", applied.body),
            Err(fault) => assert_eq!(fault.code, code, "{fault}"),
        }
    }

    // People

    /// Adds somebody new, by Olga.
    pub fn adds(&mut self, name: &str, member_role: u8) -> Person {
        let person = if member_role == role::MACHINE {
            Person::machine(name)
        } else if member_role == role::RECOVERY {
            Person::recovery(name)
        } else {
            Person::named(name)
        };
        let owner = self.owner.clone();
        self.accepts(&owner, self.member(&person, member_role));
        person
    }

    pub fn member(&self, person: &Person, member_role: u8) -> MemberAdd {
        let expires_ms = if member_role == role::MACHINE { self.now + 90 * DAY } else { 0 };
        MemberAdd { bundle: person.bundle.clone(), role: member_role, expires_ms, verified: verified::WORDS }
    }

    pub fn setting(&self, person: &Person) -> MemberSet {
        let member = self.replica.head().member(&person.id).expect("a member");
        MemberSet { identity_id: person.id, role: member.role, expires_ms: member.expires_ms, confirm: false, fences: vec![] }
    }

    pub fn removal(&self, person: &Person) -> MemberRemove {
        MemberRemove { identity_id: person.id, fences: self.fences_of(person), abandon: false }
    }

    pub fn rotation(&self, person: &Person, next: &Person) -> KeyRotate {
        let head = self.replica.head();
        let reads =
            head.held_by(&person.id).into_iter().filter(|ns| head.access(ns, &person.id).is_some_and(|a| a.permissions & READ != 0));
        let wraps = reads.map(|ns| self.wrap(&ns)).collect();
        KeyRotate { bundle: next.bundle.clone(), wraps, fences: self.fences_of(person), compromised: false }
    }

    pub fn reset(&self, person: &Person, next: &Person) -> KeyReset {
        KeyReset {
            identity_id: person.id,
            bundle: next.bundle.clone(),
            verified: verified::WORDS,
            fences: self.fences_of(person),
            abandon: false,
        }
    }

    // Invites

    /// An invite for a person to the directory, or for a machine to nothing yet.
    pub fn invite(&self, label: &str, invited: u8) -> Invite {
        let keys = Person::named(label);
        let machine = invited == role::MACHINE;
        let directory = Intended { ns_id: self.directory, permissions: READ, expires_ms: 0 };
        Invite {
            invite_id: InviteId(id(label)),
            sign_pk: keys.sign.verifying_key().to_bytes(),
            auth_pk: keys.auth.verifying_key().to_bytes(),
            kem_pk: keys.kem_pk,
            role: invited,
            access: if machine { vec![] } else { vec![directory] },
            expires_ms: self.now + 2 * DAY,
            member_expires_ms: if machine { self.now + 90 * DAY } else { 0 },
            mailed: false,
            prewraps: if machine { vec![] } else { vec![self.wrap(&self.directory)] },
        }
    }

    /// The invite with access to one more namespace, and its key if it is to be carried.
    pub fn invite_to(&self, label: &str, invited: u8, ns: &NsId, permissions: u8, carry: bool) -> Invite {
        let mut invite = self.invite(label, invited);
        invite.access.push(Intended { ns_id: *ns, permissions, expires_ms: 0 });
        if carry {
            invite.prewraps.push(self.wrap(ns));
        }
        invite
    }

    /// The join of `newcomer` by the invite of this label, realizing the keys it still carries.
    pub fn join(&self, label: &str, newcomer: &Person) -> MemberJoin {
        let head = self.replica.head();
        let invite_id = InviteId(id(label));
        let carried = head.invite(&invite_id).map(|invite| invite.prewraps).unwrap_or_default();
        let current = carried.iter().filter(|wrap| head.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch));
        let statement = join_statement(&self.org_id(), &invite_id, &newcomer.key_id);
        MemberJoin {
            bundle: newcomer.bundle.clone(),
            invite_id,
            join_sig: Signed::make(&Person::named(label).sign, Domain::InviteJoin, statement).sig,
            wraps: current.map(|wrap| self.wrap(&wrap.ns_id)).collect(),
        }
    }

    pub fn revocation(label: &str) -> InviteRevoke {
        InviteRevoke { invite_id: InviteId(id(label)) }
    }

    // Namespaces

    pub fn environment(&mut self, name: &str, of_class: u8) -> NsId {
        let owner = self.owner.clone();
        let ns_id = NsId(id(name));
        self.accepts(&owner, NamespaceCreate { ns_id, ..self.root(of_class) });
        ns_id
    }

    pub fn folder(&mut self, name: &str, parent: &NsId) -> NsId {
        let owner = self.owner.clone();
        let ns_id = NsId(id(name));
        self.accepts(&owner, NamespaceCreate { ns_id, ..self.child(parent) });
        ns_id
    }

    pub fn root(&self, of_class: u8) -> NamespaceCreate {
        let label = format!("namespace {}", self.links.len());
        NamespaceCreate {
            ns_id: NsId(id(&label)),
            parent: None,
            class: of_class,
            nk_commit: Hash(bytes(&label)),
            parent_seal: None,
            wraps: WrapSet { root: Hash(bytes("wraps")), count: 1 },
            names: seal(1),
        }
    }

    pub fn child(&self, parent: &NsId) -> NamespaceCreate {
        let above = self.replica.head().ns(parent).expect("a parent");
        NamespaceCreate {
            parent: Some(*parent),
            parent_seal: Some(seal(above.epoch)),
            wraps: WrapSet { root: empty_root(), count: 0 },
            ..self.root(above.class)
        }
    }

    pub fn change(ns: &NsId) -> NamespaceSet {
        NamespaceSet { ns_id: *ns, archived: None, names: None, class: None }
    }

    pub fn epoch(&self, ns_id: &NsId) -> NamespaceEpoch {
        let head = self.replica.head();
        let ns = head.ns(ns_id).expect("a namespace");
        NamespaceEpoch {
            ns_id: *ns_id,
            epoch: ns.epoch + 1,
            nk_commit: Hash(bytes(&format!("{ns_id} {}", ns.epoch + 1))),
            previous: seal(ns.epoch),
            parent_seal: ns.parent.map(|parent| seal(head.ns(&parent).expect("a parent").epoch)),
            wraps: WrapSet { root: Hash(bytes("wraps")), count: head.direct_readers(ns_id, self.now).len() as u64 },
            fence: self.head(ns_id),
            reason: 1,
        }
    }

    /// Gives access with a wrap where read is new, sets fences where write is lost.
    pub fn access(&self, ns: &NsId, person: &Person, permissions: u8) -> Access {
        let old = self.replica.head().access(ns, &person.id).map_or(0, |access| access.permissions);
        let loses_write = old & !permissions & permission::WRITE != 0;
        Access {
            ns_id: *ns,
            identity_id: person.id,
            permissions,
            expires_ms: 0,
            wrap: (permissions & !old & READ != 0).then(|| Hash(bytes("wrap"))),
            fences: if loses_write { self.family_heads(ns) } else { vec![] },
            abandon: false,
        }
    }

    pub fn gives(&mut self, ns: &NsId, person: &Person, permissions: u8) {
        let owner = self.owner.clone();
        self.accepts(&owner, self.access(ns, person, permissions));
    }

    pub fn gives_until(&mut self, ns: &NsId, person: &Person, permissions: u8, expires_ms: u64) {
        let owner = self.owner.clone();
        self.accepts(&owner, Access { expires_ms, ..self.access(ns, person, permissions) });
    }

    pub fn checkpoint(&self) -> Checkpoint {
        use keyvawlt_ledger::chain::View;
        Checkpoint { state_hash: Some(self.replica.head().state_hash()) }
    }

    // What is

    pub fn head(&self, ns: &NsId) -> Head {
        let tip = &self.manifests[ns].tip;
        Head { ns_id: *ns, mseq: tip.mseq, mhash: tip.mhash }
    }

    pub fn family_heads(&self, ns: &NsId) -> Vec<Head> {
        self.replica.head().family(ns).iter().map(|ns| self.head(ns)).collect()
    }

    /// The heads of all namespaces where somebody may write.
    pub fn fences_of(&self, person: &Person) -> Vec<Head> {
        let head = self.replica.head();
        let writes = |ns: &NsId| head.access(ns, &person.id).is_some_and(|access| access.permissions & permission::WRITE != 0);
        let families: BTreeSet<NsId> = head.held_by(&person.id).into_iter().filter(writes).flat_map(|ns| head.family(&ns)).collect();
        families.iter().map(|ns| self.head(ns)).collect()
    }

    pub fn owes(&self, ns: &NsId) -> bool {
        self.replica.head().is_owed(ns, self.now)
    }

    pub fn may(&self, person: &Person, ns: &NsId) -> u8 {
        self.replica.head().permissions(ns, &person.id, self.now)
    }

    fn wrap(&self, ns: &NsId) -> WrapRef {
        let epoch = self.replica.head().ns(ns).expect("a namespace").epoch;
        WrapRef { ns_id: *ns, epoch, wrap_hash: Hash(bytes("wrap")) }
    }
}

/// Anything a link can say.
pub struct Say(pub Body);

macro_rules! says {
    ($($name:ident)+) => {$(
        impl From<$name> for Say {
            fn from(body: $name) -> Self {
                Say(Body::$name(body))
            }
        }
    )+};
}
use keyvawlt_ledger::chain::PolicySet;
says! { Genesis MemberAdd MemberJoin MemberSet MemberRemove KeyRotate KeyReset Invite InviteRevoke NamespaceCreate NamespaceSet NamespaceEpoch Access PolicySet Checkpoint }

impl From<Body> for Say {
    fn from(body: Body) -> Self {
        Say(body)
    }
}

pub fn sign(author: &Person, link: &Link) -> Signed {
    Signed::make(&author.sign, Domain::OrgLink, link.to_bytes())
}

pub fn policy() -> Policy {
    Policy {
        min_suite: 1,
        require_admin_confirm: false,
        allow_unverified: false,
        machine_single_class: true,
        max_staleness_ms: None,
        origins: vec!["https://vault.example:443".to_owned()],
        log_key: None,
        witnesses: vec![],
    }
}

/// A genesis and the organization it makes.
pub fn genesis(owner: &Person, policy: &Policy, ts_ms: u64) -> (Signed, OrgId) {
    let body = Body::Genesis(Genesis { bundle: owner.bundle.clone(), policy: policy.clone(), nonce: bytes("nonce") });
    let link = |org_id| Link {
        v: FORMAT,
        org_id,
        seq: 0,
        history: empty_root(),
        kind: 1,
        author_id: owner.id,
        author_key_id: owner.key_id,
        ts_ms,
        body: body.to_value(),
        seen: vec![],
    };
    let org_id = org_id_of(&link(OrgId([0; 32])).to_bytes()).expect("a genesis payload");
    (sign(owner, &link(org_id)), org_id)
}

pub fn seal(epoch: u64) -> Seal {
    Seal { epoch, sealed: Blob(bytes::<108>("sealed").to_vec()) }
}

/// The recipient id and key id of an invite's pre-wraps.
pub fn invite_recipient(invite: &Invite) -> (IdentityId, keyvawlt_ledger::KeyId) {
    (IdentityId(invite.invite_id.0), invite_key_id(&invite.sign_pk, &invite.auth_pk, &invite.kem_pk))
}
