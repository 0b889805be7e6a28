//! Manifest heads that links name: fences, beyond which a writer who lost something adds nothing, and heads a link vouches for.
//!
//! Heads only go forward, and two that name one position agree. Absent: the manifests themselves; whoever holds them checks that a fence is
//! the newest head, and that a head that is seen exists.

use super::apply::Step;
use super::entry::{Fence, Ns};
use super::link::Head;
use super::view::{Draft, Questions, View};
use crate::fault::{Code, Fault};
use crate::ids::NsId;
use std::collections::BTreeSet;

/// Sets a link's fences: at least on the namespaces `wanted`, each once.
pub(super) fn set_fences<V: View>(draft: &mut Draft<V>, step: &Step, fences: &[Head], wanted: &BTreeSet<NsId>) -> Result<(), Fault> {
    let named: BTreeSet<NsId> = fences.iter().map(|fence| fence.ns_id).collect();
    if named.len() != fences.len() {
        return Err(Fault::new(Code::Fence, "a namespace is fenced twice"));
    }
    if let Some(missing) = wanted.difference(&named).next() {
        return Err(Fault::new(Code::Fence, format!("namespace {missing} must be fenced")));
    }
    for fence in fences {
        let mut ns = draft.known_ns(&fence.ns_id)?;
        check_agrees(&ns, fence)?;
        if known(&ns).any(|(mseq, _)| mseq > fence.mseq) {
            return Err(Fault::new(Code::Fence, "a fence goes back behind a head that the chain names already"));
        }
        ns.fence = Some(Fence { mseq: fence.mseq, mhash: fence.mhash, seq: step.link.seq });
        draft.put_ns(&fence.ns_id, ns);
    }
    Ok(())
}

/// Notes the heads a link vouches for.
pub(super) fn record_seen<V: View>(draft: &mut Draft<V>, seen: &[Head]) -> Result<(), Fault> {
    for head in seen {
        let mut ns = draft.known_ns(&head.ns_id)?;
        check_agrees(&ns, head)?;
        if ns.seen.as_ref().is_none_or(|old| old.mseq < head.mseq) {
            ns.seen = Some(head.clone());
            draft.put_ns(&head.ns_id, ns);
        }
    }
    Ok(())
}

/// A head that contradicts one the chain names at the same position shows two histories.
fn check_agrees(ns: &Ns, head: &Head) -> Result<(), Fault> {
    let start = (0, ns.create_hash);
    if known(ns).chain([start]).any(|(mseq, mhash)| mseq == head.mseq && mhash != head.mhash) {
        return Err(Fault::new(Code::Fork, "a manifest head differs from the one the chain names at its position"));
    }
    Ok(())
}

fn known(ns: &Ns) -> impl Iterator<Item = (u64, crate::ids::Hash)> + '_ {
    let fence = ns.fence.as_ref().map(|fence| (fence.mseq, fence.mhash));
    fence.into_iter().chain(ns.seen.as_ref().map(|head| (head.mseq, head.mhash)))
}
