//! The client's side of the tests: real signatures over the real formats; wraps and seals are only bytes, which the server never opens.

use super::person::{Person, bytes};
use crate::Result;
use crate::namespaces::{Changes, ReadChanges};
use crate::organizations::{Batch, Object};
use crate::scratch::NOW;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::{Blob, Canon as _};
use keyvawlt_ledger::chain::{
    Access, Body, Genesis, Head, Link, MemberAdd, MemberRemove, NamespaceCreate, NamespaceEpoch, Policy, Questions as _, Replica, Seal,
    WrapSet, class, org_id_of, role, verified,
};
use keyvawlt_ledger::manifest::{Anchor, Anchored, Leaf, Leaves, ManifestLink, ManifestTip, ObjectKind, object_hash, verify};
use keyvawlt_ledger::merkle::{Tree, empty_root};
use keyvawlt_ledger::wrap::{CT_LEN, ENC_LEN, Wrap, root, verify_in_root};
use keyvawlt_ledger::{Domain, Hash, IdentityId, KeyId, NsId, OrgId, SecretId, Signed, facts};
use std::collections::BTreeMap;

const YEAR: u64 = 365 * 24 * 3600 * 1000;

pub(super) fn ns(name: &str) -> NsId {
    NsId(bytes(name))
}

pub(super) fn secret(name: &str) -> SecretId {
    SecretId(bytes(name))
}

pub(super) fn object(ns_id: NsId, name: &str, version: u64, kind: ObjectKind) -> Object {
    let data = match kind {
        ObjectKind::Facts => facts::none(),
        ObjectKind::Name => bytes::<150>(&format!("{name} name")).to_vec(),
        kind => bytes::<112>(&format!("{name} {version} {kind:?}")).to_vec(),
    };
    Object { ns_id, secret_id: secret(name), version, kind, data }
}

/// A batch being put together.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) links: Vec<Signed>,
    pub(super) manifest_links: Vec<Signed>,
    pub(super) wraps: Vec<Vec<u8>>,
    pub(super) objects: Vec<Object>,
}

impl Draft {
    pub(super) fn batch(self) -> Result<Batch> {
        Batch::decode(self.links, self.manifest_links, &self.wraps, self.objects)
    }
}

#[derive(Clone)]
struct Manifest {
    tip: ManifestTip,
    tree: Tree,
    leaves: BTreeMap<SecretId, Leaf>,
}

impl Leaves for Manifest {
    fn leaf(&self, id: &SecretId) -> Option<Leaf> {
        self.leaves.get(id).cloned()
    }
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) replica: Replica,
    pub(super) owner: Person,
    pub(super) now: u64,
    nonce: u8,
    manifests: BTreeMap<NsId, Manifest>,
}

impl World {
    pub(super) fn begins() -> Self {
        Self::begins_with(8)
    }

    /// Each nonce makes an organization of its own.
    pub(super) fn begins_with(nonce: u8) -> Self {
        let owner = Person::named("olga");
        let link = genesis(&owner, OrgId([0; 32]), nonce);
        let org = org_id_of(&link.to_bytes()).unwrap();
        Self { replica: Replica::new(org), owner, now: NOW, nonce, manifests: BTreeMap::new() }
    }

    /// Somebody who knows nothing but the organization's id.
    pub(super) fn reader(of: &World) -> Self {
        Self { replica: Replica::new(of.org()), owner: of.owner.clone(), now: of.now, nonce: of.nonce, manifests: BTreeMap::new() }
    }

    pub(super) fn org(&self) -> OrgId {
        self.replica.tip().org_id
    }

    pub(super) fn head(&self, name: &str) -> Head {
        let tip = &self.manifests[&ns(name)].tip;
        Head { ns_id: ns(name), mseq: tip.mseq, mhash: tip.mhash }
    }

    pub(super) fn cold(&self, name: &str) -> ReadChanges {
        ReadChanges { org: self.org(), from_seq: 0, held: vec![(ns(name), 0)], all_wraps: true, page_bytes: 1 << 20 }
    }

    pub(super) fn warm(&self, name: &str) -> ReadChanges {
        let held = self.manifests.get(&ns(name)).map_or(0, |manifest| manifest.tip.mseq);
        let from_seq = self.replica.tip().next_seq();
        ReadChanges { from_seq, held: vec![(ns(name), held)], all_wraps: false, ..self.cold(name) }
    }

    pub(super) fn genesis(&mut self) -> Draft {
        let mut draft = Draft::default();
        let signed = Signed::make(&self.owner.sign, Domain::OrgLink, genesis(&self.owner, self.org(), self.nonce).to_bytes());
        self.append(&signed);
        draft.links.push(signed);
        self.root(&mut draft, "directory", class::DIRECTORY);
        draft
    }

    pub(super) fn environment(&mut self, draft: &mut Draft, name: &str) {
        self.root(draft, name, class::PRODUCTION);
    }

    fn root(&mut self, draft: &mut Draft, name: &str, of_class: u8) {
        let nk_commit = Hash(bytes(&format!("{name} 1")));
        let wrap = self.wrap(ns(name), 1, nk_commit, &(self.owner.id, self.owner.key_id));
        let body = NamespaceCreate {
            ns_id: ns(name),
            parent: None,
            class: of_class,
            nk_commit,
            parent_seal: None,
            wraps: WrapSet { root: root(std::slice::from_ref(&wrap)).unwrap(), count: 1 },
            names: Seal { epoch: 1, sealed: Blob(vec![5; 100]) },
        };
        draft.wraps.push(wrap.to_bytes());
        self.says(draft, &Body::NamespaceCreate(body));
    }

    pub(super) fn adds(&mut self, draft: &mut Draft, person: &Person) {
        self.adds_as(draft, person, role::MACHINE);
    }

    pub(super) fn adds_as(&mut self, draft: &mut Draft, person: &Person, as_role: u8) {
        let expires_ms = if person.kind == kind::MACHINE { NOW + YEAR } else { 0 };
        let body = MemberAdd { bundle: person.bundle.clone(), role: as_role, expires_ms, verified: verified::WORDS };
        self.says(draft, &Body::MemberAdd(body));
    }

    pub(super) fn gives(&mut self, draft: &mut Draft, name: &str, person: &Person, permissions: u8) {
        let entry = self.replica.head().ns(&ns(name)).unwrap();
        let wrap = self.wrap(ns(name), entry.epoch, entry.nk_commit, &(person.id, person.key_id));
        let body = Access {
            ns_id: ns(name),
            identity_id: person.id,
            permissions,
            expires_ms: 0,
            wrap: Some(wrap.hash()),
            fences: vec![],
            abandon: false,
        };
        draft.wraps.push(wrap.to_bytes());
        self.says(draft, &Body::Access(body));
    }

    pub(super) fn removes(&mut self, draft: &mut Draft, person: &Person) {
        self.says(draft, &Body::MemberRemove(MemberRemove { identity_id: person.id, fences: vec![], abandon: false }));
    }

    /// A new key, wrapped for all who read.
    pub(super) fn renews(&mut self, draft: &mut Draft, name: &str) {
        let head = self.replica.head();
        let entry = head.ns(&ns(name)).unwrap();
        let (epoch, nk_commit) = (entry.epoch + 1, Hash(bytes(&format!("{name} {}", entry.epoch + 1))));
        let readers = head.direct_readers(&ns(name), self.now).into_iter().map(|id| (id, head.member(&id).unwrap().key_id));
        let wraps: Vec<Wrap> = readers.map(|reader| self.wrap(ns(name), epoch, nk_commit, &reader)).collect();
        let body = NamespaceEpoch {
            ns_id: ns(name),
            epoch,
            nk_commit,
            previous: Seal { epoch: entry.epoch, sealed: Blob(vec![6; 112]) },
            parent_seal: None,
            wraps: WrapSet { root: root(&wraps).unwrap(), count: wraps.len() as u64 },
            fence: self.head(name),
            reason: 2,
        };
        draft.wraps.extend(wraps.iter().map(Wrap::to_bytes));
        self.says(draft, &Body::NamespaceEpoch(body));
    }

    pub(super) fn writes(&mut self, draft: &mut Draft, name: &str, secrets: &[&str]) {
        let signed = self.manifest_link(draft, name, secrets);
        self.verify(&signed);
        draft.manifest_links.push(signed);
    }

    /// Without looking whether it may.
    pub(super) fn writes_badly(&mut self, draft: &mut Draft, name: &str, secrets: &[&str]) {
        let signed = self.manifest_link(draft, name, secrets);
        draft.manifest_links.push(signed);
    }

    fn manifest_link(&self, draft: &mut Draft, name: &str, secrets: &[&str]) -> Signed {
        let manifest = &self.manifests[&ns(name)];
        let epoch = self.replica.head().ns(&ns(name)).unwrap().epoch;
        let (mut tree, mut count) = (manifest.tree.clone(), manifest.tip.count);
        let mut ops = Vec::new();
        for secret_name in secrets {
            let before = manifest.leaf(&secret(secret_name));
            let version = before.as_ref().map_or(1, |leaf| leaf.version + 1);
            let hash = |kind| object_hash(kind, &object(ns(name), secret_name, version, kind).data);
            let leaf = Leaf {
                index: before.as_ref().map_or(count, |leaf| leaf.index),
                secret_id: secret(secret_name),
                version,
                epoch,
                flags: 0,
                mseq: manifest.tip.mseq + 1,
                payload_hash: hash(ObjectKind::Payload),
                dek_hash: hash(ObjectKind::Dek),
                name_hash: hash(ObjectKind::Name),
                facts_hash: hash(ObjectKind::Facts),
            };
            let new = if before.is_some() { vec![] } else { vec![ObjectKind::Name] };
            for kind in [ObjectKind::Payload, ObjectKind::Dek].into_iter().chain(new) {
                draft.objects.push(object(ns(name), secret_name, version, kind));
            }
            if before.is_some() {
                tree.set(leaf.index, leaf.tree_hash()).unwrap();
            } else {
                tree.push(leaf.tree_hash());
                count += 1;
            }
            ops.push(leaf);
        }
        let link = ManifestLink {
            v: 1,
            org_id: self.org(),
            ns_id: ns(name),
            mseq: manifest.tip.mseq + 1,
            history: manifest.tip.history.root(),
            author_id: self.owner.id,
            author_key_id: self.owner.key_id,
            ts_ms: self.now,
            anchor: Anchor { seq: self.replica.tip().next_seq() - 1, link_hash: self.replica.tip().link_hash },
            epoch,
            ops,
            root: tree.root(),
            count,
            with: vec![],
        };
        Signed::make(&self.owner.sign, Domain::Manifest, link.to_bytes())
    }

    pub(super) fn says(&mut self, draft: &mut Draft, body: &Body) {
        let signed = self.link_by(&self.owner, body);
        self.append(&signed);
        draft.links.push(signed);
    }

    pub(super) fn says_unchecked(&mut self, draft: &mut Draft, body: &Body) {
        draft.links.push(self.link_by(&self.owner, body));
    }

    pub(super) fn spare_wrap(&self, name: &str) -> Vec<u8> {
        let entry = self.replica.head().ns(&ns(name)).unwrap();
        self.wrap(ns(name), entry.epoch, entry.nk_commit, &(self.owner.id, self.owner.key_id)).to_bytes()
    }

    pub(super) fn link_by(&self, author: &Person, body: &Body) -> Signed {
        let tip = self.replica.tip();
        let link = Link {
            v: 1,
            org_id: tip.org_id,
            seq: tip.next_seq(),
            history: tip.history.root(),
            kind: body.kind(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms: self.now,
            body: body.to_value(),
            seen: vec![],
        };
        Signed::make(&author.sign, Domain::OrgLink, link.to_bytes())
    }

    pub(super) fn append(&mut self, signed: &Signed) {
        let applied = self.replica.append(signed, self.now).unwrap();
        if let Body::NamespaceCreate(body) = &applied.body {
            let tip = ManifestTip::before_first(self.org(), body.ns_id, applied.hash);
            self.manifests.insert(body.ns_id, Manifest { tip, tree: Tree::default(), leaves: BTreeMap::new() });
        }
    }

    fn verify(&mut self, signed: &Signed) {
        let link = ManifestLink::from_bytes(signed.payload()).unwrap();
        let state = self.replica.at(link.anchor.seq).unwrap();
        let (link_hash, ts_ms) = self.replica.link(link.anchor.seq).unwrap();
        let fences = self.replica.fences(&link.ns_id);
        let anchored = Anchored { state: &state, link_hash, ts_ms, fences };
        let manifest = self.manifests.get_mut(&link.ns_id).unwrap();
        let mut tree = manifest.tree.clone();
        let applied = verify(&anchored, &manifest.tip, manifest, &mut tree, signed, self.now).unwrap();
        for leaf in applied.link.ops {
            manifest.leaves.insert(leaf.secret_id, leaf);
        }
        (manifest.tip, manifest.tree) = (applied.tip, tree);
    }

    /// Signs as somebody else for a while.
    pub(super) fn acting<T>(&mut self, author: &Person, does: impl FnOnce(&mut Self) -> T) -> T {
        let owner = std::mem::replace(&mut self.owner, author.clone());
        let done = does(self);
        self.owner = owner;
        done
    }

    /// Verifies everything of an answer, as a client does.
    pub(super) fn takes(&mut self, changes: &Changes) {
        for (payload, sig) in &changes.links {
            self.append(&Signed::from_parts(payload, sig).unwrap());
        }
        for changed in &changes.namespaces {
            for (payload, sig) in &changed.news.links {
                self.verify(&Signed::from_parts(payload, sig).unwrap());
            }
            for object in &changed.news.objects {
                let leaf = &self.manifests[&changed.ns].leaves[&object.secret];
                assert_eq!(object_hash(object.kind, &object.data), leaf.hash_of(object.kind));
            }
        }
        for delivered in &changes.wraps {
            let wrap = Wrap::from_bytes(&delivered.record).unwrap();
            let (entry, access) = (self.replica.head().ns(&wrap.ns_id), self.replica.head().access(&wrap.ns_id, &wrap.recipient_id));
            if let Some(granted) = access.unwrap().wrap {
                assert_eq!(granted.wrap_hash, wrap.hash());
            } else {
                let set = entry.unwrap().wraps;
                verify_in_root(wrap.hash(), delivered.index, delivered.count, &delivered.path, &set.root).unwrap();
            }
        }
    }

    pub(super) fn wrap(&self, ns_id: NsId, epoch: u64, nk_commit: Hash, recipient: &(IdentityId, KeyId)) -> Wrap {
        Wrap {
            org_id: self.org(),
            ns_id,
            epoch,
            recipient_id: recipient.0,
            recipient_key_id: recipient.1,
            granter_id: self.owner.id,
            granter_key_id: self.owner.key_id,
            nk_commit,
            enc: [3; ENC_LEN],
            ct: [4; CT_LEN],
        }
    }
}

fn genesis(owner: &Person, org_id: OrgId, nonce: u8) -> Link {
    let policy = Policy {
        min_suite: 1,
        require_admin_confirm: false,
        allow_unverified: false,
        machine_single_class: true,
        max_staleness_ms: None,
        origins: vec!["http://127.0.0.1:8420".to_owned()],
        log_key: None,
        witnesses: vec![],
    };
    let body = Body::Genesis(Genesis { bundle: owner.bundle.clone(), policy, nonce: [nonce; 16] });
    Link {
        v: 1,
        org_id,
        seq: 0,
        history: empty_root(),
        kind: 1,
        author_id: owner.id,
        author_key_id: owner.key_id,
        ts_ms: NOW,
        body: body.to_value(),
        seen: vec![],
    }
}
