//! One namespace as this client has verified it: every manifest link from the first, or from a listing on, the leaves they add up to, and the sealed
//! objects.

use crate::error::{Error, Result};
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Head, Questions as _, Replica};
use keyvawlt_ledger::evidence::Continued;
use keyvawlt_ledger::manifest::{Anchored, Leaf, Leaves, Listing, ManifestLink, ManifestTip, ObjectKind, object_hash, verify};
use keyvawlt_ledger::merkle::Tree;
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, NsId, OrgId, SecretId, Signed, row};
use std::collections::{BTreeMap, BTreeSet};

/// The sealed objects of a secret's newest version, and its facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) payload: Vec<u8>,
    pub(crate) dek: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) facts: Vec<u8>,
}

impl Objects {
    /// A live secret's sealed value is not here.
    pub(crate) fn lacks_value(&self, leaf: &Leaf) -> bool {
        !leaf.is_deleted() && (self.payload.is_empty() || self.dek.is_empty())
    }
}

row! {
    /// One version in a secret's history.
    pub struct VersionRow {
        /// The leaf as that link wrote it.
        leaf: Leaf,
        /// When.
        ts_ms: u64,
        /// By whom.
        author: IdentityId,
    }
}

/// Current leaves by secret.
#[derive(Clone, Debug, Default)]
struct LeafMap(BTreeMap<SecretId, Leaf>);

impl Leaves for LeafMap {
    fn leaf(&self, id: &SecretId) -> Option<Leaf> {
        self.0.get(id).cloned()
    }
}

/// Why a manifest link could not be taken in.
pub(crate) enum Stop {
    /// It is anchored before the states this replica knows.
    Replay,
    /// It does not verify.
    Fault(Fault),
    /// What this machine remembers cannot be read.
    Failed(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// A verified namespace.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) tip: ManifestTip,
    tree: Tree,
    leaves: LeafMap,
    objects: BTreeMap<SecretId, Objects>,
    history: BTreeMap<SecretId, Vec<VersionRow>>,
    /// The hashes at the positions that are known: all from that of the link that created the namespace, unless it was first seen listed.
    hashes: BTreeMap<u64, Hash>,
    /// The link at which a listing showed it; 0 where every link was taken in.
    pub(crate) listed: u64,
    /// Listed secrets whose sealed values were not fetched yet.
    lacking: BTreeSet<SecretId>,
    /// The newest link itself, to be shown when another history appears.
    pub(crate) newest: Option<Continued>,
}

impl Space {
    /// Before the first manifest link.
    pub(crate) fn new(org_id: OrgId, ns_id: NsId, create_hash: Hash) -> Self {
        let tip = ManifestTip::before_first(org_id, ns_id, create_hash);
        Self {
            tip,
            tree: Tree::default(),
            leaves: LeafMap::default(),
            objects: BTreeMap::new(),
            history: BTreeMap::new(),
            hashes: BTreeMap::from([(0, create_hash)]),
            listed: 0,
            lacking: BTreeSet::new(),
            newest: None,
        }
    }

    /// As a listing shows it, with the older heads it was shown to contain.
    pub(crate) fn listed(listing: Listing, newest: Continued, secrets: Vec<(Leaf, Objects)>, heads: &[Head]) -> Self {
        let (tip, tree) = listing.into_parts();
        let mut space = Self::new(tip.org_id, tip.ns_id, tip.mhash);
        space.hashes = heads.iter().map(|head| (head.mseq, head.mhash)).chain([(tip.mseq, tip.mhash)]).collect();
        (space.listed, space.newest) = (tip.mseq, Some(newest));
        (space.tip, space.tree) = (tip, tree);
        for (leaf, objects) in secrets {
            if objects.lacks_value(&leaf) {
                space.lacking.insert(leaf.secret_id);
            }
            space.objects.insert(leaf.secret_id, objects);
            space.leaves.0.insert(leaf.secret_id, leaf);
        }
        space
    }

    /// Listed secrets whose sealed values were not fetched yet.
    pub(crate) fn lacking(&self) -> &BTreeSet<SecretId> {
        &self.lacking
    }

    /// Whether the hash at a position that the manifest reaches is not known here: it was listed later, and without that one.
    pub(crate) fn forgot(&self, mseq: u64) -> bool {
        mseq < self.listed && !self.hashes.contains_key(&mseq)
    }

    /// Verifies the next manifest link and takes it in. Comes back with the heads of other namespaces that it belongs with.
    pub(crate) fn append(&mut self, replica: &Replica, signed: &Signed, now_ms: u64) -> Result<Vec<Head>, Stop> {
        let anchor = ManifestLink::from_bytes(signed.payload())?.anchor;
        let Some((link_hash, ts_ms)) = replica.link(anchor.seq) else {
            if anchor.seq < replica.base() {
                return Err(Stop::Replay);
            }
            return Err(Fault::new(Code::Rollback, "a write is anchored in a link the server withholds").into());
        };
        let Some(state) = replica.at(anchor.seq) else { return Err(Stop::Replay) };
        let anchored = Anchored { state: &state, link_hash, ts_ms, fences: replica.fences(&self.tip.ns_id) };
        let applied = verify(&anchored, &self.tip, &self.leaves, &mut self.tree, signed, now_ms)?;
        for leaf in &applied.link.ops {
            let row = VersionRow { leaf: leaf.clone(), ts_ms: applied.link.ts_ms, author: applied.link.author_id };
            let history = self.history.entry(leaf.secret_id).or_default();
            match history.last_mut().filter(|last| last.leaf.version == leaf.version) {
                // New facts of the same version.
                Some(last) => last.leaf = leaf.clone(),
                None => history.push(row),
            }
            // A new version comes with its value.
            if self.leaves.0.get(&leaf.secret_id).is_some_and(|before| before.version != leaf.version) {
                self.lacking.remove(&leaf.secret_id);
            }
            if leaf.is_deleted()
                && let Some(objects) = self.objects.get_mut(&leaf.secret_id)
            {
                (objects.payload, objects.dek) = (vec![], vec![]);
            }
            self.leaves.0.insert(leaf.secret_id, leaf.clone());
        }
        self.hashes.insert(applied.tip.mseq, applied.hash);
        let before = std::mem::replace(&mut self.tip, applied.tip).history;
        self.newest = Some(Continued { before, signed: signed.clone() });
        Ok(applied.link.with)
    }

    /// Takes in an object, if it is the one its leaf names.
    pub(crate) fn put_object(&mut self, id: SecretId, kind: ObjectKind, data: Vec<u8>) -> Result<(), Fault> {
        let named = self.leaves.0.get(&id).is_some_and(|leaf| leaf.hash_of(kind) == object_hash(kind, &data));
        if !named {
            return Err(Fault::new(Code::Root, "an object is not the one its signed leaf names"));
        }
        let objects = self.objects.entry(id).or_default();
        match kind {
            ObjectKind::Payload => objects.payload = data,
            ObjectKind::Dek => objects.dek = data,
            ObjectKind::Name => objects.name = data,
            ObjectKind::Facts => objects.facts = data,
        }
        if !objects.payload.is_empty() && !objects.dek.is_empty() {
            self.lacking.remove(&id);
        }
        Ok(())
    }

    /// Every object that a leaf names is here, and is the one it names.
    pub(crate) fn check_complete(&self) -> Result<(), Fault> {
        let missing = || Fault::new(Code::Root, "the server withholds an object that a signed leaf names");
        for leaf in self.leaves.0.values() {
            let objects = self.objects.get(&leaf.secret_id).ok_or_else(missing)?;
            let mut held = vec![(ObjectKind::Name, &objects.name), (ObjectKind::Facts, &objects.facts)];
            if !leaf.is_deleted() && !self.lacking.contains(&leaf.secret_id) {
                held.extend([(ObjectKind::Payload, &objects.payload), (ObjectKind::Dek, &objects.dek)]);
            }
            if held.iter().any(|(kind, object)| object.is_empty() || object_hash(*kind, object) != leaf.hash_of(*kind)) {
                return Err(missing());
            }
        }
        Ok(())
    }

    /// The manifest contains every head that the organization's chain vouches for.
    pub(crate) fn check_vouched(&self, replica: &Replica) -> Result<(), Fault> {
        let fences = replica.fences(&self.tip.ns_id);
        self.tip.check_fences(fences)?;
        fences.iter().try_for_each(|fence| self.check_head(fence.mseq, fence.mhash))?;
        let seen = replica.head().ns(&self.tip.ns_id).and_then(|ns| ns.seen);
        seen.map_or(Ok(()), |head| self.check_head(head.mseq, head.mhash))
    }

    /// The manifest contains a head that something verified names.
    pub(crate) fn check_head(&self, mseq: u64, mhash: Hash) -> Result<(), Fault> {
        match self.hash_at(mseq) {
            Some(hash) if hash == mhash => Ok(()),
            Some(_) => Err(Fault::new(Code::Fork, "the manifest differs from the one that was vouched for")),
            None => Err(Fault::new(Code::Rollback, "the server shows an older manifest than one that was vouched for")),
        }
    }

    /// The hash at a position, if the manifest reaches it.
    pub(crate) fn hash_at(&self, mseq: u64) -> Option<Hash> {
        self.hashes.get(&mseq).copied()
    }

    /// The current leaf of a secret.
    pub(crate) fn leaf(&self, id: &SecretId) -> Option<&Leaf> {
        self.leaves.0.get(id)
    }

    /// All current leaves with their objects.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Leaf, &Objects)> {
        self.leaves.0.values().filter_map(|leaf| Some((leaf, self.objects.get(&leaf.secret_id)?)))
    }

    /// One secret's leaf and objects.
    pub(crate) fn entry(&self, id: &SecretId) -> Option<(&Leaf, &Objects)> {
        Some((self.leaves.0.get(id)?, self.objects.get(id)?))
    }

    /// The facts of a secret.
    pub(crate) fn facts(&self, id: &SecretId) -> Option<&[u8]> {
        self.objects.get(id).map(|objects| objects.facts.as_slice())
    }

    /// A secret's versions, oldest first.
    pub(crate) fn versions(&self, id: &SecretId) -> &[VersionRow] {
        self.history.get(id).map_or(&[], Vec::as_slice)
    }

    /// The root this tree would have with these leaves written; the tree stays as it is.
    pub(crate) fn root_with(&self, ops: &[Leaf]) -> Result<(Hash, u64), Fault> {
        let mut tree = self.tree.clone();
        for leaf in ops {
            if leaf.index < self.tip.count {
                tree.set(leaf.index, leaf.tree_hash())?;
            } else {
                tree.push(leaf.tree_hash());
            }
        }
        Ok((tree.root(), tree.size()))
    }

    pub(crate) fn to_stored(&self) -> StoredSpace {
        let secret = |leaf: &Leaf| {
            let objects = self.objects.get(&leaf.secret_id).cloned().unwrap_or_default();
            let secret = StoredSecret {
                leaf: leaf.clone(),
                payload: Blob(objects.payload),
                dek: Blob(objects.dek),
                name: Blob(objects.name),
                facts: Blob(objects.facts),
                history: self.versions(&leaf.secret_id).to_vec(),
            };
            // A document of its own: one of all would have more items than a document may.
            Blob(secret.to_bytes())
        };
        StoredSpace {
            ns_id: self.tip.ns_id,
            listed: self.listed,
            hashes: self.hashes.iter().map(|(mseq, hash)| StoredHash { mseq: *mseq, hash: *hash }).collect(),
            newest: self.newest.clone(),
            secrets: self.leaves.0.values().map(secret).collect(),
        }
    }

    /// What was stored, if it is what `tip` tells of.
    pub(crate) fn from_stored(tip: ManifestTip, stored: StoredSpace) -> Result<Self, Fault> {
        let mut secrets = stored.secrets.iter().map(|secret| StoredSecret::from_bytes(&secret.0)).collect::<Result<Vec<_>, _>>()?;
        let hashes: BTreeMap<u64, Hash> = stored.hashes.iter().map(|stored| (stored.mseq, stored.hash)).collect();
        let known = if stored.listed == 0 { hashes.len() as u64 == tip.mseq + 1 } else { stored.listed <= tip.mseq };
        let newest = hashes.last_key_value().map(|(mseq, hash)| (*mseq, *hash));
        if stored.ns_id != tip.ns_id || newest != Some((tip.mseq, tip.mhash)) || secrets.len() as u64 != tip.count || !known {
            return Err(Fault::new(Code::Canon, "it tells of another state than the organization's file"));
        }
        let mut space = Self::new(tip.org_id, tip.ns_id, tip.mhash);
        secrets.sort_by_key(|secret| secret.leaf.index);
        space.tree = Tree::from_leaves(secrets.iter().map(|secret| secret.leaf.tree_hash()));
        (space.tip, space.hashes, space.newest, space.listed) = (tip, hashes, stored.newest, stored.listed);
        for secret in secrets {
            let id = secret.leaf.secret_id;
            let objects = Objects { payload: secret.payload.0, dek: secret.dek.0, name: secret.name.0, facts: secret.facts.0 };
            if objects.lacks_value(&secret.leaf) {
                space.lacking.insert(id);
            }
            space.leaves.0.insert(id, secret.leaf);
            space.history.insert(id, secret.history);
            space.objects.insert(id, objects);
        }
        Ok(space)
    }
}

row! {
    /// A namespace in this machine's cache: ciphertext and verified metadata. How far it was verified, the organization's file says.
    pub struct StoredSpace {
        /// The namespace.
        ns_id: NsId,
        /// The link at which a listing showed it; 0 where every link was taken in.
        listed: u64,
        /// The hashes at the positions that are known.
        hashes: Vec<StoredHash>,
        /// The newest link.
        newest: Option<Continued>,
        /// All secrets, each a [`StoredSecret`].
        secrets: Vec<Blob>,
    }
}

row! {
    /// The hash at one position.
    pub struct StoredHash {
        /// The position.
        mseq: u64,
        /// The hash.
        hash: Hash,
    }
}

row! {
    /// A secret in the cache.
    pub struct StoredSecret {
        /// The current leaf.
        leaf: Leaf,
        /// The sealed value.
        payload: Blob,
        /// The sealed key.
        dek: Blob,
        /// The sealed name.
        name: Blob,
        /// The facts.
        facts: Blob,
        /// All versions.
        history: Vec<VersionRow>,
    }
}

/// A refusal of what the server delivered.
pub(crate) fn unverified(fault: Fault) -> Error {
    Error::Verification(fault.into())
}
