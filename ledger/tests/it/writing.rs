//! Writing in the world's manifests.

use crate::people::{Person, bytes, id};
use crate::world::World;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Questions, Snapshot};
use keyvawlt_ledger::facts;
use keyvawlt_ledger::manifest::{Anchor, Anchored, Applied, DELETED, DRAFT, Leaf, ManifestLink, verify};
use keyvawlt_ledger::{Code, Domain, FORMAT, Fault, Hash, NsId, SecretId, Signed};

impl World {
    /// The next manifest link as its author would write it now, anchored in the newest org link.
    pub fn manifest_link(&self, author: &Person, ns_id: &NsId, ops: Vec<Leaf>) -> ManifestLink {
        let manifest = &self.manifests[ns_id];
        let tip = self.replica.tip();
        let mut tree = manifest.tree.clone();
        for leaf in &ops {
            if leaf.index < tree.size() {
                tree.set(leaf.index, leaf.tree_hash()).expect("a leaf of the tree");
            } else {
                tree.push(leaf.tree_hash());
            }
        }
        ManifestLink {
            v: FORMAT,
            org_id: tip.org_id,
            ns_id: *ns_id,
            mseq: manifest.tip.mseq + 1,
            history: manifest.tip.history.root(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms: self.now,
            anchor: Anchor { seq: tip.next_seq() - 1, link_hash: tip.link_hash },
            epoch: self.replica.head().ns(ns_id).expect("a namespace").epoch,
            root: tree.root(),
            count: tree.size(),
            ops,
            with: vec![],
        }
    }

    /// Judges a manifest link by the state at its anchor, and takes it in.
    pub fn judges(&mut self, ns_id: &NsId, signed: &Signed) -> Result<Applied, Fault> {
        let manifest = self.manifests.get_mut(ns_id).expect("a namespace");
        let seq = ManifestLink::from_bytes(signed.payload()).map_or(0, |link| link.anchor.seq);
        let (link_hash, ts_ms) = self.replica.link(seq).expect("a known anchor");
        let state: Snapshot = self.replica.at(seq).expect("a known anchor");
        let anchored = Anchored { state: &state, link_hash, ts_ms, fences: self.replica.fences(ns_id) };
        let mut tree = manifest.tree.clone();
        let result = verify(&anchored, &manifest.tip, manifest, &mut tree, signed, self.now);
        assert!(result.is_ok() || tree.root() == manifest.tree.root(), "a refused link leaves the tree as it was");
        let applied = result?;
        manifest.tree = tree;
        manifest.tip = applied.tip.clone();
        manifest.leaves.extend(applied.link.ops.iter().map(|leaf| (leaf.secret_id, leaf.clone())));
        manifest.links.push(signed.clone());
        Ok(applied)
    }

    #[track_caller]
    pub fn writes(&mut self, author: &Person, ns_id: &NsId, ops: Vec<Leaf>) -> Applied {
        let signed = sign_manifest(author, &self.manifest_link(author, ns_id, ops));
        match self.judges(ns_id, &signed) {
            Ok(applied) => applied,
            Err(fault) => panic!("{}'s write was refused: {fault}", author.name),
        }
    }

    /// Takes an honest link in by somebody the ledger would refuse, as a server and he would in concert.
    #[track_caller]
    pub fn refuses_write(&self, code: Code, author: &Person, ns_id: &NsId, ops: Vec<Leaf>) {
        self.refuses_manifest(code, author, &self.manifest_link(author, ns_id, ops));
    }

    #[track_caller]
    pub fn refuses_manifest(&self, code: Code, author: &Person, link: &ManifestLink) {
        self.refuses_signed_manifest(code, &link.ns_id, &sign_manifest(author, link));
    }

    #[track_caller]
    pub fn refuses_signed_manifest(&self, code: Code, ns_id: &NsId, signed: &Signed) {
        match self.clone().judges(ns_id, signed) {
            Ok(applied) => panic!("accepted: {:?}", applied.link),
            Err(fault) => assert_eq!(fault.code, code, "{fault}"),
        }
    }

    // Leaves of the next link

    /// A new secret, `nth` of those that the link adds.
    pub fn fresh(&self, ns_id: &NsId, label: &str, nth: u64) -> Leaf {
        let tip = &self.manifests[ns_id].tip;
        let mut leaf = Leaf {
            index: tip.count + nth,
            secret_id: SecretId(id(label)),
            version: 1,
            epoch: self.replica.head().ns(ns_id).expect("a namespace").epoch,
            flags: 0,
            mseq: tip.mseq + 1,
            payload_hash: Hash::ZERO,
            dek_hash: Hash::ZERO,
            name_hash: Hash(bytes(&format!("{label} name"))),
            facts_hash: facts::object_hash(&facts::none()),
        };
        seal_version(&mut leaf);
        leaf
    }

    pub fn next_version(&self, ns_id: &NsId, label: &str) -> Leaf {
        let before = &self.manifests[ns_id].leaves[&SecretId(id(label))];
        let mut leaf = Leaf { version: before.version + 1, flags: before.flags & DRAFT, ..self.touched(ns_id, before) };
        leaf.epoch = self.replica.head().ns(ns_id).expect("a namespace").epoch;
        seal_version(&mut leaf);
        leaf
    }

    pub fn deletion(&self, ns_id: &NsId, label: &str) -> Leaf {
        let leaf = self.next_version(ns_id, label);
        Leaf { flags: leaf.flags | DELETED, payload_hash: Hash::ZERO, dek_hash: Hash::ZERO, ..leaf }
    }

    pub fn facts(&self, ns_id: &NsId, label: &str, facts: &str) -> Leaf {
        let before = &self.manifests[ns_id].leaves[&SecretId(id(label))];
        Leaf { facts_hash: Hash(bytes(facts)), ..self.touched(ns_id, before) }
    }

    fn touched(&self, ns_id: &NsId, before: &Leaf) -> Leaf {
        Leaf { mseq: self.manifests[ns_id].tip.mseq + 1, ..before.clone() }
    }
}

pub fn sign_manifest(author: &Person, link: &ManifestLink) -> Signed {
    Signed::make(&author.sign, Domain::Manifest, link.to_bytes())
}

fn seal_version(leaf: &mut Leaf) {
    leaf.payload_hash = Hash(bytes(&format!("{} payload {}", leaf.secret_id, leaf.version)));
    leaf.dek_hash = Hash(bytes(&format!("{} key {}", leaf.secret_id, leaf.version)));
}
