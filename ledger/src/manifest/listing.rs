//! A namespace as whoever holds nothing of it is shown it: the newest link, all leaves, and proofs that older heads lie behind it.
//!
//! What holds afterwards: the leaves are those that the newest link signs, and its history contains each head that was asked for. Whether its author
//! might write it, [`super::verify_newest`] says. Absent: what lies between; the rules of how leaves follow one another take every link.

use super::verify::{ManifestTip, check_place, read};
use super::{Leaf, ManifestLink};
use crate::chain::Head;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, NsId, OrgId};
use crate::merkle::{Frontier, Tree, leaf_hash, verify_inclusion};
use crate::sign::Signed;
use crate::{hash, limits};
use std::collections::BTreeSet;

/// A namespace's newest link with what it signs.
#[derive(Clone, Debug)]
pub struct Listing {
    link: ManifestLink,
    tip: ManifestTip,
    tree: Tree,
}

impl Listing {
    /// Holds the leaves, in order of their creation, and the history before the newest link against that link.
    pub fn check((org_id, ns_id): (&OrgId, &NsId), newest: &Signed, before: &Frontier, leaves: &[Leaf]) -> Result<Self, Fault> {
        let link = read(newest)?;
        check_place(&link, org_id, ns_id)?;
        if before.size() != link.mseq || before.root() != link.history {
            return Err(Fault::new(Code::Fork, "the manifest's newest link continues another history"));
        }
        let tree = check_leaves(&link, leaves)?;
        let mhash = newest.hash(hash::MANIFEST);
        let mut history = before.clone();
        history.push(leaf_hash(&mhash.0));
        let tip = ManifestTip {
            org_id: *org_id,
            ns_id: *ns_id,
            mseq: link.mseq,
            mhash,
            history,
            anchor_seq: link.anchor.seq,
            ts_ms: link.ts_ms,
            count: link.count,
            live: leaves.iter().filter(|leaf| !leaf.is_deleted()).count() as u64,
            author: Some(link.author_id),
        };
        Ok(Self { link, tip, tree })
    }

    /// The newest link.
    pub fn link(&self) -> &ManifestLink {
        &self.link
    }

    /// The history contains a head, as the path proves; none is needed for the newest.
    pub fn check_head(&self, head: &Head, path: &[Hash]) -> Result<(), Fault> {
        let differs = || Fault::new(Code::Fork, "the manifest differs from the one that was vouched for");
        if head.mseq > self.tip.mseq {
            return Err(Fault::new(Code::Rollback, "the server shows an older manifest than one that was vouched for"));
        }
        if head.mseq == self.tip.mseq {
            return if head.mhash == self.tip.mhash { Ok(()) } else { Err(differs()) };
        }
        verify_inclusion(leaf_hash(&head.mhash.0), head.mseq, self.link.mseq, path, &self.link.history).map_err(|_| differs())
    }

    /// Where the manifest stands, and the tree over its leaves.
    pub fn into_parts(self) -> (ManifestTip, Tree) {
        (self.tip, self.tree)
    }
}

fn check_leaves(link: &ManifestLink, leaves: &[Leaf]) -> Result<Tree, Fault> {
    let tree = Tree::from_leaves(leaves.iter().map(Leaf::tree_hash));
    if link.count != leaves.len() as u64 || tree.root() != link.root {
        return Err(Fault::new(Code::Root, "the leaves do not add up to the signed root"));
    }
    let live = leaves.iter().filter(|leaf| !leaf.is_deleted()).count() as u64;
    if link.count > limits::MAX_LEAVES || live > limits::MAX_LIVE {
        return Err(Fault::new(Code::Limit, "a namespace holds at most 50,000 live secrets and 1,048,576 in all"));
    }
    // Whoever signed the root could have signed leaves that no link may write: what others rely on is looked at again.
    let mut secrets = BTreeSet::new();
    for (index, leaf) in (0..).zip(leaves) {
        if leaf.index != index || leaf.mseq > link.mseq || leaf.version == 0 || leaf.epoch > link.epoch || !secrets.insert(leaf.secret_id) {
            return Err(Fault::new(Code::Rollback, "the newest link signs leaves that no manifest comes to"));
        }
        leaf.check_shape()?;
    }
    Ok(tree)
}
