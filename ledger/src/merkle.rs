//! The RFC 6962 Merkle tree (section 2.1): histories, manifests, wrap sets, state hashes and the audit log all use this one.
//!
//! `Frontier` appends in O(log n) memory; `Tree` also replaces leaves and proves them. Inclusion proofs are those of RFC 6962 section 2.1.1.

use crate::canon::Canon;
use crate::fault::{Code, Fault};
use crate::ids::Hash;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// `SHA-256(00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update([0]);
    sha.update(data);
    Hash(sha.finalize().into())
}

/// `SHA-256(01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut sha = Sha256::new();
    sha.update([1]);
    sha.update(left.0);
    sha.update(right.0);
    Hash(sha.finalize().into())
}

/// The root of no leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest(b"").into())
}

/// The root over leaf data.
pub fn root<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(leaf_hash(leaf.as_ref()));
    }
    frontier.root()
}

/// An append-only tree reduced to the roots of its perfect subtrees, the largest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks)
    }

    /// The same tree as one that can be appended to and tells which nodes that makes. It proves nothing about the leaves it has.
    pub fn to_tree(&self) -> Tree {
        Tree::with_nodes(self.size, peaks(self.size).zip(self.peaks.iter().copied()))
    }

    /// The size and the peaks, for storage.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.size.to_be_bytes().to_vec();
        self.peaks.iter().for_each(|peak| out.extend_from_slice(&peak.0));
        out
    }

    /// Reads what `to_bytes` wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let wrong = || Fault::new(Code::Canon, "a damaged history frontier");
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let size = u64::from_be_bytes(*size);
        let peaks: Vec<Hash> = rest.chunks(32).map(Hash::from_slice).collect::<Result<_, _>>().map_err(|_| wrong())?;
        if peaks.len() != size.count_ones() as usize {
            return Err(wrong());
        }
        Ok(Self { size, peaks })
    }
}

/// A tree whose leaves can be replaced. Holds the nodes it was given; a full tree holds all complete ones.
///
/// A server loads only `Tree::needed` nodes and stores `changed` ones: O(log n) per write.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    nodes: BTreeMap<(u8, u64), Hash>,
    changed: BTreeSet<(u8, u64)>,
}

impl Tree {
    /// A tree of `size` leaves with the nodes `(level, index)` at hand.
    pub fn with_nodes(size: u64, nodes: impl IntoIterator<Item = ((u8, u64), Hash)>) -> Self {
        Self { size, nodes: nodes.into_iter().collect(), changed: BTreeSet::new() }
    }

    /// A full tree over leaf hashes.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }

    /// The nodes needed to replace `leaves` in, append to, and take the root of a tree of `size` leaves.
    pub fn needed(size: u64, leaves: &[u64]) -> BTreeSet<(u8, u64)> {
        let mut needed: BTreeSet<(u8, u64)> = peaks(size).collect();
        for &leaf in leaves.iter().filter(|leaf| **leaf < size) {
            let (mut level, mut index) = (0u8, leaf);
            while !is_peak(size, level, index) {
                needed.insert((level, index ^ 1));
                level += 1;
                index >>= 1;
            }
        }
        needed
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let index = self.size;
        self.size = self.size.saturating_add(1);
        self.put(0, index, leaf);
        self.climb(index);
    }

    /// Replaces a leaf hash.
    pub fn set(&mut self, index: u64, leaf: Hash) -> Result<(), Fault> {
        if index >= self.size {
            return Err(Fault::new(Code::Root, "a leaf beyond the end of the tree"));
        }
        self.put(0, index, leaf);
        self.climb(index);
        Ok(())
    }

    /// Forgets the leaves from `size` on.
    pub fn truncate(&mut self, size: u64) {
        self.size = self.size.min(size);
        self.nodes.retain(|(level, index), _| (index + 1) << level <= size);
    }

    /// The tree's root. Nodes that are not at hand count as missing: the root is then simply another one, and no check against it passes.
    pub fn root(&self) -> Hash {
        let peaks: Vec<Hash> = peaks(self.size).map(|at| self.nodes.get(&at).copied().unwrap_or(Hash::ZERO)).collect();
        fold_peaks(&peaks)
    }

    /// The audit path of a leaf, as [`prove`] gives it, from the nodes that [`Tree::needed`] names for it; `None` if one is not at hand.
    pub fn prove(&self, index: u64) -> Option<Vec<Hash>> {
        if index >= self.size {
            return None;
        }
        let node = |at: (u8, u64)| self.nodes.get(&at).copied();
        let mut path = Vec::new();
        let mut at = (0u8, index);
        while !is_peak(self.size, at.0, at.1) {
            path.push(node((at.0, at.1 ^ 1))?);
            at = (at.0 + 1, at.1 >> 1);
        }
        let smaller: Vec<Hash> = peaks(self.size).skip_while(|peak| *peak != at).skip(1).map(node).collect::<Option<_>>()?;
        if !smaller.is_empty() {
            path.push(fold_peaks(&smaller));
        }
        let larger: Vec<Hash> = peaks(self.size).take_while(|peak| *peak != at).map(node).collect::<Option<_>>()?;
        path.extend(larger.into_iter().rev());
        Some(path)
    }

    /// The tree reduced to what appending needs; `None` if a peak is not at hand.
    pub fn frontier(&self) -> Option<Frontier> {
        let peaks = peaks(self.size).map(|at| self.nodes.get(&at).copied()).collect::<Option<_>>()?;
        Some(Frontier { size: self.size, peaks })
    }

    /// The nodes written since the tree was loaded.
    pub fn changed(&self) -> impl Iterator<Item = ((u8, u64), Hash)> + '_ {
        self.changed.iter().filter_map(|at| self.nodes.get(at).map(|node| (*at, *node)))
    }

    fn put(&mut self, level: u8, index: u64, node: Hash) {
        self.nodes.insert((level, index), node);
        self.changed.insert((level, index));
    }

    /// Recomputes the complete subtrees above a leaf.
    fn climb(&mut self, leaf: u64) {
        let (mut level, mut index) = (0u8, leaf);
        while !is_peak(self.size, level, index) {
            let (Some(left), Some(right)) = (self.nodes.get(&(level, index & !1)), self.nodes.get(&(level, index | 1))) else { return };
            let node = node_hash(left, right);
            level += 1;
            index >>= 1;
            self.put(level, index, node);
        }
    }
}

/// An RFC 6962 audit path for the leaf at `index` of `leaves` (leaf hashes).
pub fn prove(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut span, mut index) = (leaves, index);
    while span.len() > 1 {
        let split = 1usize << (usize::BITS - 1 - (span.len() - 1).leading_zeros());
        let (left, right) = span.split_at(split);
        let sibling = if index < split { right } else { left };
        path.push(subtree(sibling));
        if index < split {
            span = left;
        } else {
            span = right;
            index -= split;
        }
    }
    path.reverse();
    Some(path)
}

/// Checks an audit path (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), Fault> {
    let wrong = || Fault::new(Code::Root, "an inclusion proof does not lead to the root");
    if index >= size {
        return Err(wrong());
    }
    let (mut at, mut last, mut node) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return Err(wrong());
        }
        if at & 1 == 1 || at == last {
            node = node_hash(sibling, &node);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last == 0 && node == *root { Ok(()) } else { Err(wrong()) }
}

fn subtree(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

fn fold_peaks(peaks: &[Hash]) -> Hash {
    peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
}

/// The perfect subtrees of a tree, the largest first, as `(level, index)`.
fn peaks(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0..64u8).rev().filter(move |level| size >> level & 1 == 1).map(move |level| (level, (size >> level) - 1))
}

fn is_peak(size: u64, level: u8, index: u64) -> bool {
    size.checked_shr(u32::from(level)).unwrap_or(0) & 1 == 1 && index + 1 == size >> level
}

impl Canon for Frontier {
    fn to_value(&self) -> crate::cbor::Value {
        crate::cbor::Value::Bytes(self.to_bytes())
    }
    fn from_value(value: crate::cbor::Value) -> Result<Self, Fault> {
        Frontier::from_bytes(&crate::canon::Blob::from_value(value)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: u8) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&[i])).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_ct_merkle(n in 0u8..80) {
            let mut other = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
            (0..n).for_each(|i| other.push(vec![i]));
            let theirs: [u8; 32] = other.root().as_bytes().as_slice().try_into().unwrap();
            prop_assert_eq!(root((0..n).map(|i| [i])).0, theirs);
            for i in 0..n {
                let path: Vec<u8> = prove(&leaves(n), i.into()).unwrap().iter().flat_map(|h| h.0).collect();
                let proof = other.prove_inclusion(i.into());
                prop_assert_eq!(proof.as_bytes(), &path[..]);
            }
        }

        #[test]
        fn proofs_verify_and_mutations_do_not(n in 1u8..80, pick: prop::sample::Index, flip in 0usize..32) {
            let leaves = leaves(n);
            let index = pick.index(leaves.len());
            let top = subtree(&leaves);
            let mut path = prove(&leaves, index).unwrap();
            prop_assert!(verify_inclusion(leaves[index], index as u64, n.into(), &path, &top).is_ok());
            prop_assert!(verify_inclusion(leaf_hash(b"other"), index as u64, n.into(), &path, &top).is_err());
            prop_assert!(verify_inclusion(leaves[index], u64::from(n), n.into(), &path, &top).is_err());
            if let Some(first) = path.first_mut() {
                first.0[flip] ^= 1;
                prop_assert!(verify_inclusion(leaves[index], index as u64, n.into(), &path, &top).is_err());
            }
            path.push(top);
            prop_assert!(verify_inclusion(leaves[index], index as u64, n.into(), &path, &top).is_err());
        }

        #[test]
        fn a_tree_with_only_the_needed_nodes_changes_like_a_full_one(n in 0u8..70, sets in prop::collection::vec(any::<prop::sample::Index>(), 0..5), more in 0u8..9) {
            let mut full = Tree::from_leaves(leaves(n));
            let picked: Vec<u64> = if n == 0 { vec![] } else { sets.iter().map(|s| s.index(n.into()) as u64).collect() };
            let needed = Tree::needed(n.into(), &picked);
            let mut sparse = Tree::with_nodes(n.into(), needed.iter().map(|at| (*at, full.nodes[at])));
            for tree in [&mut full, &mut sparse] {
                for (i, at) in picked.iter().enumerate() { tree.set(*at, leaf_hash(&[200, u8::try_from(i).unwrap()])).unwrap(); }
                for i in 0..more { tree.push(leaf_hash(&[100, i])); }
            }
            prop_assert_eq!(full.root(), sparse.root());
            for (at, node) in sparse.changed() { prop_assert_eq!(full.nodes[&at], node); }
        }

        #[test]
        fn a_tree_with_only_the_needed_nodes_proves_as_rfc_6962_does(n in 1u8..80, more in 0u8..80, pick in any::<prop::sample::Index>()) {
            // The nodes of a tree that has grown since prove what it was.
            let mut grown = Tree::from_leaves(leaves(n));
            let index = pick.index(n.into());
            for i in 0..more { grown.push(leaf_hash(&[100, i])); }
            let needed = Tree::needed(n.into(), &[index as u64]);
            let nodes = needed.iter().map(|at| (*at, grown.nodes[at]));
            let whole = Tree::with_nodes(n.into(), nodes);
            let path = prove(&leaves(n), index);
            prop_assert_eq!(whole.prove(index as u64), path.clone());
            prop_assert_eq!(whole.prove(n.into()), None);
            for missing in needed {
                let mut sparse = whole.clone();
                sparse.nodes.remove(&missing);
                // The subtree that holds the leaf is not part of its path; without another node there is no path, and never a wrong one.
                prop_assert!(sparse.prove(index as u64).is_none_or(|proof| Some(proof) == path));
            }
        }

        #[test]
        fn a_frontier_that_grows_as_a_tree_makes_every_node_once(n in 0u8..80) {
            let (mut frontier, mut made) = (Frontier::default(), BTreeMap::new());
            for leaf in leaves(n) {
                let mut tree = frontier.to_tree();
                tree.push(leaf);
                for (at, node) in tree.changed() { prop_assert_eq!(made.insert(at, node), None); }
                frontier.push(leaf);
                prop_assert_eq!(tree.root(), frontier.root());
                let reduced = tree.frontier();
                prop_assert_eq!(reduced.as_ref(), Some(&frontier));
            }
            prop_assert_eq!(made, Tree::from_leaves(leaves(n)).nodes);
        }

        #[test]
        fn a_stored_frontier_comes_back(n in 0u8..100) {
            let mut frontier = Frontier::default();
            for leaf in leaves(n) {
                frontier.push(leaf);
            }
            prop_assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier);
        }
    }
}
