//! A client's own copy of the chain: every link it has verified, and the state as it was after each.
//!
//! Manifest links are judged on the state at their anchor, so entries keep their versions. A replica restored from a cache knows the states
//! from there on; what is anchored earlier needs the links from the beginning.

use super::apply::{Applied, Tip, apply};
use super::entry::{Entry, Fence, Key, state_leaf};
use super::view::View;
use crate::bundle::Bundle;
use crate::canon::{Blob, Canon};
use crate::evidence::Continued;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, KeyId, NsId, OrgId};
use crate::merkle::{Frontier, leaf_hash};
use crate::row;
use crate::sign::Signed;
use std::collections::BTreeMap;

/// An entry at some link, with its leaf of the state tree; `None` where it was removed.
type Version = (u64, Option<(Entry, Hash)>);

/// The verified chain.
#[derive(Clone, Debug)]
pub struct Replica {
    tip: Tip,
    /// The position of the first link whose state is known.
    base: u64,
    /// Hash and time of the links from `base` on.
    links: Vec<(Hash, u64)>,
    entries: BTreeMap<Key, Vec<Version>>,
    bundles: BTreeMap<KeyId, Signed>,
    fences: BTreeMap<NsId, Vec<Fence>>,
    /// The newest link itself: what to show when a history appears that does not contain it.
    newest: Option<Continued>,
}

/// The state after a given link.
pub struct Snapshot<'a> {
    replica: &'a Replica,
    seq: u64,
}

impl Replica {
    /// An empty replica of a known organization.
    pub fn new(org_id: OrgId) -> Self {
        Self {
            tip: Tip::before_genesis(org_id),
            base: 0,
            links: vec![],
            entries: BTreeMap::new(),
            bundles: BTreeMap::new(),
            fences: BTreeMap::new(),
            newest: None,
        }
    }

    /// With the state before a checkpoint, which is not verified until [`Replica::start_with`] has held it against that checkpoint.
    pub(super) fn before(tip: Tip, entries: BTreeMap<Key, Entry>, fences: BTreeMap<NsId, Vec<Fence>>) -> Self {
        let version = |(key, entry): (Key, Entry)| {
            let leaf = if key.is_hashed() { state_leaf(&key, &entry) } else { Hash::ZERO };
            (key, vec![(0, Some((entry, leaf)))])
        };
        let mut replica = Self::new(tip.org_id);
        (replica.tip, replica.fences) = (tip, fences);
        replica.entries = entries.into_iter().map(version).collect();
        replica
    }

    /// Verifies the checkpoint at which this begins.
    pub(super) fn start_with(mut self, checkpoint: &Signed, now_ms: u64) -> Result<Self, Fault> {
        self.base = self.tip.next_seq();
        self.append(checkpoint, now_ms)?;
        Ok(self)
    }

    /// Takes in a bundle that the state names by its hash: a replica that began at a checkpoint has only those that came since.
    pub fn take_bundle(&mut self, signed: &Signed) -> Result<KeyId, Fault> {
        let (_, key_id) = Bundle::verify(signed)?;
        self.bundles.insert(key_id, signed.clone());
        Ok(key_id)
    }

    /// Verifies the next link and takes it in.
    pub fn append(&mut self, signed: &Signed, now_ms: u64) -> Result<Applied, Fault> {
        let applied = apply(&self.head(), &self.tip, signed, now_ms)?;
        let seq = applied.link.seq;
        for (key, change) in &applied.changes {
            let version = change.as_ref().map(|entry| (entry.clone(), if key.is_hashed() { state_leaf(key, entry) } else { Hash::ZERO }));
            self.entries.entry(key.clone()).or_default().push((seq, version));
        }
        for fence in applied.body.fences() {
            self.fences.entry(fence.ns_id).or_default().push(Fence { mseq: fence.mseq, mhash: fence.mhash, seq });
        }
        if let Some(bundle) = applied.body.bundle() {
            self.bundles.insert(crate::bundle::key_id(bundle.payload()), bundle.clone());
        }
        self.links.push((applied.hash, applied.link.ts_ms));
        let before = std::mem::replace(&mut self.tip, applied.tip.clone()).history;
        self.newest = Some(Continued { before, signed: signed.clone() });
        Ok(applied)
    }

    /// Where the chain stands.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The newest link, and the history before it.
    pub fn newest(&self) -> Option<&Continued> {
        self.newest.as_ref()
    }

    /// The newest state.
    pub fn head(&self) -> Snapshot<'_> {
        Snapshot { replica: self, seq: u64::MAX }
    }

    /// The state after link `seq`, if it is known.
    pub fn at(&self, seq: u64) -> Option<Snapshot<'_>> {
        self.link(seq).map(|_| Snapshot { replica: self, seq })
    }

    /// Hash and time of link `seq`, if it is known.
    pub fn link(&self, seq: u64) -> Option<(Hash, u64)> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.links.get(index).copied()
    }

    /// The first link whose state is known.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// A bundle the chain brought.
    pub fn bundle(&self, key_id: &KeyId) -> Option<&Signed> {
        self.bundles.get(key_id)
    }

    /// The fences of a namespace, oldest first.
    pub fn fences(&self, ns: &NsId) -> &[Fence] {
        self.fences.get(ns).map_or(&[], Vec::as_slice)
    }

    /// The newest state as bytes, for a cache on this machine; their hash comes last.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entries = self.entries.iter().filter_map(|(key, versions)| {
            let (entry, _) = versions.last()?.1.as_ref()?;
            Some(StoredEntry { key: Blob(key.as_bytes().to_vec()), value: Blob(entry.to_bytes()) })
        });
        let fences = self.fences.iter().map(|(ns_id, fences)| StoredFences { ns_id: *ns_id, fences: fences.clone() });
        let mut bytes = Stored {
            format: STORED_FORMAT,
            org_id: self.tip.org_id,
            history: self.tip.history.clone(),
            last_ts_ms: self.links.last().map_or(0, |(_, ts)| *ts),
            link_hash: self.tip.link_hash,
            entries: entries.collect(),
            bundles: self.bundles.values().cloned().collect(),
            fences: fences.collect(),
            newest: self.newest.clone(),
        }
        .to_bytes();
        bytes.extend_from_slice(&leaf_hash(&bytes).0);
        bytes
    }

    /// Reads what `to_bytes` wrote. A cache is the client's own: it is checked for damage, not for lies.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = || Fault::new(Code::Canon, "the cache is damaged");
        let (bytes, check) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        if leaf_hash(bytes).0 != *check {
            return Err(damaged());
        }
        let stored = Stored::from_bytes(bytes)?;
        let next = stored.history.size();
        if stored.format != STORED_FORMAT || next == 0 {
            return Err(Fault::new(Code::Canon, "a cache of another version"));
        }
        let seq = next - 1;
        let mut entries = BTreeMap::new();
        for entry in stored.entries {
            let key = Key::from_bytes(entry.key.0);
            let value = Entry::from_bytes(&key, &entry.value.0)?;
            let leaf = if key.is_hashed() { state_leaf(&key, &value) } else { Hash::ZERO };
            entries.insert(key, vec![(seq, Some((value, leaf)))]);
        }
        Ok(Self {
            tip: Tip { org_id: stored.org_id, history: stored.history, link_hash: stored.link_hash },
            base: seq,
            links: vec![(stored.link_hash, stored.last_ts_ms)],
            entries,
            bundles: stored.bundles.into_iter().map(|bundle| (crate::bundle::key_id(bundle.payload()), bundle)).collect(),
            fences: stored.fences.into_iter().map(|stored| (stored.ns_id, stored.fences)).collect(),
            newest: stored.newest,
        })
    }
}

impl Snapshot<'_> {
    fn version<'a>(&self, versions: &'a [Version]) -> Option<&'a (Entry, Hash)> {
        let after = versions.partition_point(|(seq, _)| *seq <= self.seq);
        versions.get(after.checked_sub(1)?)?.1.as_ref()
    }
}

impl View for Snapshot<'_> {
    fn get(&self, key: &Key) -> Option<Entry> {
        self.version(self.replica.entries.get(key)?).map(|(entry, _)| entry.clone())
    }

    fn scan(&self, prefix: &[u8]) -> Vec<Key> {
        let from = self.replica.entries.range(Key::from_bytes(prefix.to_vec())..);
        from.take_while(|(key, _)| key.as_bytes().starts_with(prefix))
            .filter(|(_, versions)| self.version(versions).is_some())
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn state_hash(&self) -> Hash {
        let mut tree = Frontier::default();
        let hashed = self.replica.entries.iter().filter(|(key, _)| key.is_hashed());
        hashed.filter_map(|(_, versions)| self.version(versions)).for_each(|(_, leaf)| tree.push(*leaf));
        tree.root()
    }
}

/// Rises when the cache's layout changes; an older cache is then simply rebuilt.
const STORED_FORMAT: u64 = 3;

row! {
    /// A cached replica.
    pub struct Stored {
        /// [`STORED_FORMAT`].
        format: u64,
        /// The organization.
        org_id: OrgId,
        /// The history.
        history: Frontier,
        /// Time of the newest link.
        last_ts_ms: u64,
        /// Hash of the newest link.
        link_hash: Hash,
        /// The state.
        entries: Vec<StoredEntry>,
        /// The bundles.
        bundles: Vec<Signed>,
        /// The fences.
        fences: Vec<StoredFences>,
        /// The newest link.
        newest: Option<Continued>,
    }
}

row! {
    /// One entry of a cached state.
    pub struct StoredEntry {
        /// Its key.
        key: Blob,
        /// Its value.
        value: Blob,
    }
}

row! {
    /// The fences of one namespace.
    pub struct StoredFences {
        /// The namespace.
        ns_id: NsId,
        /// Oldest first.
        fences: Vec<Fence>,
    }
}
