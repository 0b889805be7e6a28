//! Verifying a manifest link: size, canonical bytes, version, place, position and history, anchor, time, author, signature, authority, fences,
//! epoch, owed, operations, root. The first failure ends it.

use super::{Leaf, ManifestLink};
use crate::canon::Canon;
use crate::chain::{Fence, Ns, Questions, View, permission};
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, NsId, OrgId, SecretId};
use crate::merkle::{Frontier, Tree, leaf_hash};
use crate::sign::{Domain, Signed};
use crate::{hash, limits};
use std::collections::BTreeSet;

/// Where a manifest stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestTip {
    /// The organization.
    pub org_id: OrgId,
    /// The namespace.
    pub ns_id: NsId,
    /// The newest link, 0 before the first.
    pub mseq: u64,
    /// Its hash; at 0 that of the link that created the namespace.
    pub mhash: Hash,
    /// The history up to and including `mhash`.
    pub history: Frontier,
    /// The newest anchor.
    pub anchor_seq: u64,
    /// Time of the newest link.
    pub ts_ms: u64,
    /// All leaves.
    pub count: u64,
    /// Leaves that are not deleted.
    pub live: u64,
    /// Author of the newest link.
    pub author: Option<IdentityId>,
}

impl ManifestTip {
    /// Holds what was accepted against fences that became known since: nothing beyond a fenced head may be anchored before its fence.
    pub fn check_fences(&self, fences: &[Fence]) -> Result<(), Fault> {
        fences.iter().try_for_each(|fence| judge_fence(fence, self.mseq, self.mhash, self.anchor_seq))
    }

    /// Before the first link of a namespace that link `create_hash` created.
    pub fn before_first(org_id: OrgId, ns_id: NsId, create_hash: Hash) -> Self {
        let mut history = Frontier::default();
        history.push(leaf_hash(&create_hash.0));
        Self { org_id, ns_id, mseq: 0, mhash: create_hash, history, anchor_seq: 0, ts_ms: 0, count: 0, live: 0, author: None }
    }
}

/// The current leaves of a namespace.
pub trait Leaves {
    /// The leaf of a secret.
    fn leaf(&self, id: &SecretId) -> Option<Leaf>;
}

/// The organization at a manifest link's anchor.
pub struct Anchored<'a, V: View> {
    /// The state after the anchored link.
    pub state: &'a V,
    /// The anchored link's hash.
    pub link_hash: Hash,
    /// Its time.
    pub ts_ms: u64,
    /// All fences of the namespace the verifier knows, also later ones.
    pub fences: &'a [Fence],
}

/// An accepted manifest link.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The link.
    pub link: ManifestLink,
    /// Its hash.
    pub hash: Hash,
    /// Where the manifest now stands.
    pub tip: ManifestTip,
}

/// Judges a manifest link. On success `tree` holds the new leaves; on failure it is as before.
pub fn verify<V: View>(
    anchored: &Anchored<V>,
    tip: &ManifestTip,
    leaves: &impl Leaves,
    tree: &mut Tree,
    signed: &Signed,
    now_ms: u64,
) -> Result<Applied, Fault> {
    let link = read(signed)?;
    tip.check_fences(anchored.fences)?;
    check_place(&link, &tip.org_id, &tip.ns_id)?;
    check_position(&link, tip)?;
    check_time(&link, tip.ts_ms, anchored, now_ms)?;
    let ns = check_author(&link, anchored, signed)?;
    let hash = signed.hash(hash::MANIFEST);
    check_fences(&link, hash, anchored.fences, ns.fence.as_ref())?;
    check_epoch(&link, &ns)?;
    let owed = anchored.state.is_owed(&link.ns_id, link.ts_ms);
    let (count, live) = check_ops(&link, tip, leaves, owed)?;
    grow(&link, tip, leaves, tree)?;

    let mut history = tip.history.clone();
    history.push(leaf_hash(&hash.0));
    let tip = ManifestTip {
        mseq: link.mseq,
        mhash: hash,
        history,
        anchor_seq: link.anchor.seq,
        ts_ms: link.ts_ms,
        count,
        live,
        author: Some(link.author_id),
        ..tip.clone()
    };
    Ok(Applied { link, hash, tip })
}

/// A link of this version, within its limits.
pub(super) fn read(signed: &Signed) -> Result<ManifestLink, Fault> {
    if signed.payload().len() > limits::MAX_MANIFEST_LINK {
        return Err(Fault::new(Code::Limit, "a manifest link must not exceed 256 KiB"));
    }
    let link = ManifestLink::from_bytes(signed.payload())?;
    if link.v != crate::FORMAT {
        return Err(Fault::new(Code::Upgrade, "a manifest link of an unknown version: upgrade required"));
    }
    if link.ops.len() > limits::MAX_OPS || link.with.len() > limits::MAX_WITH {
        return Err(Fault::new(Code::Limit, "a manifest link has at most 1,000 operations and names at most 8 other heads"));
    }
    Ok(link)
}

pub(super) fn check_place(link: &ManifestLink, org_id: &OrgId, ns_id: &NsId) -> Result<(), Fault> {
    if link.org_id != *org_id {
        return Err(Fault::new(Code::OrgId, "the manifest link belongs to another organization"));
    }
    if link.ns_id != *ns_id {
        return Err(Fault::new(Code::UnknownNamespace, "the manifest link belongs to another namespace"));
    }
    Ok(())
}

fn check_position(link: &ManifestLink, tip: &ManifestTip) -> Result<(), Fault> {
    if link.mseq != tip.mseq + 1 {
        return Err(Fault::new(Code::Rollback, format!("expected manifest link {}, got {}", tip.mseq + 1, link.mseq)));
    }
    if link.history != tip.history.root() {
        return Err(Fault::new(Code::Fork, "the manifest link continues another history"));
    }
    if link.anchor.seq < tip.anchor_seq {
        return Err(Fault::new(Code::Rollback, "the manifest link's anchor goes back"));
    }
    Ok(())
}

pub(super) fn check_time<V: View>(link: &ManifestLink, after_ms: u64, anchored: &Anchored<V>, now_ms: u64) -> Result<(), Fault> {
    if link.anchor.link_hash != anchored.link_hash {
        return Err(Fault::new(Code::Fork, "the manifest link is anchored in another history"));
    }
    if link.ts_ms < after_ms || link.ts_ms < anchored.ts_ms {
        return Err(Fault::new(Code::Clock, "the manifest link is dated before its predecessor or its anchor"));
    }
    if link.ts_ms > now_ms.saturating_add(limits::MAX_SKEW_MS) {
        return Err(Fault::new(Code::Clock, "the manifest link is dated more than ten minutes in the future: check this machine's clock"));
    }
    Ok(())
}

pub(super) fn check_author<V: View>(link: &ManifestLink, anchored: &Anchored<V>, signed: &Signed) -> Result<Box<Ns>, Fault> {
    let state = anchored.state;
    let author = state.active_member(&link.author_id, link.ts_ms).filter(|author| author.key_id == link.author_key_id);
    let author = author.ok_or_else(|| Fault::new(Code::Author, "the manifest link's author is not an active member with this key"))?;
    signed.verify(&author.sign_pk, Domain::Manifest)?;
    let ns = state.known_ns(&link.ns_id)?;
    if state.permissions(&link.ns_id, &link.author_id, link.ts_ms) & permission::WRITE == 0 {
        return Err(Fault::new(Code::Authority, "the author may not write in this namespace"));
    }
    if state.lineage(&link.ns_id).iter().filter_map(|id| state.ns(id)).any(|ns| ns.archived) {
        return Err(Fault::new(Code::Authority, "the namespace is archived"));
    }
    Ok(ns)
}

/// Beyond a fenced head a link is anchored at the fence or later, and the fenced head itself is part of the chain.
pub(super) fn check_fences(link: &ManifestLink, hash: Hash, known: &[Fence], at_anchor: Option<&Fence>) -> Result<(), Fault> {
    known.iter().chain(at_anchor).try_for_each(|fence| judge_fence(fence, link.mseq, hash, link.anchor.seq))
}

fn judge_fence(fence: &Fence, mseq: u64, mhash: Hash, anchor_seq: u64) -> Result<(), Fault> {
    if mseq > fence.mseq && anchor_seq < fence.seq {
        return Err(Fault::new(Code::Fence, "a write beyond a fence is anchored before it"));
    }
    if mseq == fence.mseq && mhash != fence.mhash {
        return Err(Fault::new(Code::Fence, "the manifest does not contain the fenced head"));
    }
    Ok(())
}

pub(super) fn check_epoch(link: &ManifestLink, ns: &Ns) -> Result<(), Fault> {
    if link.epoch == ns.epoch { Ok(()) } else { Err(Fault::new(Code::Owed, "the link is not under the epoch in force at its anchor")) }
}

fn check_ops(link: &ManifestLink, tip: &ManifestTip, leaves: &impl Leaves, owed: bool) -> Result<(u64, u64), Fault> {
    let (mut count, mut live) = (tip.count, tip.live);
    let mut written = BTreeSet::new();
    for leaf in &link.ops {
        if !written.insert(leaf.secret_id) {
            return Err(Fault::new(Code::Canon, "a secret is written twice in one link"));
        }
        check_settled(leaf, owed)?;
        let before = leaves.leaf(&leaf.secret_id);
        leaf.follows(before.as_ref(), link.mseq, link.epoch)?;
        if before.is_none() {
            if leaf.index != count {
                return Err(Fault::new(Code::Rollback, "a new leaf comes last"));
            }
            count += 1;
        }
        live = (live + u64::from(!leaf.is_deleted())).saturating_sub(u64::from(before.is_some_and(|before| !before.is_deleted())));
    }
    if count > limits::MAX_LEAVES || live > limits::MAX_LIVE {
        return Err(Fault::new(Code::Limit, "a namespace holds at most 50,000 live secrets and 1,048,576 in all"));
    }
    if link.count != count {
        return Err(Fault::new(Code::Root, "the count of leaves differs"));
    }
    Ok((count, live))
}

pub(super) fn check_settled(leaf: &Leaf, owed: bool) -> Result<(), Fault> {
    if owed && !leaf.is_deleted() {
        return Err(Fault::new(Code::Owed, "somebody lost access: the key must change before anything new is written"));
    }
    Ok(())
}

/// Applies the operations to the tree, and takes them back if they do not give the signed root.
fn grow(link: &ManifestLink, tip: &ManifestTip, leaves: &impl Leaves, tree: &mut Tree) -> Result<(), Fault> {
    for leaf in &link.ops {
        if leaf.index < tip.count {
            tree.set(leaf.index, leaf.tree_hash())?;
        } else {
            tree.push(leaf.tree_hash());
        }
    }
    if tree.root() == link.root {
        return Ok(());
    }
    tree.truncate(tip.count);
    for before in link.ops.iter().filter_map(|leaf| leaves.leaf(&leaf.secret_id)) {
        tree.set(before.index, before.tree_hash())?;
    }
    Err(Fault::new(Code::Root, "the leaves do not add up to the signed root"))
}
