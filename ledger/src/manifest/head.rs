//! Judging a manifest's newest link by itself, for whoever fences a namespace without reading it.
//!
//! What holds afterwards: somebody who could write there at the anchor signed it, at a time that fits, and nothing the chain names lies beyond
//! or against it. Absent: history, leaves and root, which take every link. Who reads the namespace has them, and refuses a fence that lies.

use super::ManifestLink;
use super::verify::{Anchored, check_author, check_epoch, check_fences, check_place, check_settled, check_time, read};
use crate::chain::{Head, Questions, View};
use crate::fault::{Code, Fault};
use crate::hash;
use crate::ids::{IdentityId, NsId, OrgId};
use crate::sign::Signed;

/// A manifest's newest link, as far as one link can be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestLink {
    /// The head it makes.
    pub head: Head,
    /// Who wrote it.
    pub author: IdentityId,
}

/// Judges what is said to be the newest link of namespace `ns_id`. `seen` is the newest head of it that links vouched for.
pub fn verify_newest<V: View>(
    anchored: &Anchored<V>,
    seen: Option<&Head>,
    (org_id, ns_id): (&OrgId, &NsId),
    signed: &Signed,
    now_ms: u64,
) -> Result<NewestLink, Fault> {
    let link = read(signed)?;
    check_place(&link, org_id, ns_id)?;
    check_time(&link, 0, anchored, now_ms)?;
    let ns = check_author(&link, anchored, signed)?;
    let hash = signed.hash(hash::MANIFEST);
    check_fences(&link, hash, anchored.fences, ns.fence.as_ref())?;
    check_not_behind(&link, anchored, seen)?;
    if seen.is_some_and(|seen| seen.mseq == link.mseq && seen.mhash != hash) {
        return Err(Fault::new(Code::Fork, "the manifest link differs from the one the chain vouches for"));
    }
    check_epoch(&link, &ns)?;
    let owed = anchored.state.is_owed(ns_id, link.ts_ms);
    link.ops.iter().try_for_each(|leaf| check_settled(leaf, owed))?;
    Ok(NewestLink { head: Head { ns_id: *ns_id, mseq: link.mseq, mhash: hash }, author: link.author_id })
}

/// Position 0 is before every link.
fn check_not_behind<V: View>(link: &ManifestLink, anchored: &Anchored<V>, seen: Option<&Head>) -> Result<(), Fault> {
    let named = anchored.fences.iter().map(|fence| fence.mseq).chain(seen.map(|head| head.mseq));
    if link.mseq == 0 || named.max().is_some_and(|named| link.mseq < named) {
        return Err(Fault::new(Code::Rollback, "the manifest link is older than one the organization's chain vouches for"));
    }
    Ok(())
}
