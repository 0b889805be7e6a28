//! Types 1, 2, 4, 5, 6, 7: members and their keys.

use super::apply::Step;
use super::entry::{Entry, Granted, Key, Member};
use super::heads::set_fences;
use super::link::{Genesis, KeyReset, KeyRotate, MemberAdd, MemberRemove, MemberSet, WrapRef, permission, role, verified};
use super::needs::WrapNeed;
use super::rules::{
    author, check_policy, check_role, count_member, drop_all_access, forbidden, is_admin, require_admin, require_admin_or_recovery,
    require_owner_for, require_reader, require_within, write_family,
};
use super::view::{Draft, Questions, View, ends_sooner, is_live, outlasts};
use crate::bundle::{Bundle, kind};
use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, InviteId, KeyId, NsId};
use crate::sign::Signed;
use std::collections::BTreeSet;

pub(super) fn genesis<V: View>(draft: &mut Draft<V>, step: &Step, body: &Genesis) -> Result<Vec<WrapNeed>, Fault> {
    let (bundle, key_id) = Bundle::verify(&body.bundle)?;
    if bundle.kind != kind::PERSON {
        return Err(forbidden("an organization is created by a person"));
    }
    check_policy(&body.policy)?;
    draft.put(Key::policy(), Entry::Policy(body.policy.clone()));
    let owner = new_member(&bundle, key_id, role::OWNER, 0, verified::MADE, step);
    count_member(draft, None, Some(&owner))?;
    draft.put_member(&bundle.identity_id, owner);
    Ok(vec![])
}

pub(super) fn add<V: View>(draft: &mut Draft<V>, step: &Step, body: &MemberAdd) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    require_admin_or_recovery(&author)?;
    require_owner_for(&author, &[body.role])?;
    require_within(body.expires_ms, author.expires_ms)?;
    require_ahead(body.expires_ms, step)?;
    admit(draft, step, &body.bundle, body.role, body.expires_ms, body.verified, false)?;
    Ok(vec![])
}

/// Enters an identity that is not a member now, with a generation higher than any seen here.
pub(super) fn admit<V: View>(
    draft: &mut Draft<V>,
    step: &Step,
    bundle: &Signed,
    member_role: u8,
    expires_ms: u64,
    how: u8,
    pending: bool,
) -> Result<(IdentityId, KeyId), Fault> {
    let (bundle, key_id) = Bundle::verify(bundle)?;
    check_role(member_role, bundle.kind, expires_ms)?;
    if how > verified::MADE {
        return Err(Fault::new(Code::Upgrade, "an unknown way of verification: upgrade required"));
    }
    if draft.invite(&InviteId(bundle.identity_id.0)).is_some() {
        return Err(forbidden("the identity's id is an invite's: wraps could not tell them apart"));
    }
    let before = draft.member(&bundle.identity_id);
    if let Some(before) = &before {
        if before.role != role::REMOVED {
            return Err(forbidden("the identity is a member already"));
        }
        if bundle.generation <= before.generation {
            return Err(forbidden("an identity re-enters only with a higher generation"));
        }
    }
    let mut member = new_member(&bundle, key_id, member_role, expires_ms, how, step);
    member.pending = pending;
    count_member(draft, before.as_ref(), Some(&member))?;
    draft.put_member(&bundle.identity_id, member);
    Ok((bundle.identity_id, key_id))
}

pub(super) fn set<V: View>(draft: &mut Draft<V>, step: &Step, body: &MemberSet) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    let before = present(draft, &body.identity_id)?;
    if body.identity_id == step.link.author_id {
        if body.confirm || outlasts(body.expires_ms, before.expires_ms) || !is_no_higher(body.role, before.role) {
            return Err(forbidden("on oneself only lowering is allowed"));
        }
    } else {
        require_admin_or_recovery(&author)?;
        require_owner_for(&author, &[before.role, body.role])?;
        require_within(body.expires_ms, author.expires_ms)?;
    }
    check_role(body.role, before.kind, body.expires_ms)?;
    require_ahead(body.expires_ms, step)?;
    if body.confirm && !before.pending {
        return Err(forbidden("there is no pending join to confirm"));
    }
    if body.role == role::AUDITOR && before.role != role::AUDITOR {
        require_bare(draft, &body.identity_id)?;
    }
    draft.record_lapses_of(&body.identity_id, step.ts());
    let wanted = if ends_sooner(body.expires_ms, before.expires_ms) { write_family(draft, &body.identity_id) } else { BTreeSet::new() };
    set_fences(draft, step, &body.fences, &wanted)?;
    let mut after = before.clone();
    (after.role, after.expires_ms) = (body.role, body.expires_ms);
    if is_admin(before.role) && !is_admin(after.role) {
        after.reset_seq = step.link.seq;
    }
    if body.confirm {
        after.pending = false;
        after.verified = verified::WORDS;
    }
    count_member(draft, Some(&before), Some(&after))?;
    draft.put_member(&body.identity_id, after);
    Ok(vec![])
}

pub(super) fn remove<V: View>(draft: &mut Draft<V>, step: &Step, body: &MemberRemove) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    let before = present(draft, &body.identity_id)?;
    if body.identity_id != step.link.author_id {
        require_admin(&author)?;
        require_owner_for(&author, &[before.role])?;
    }
    let wanted = write_family(draft, &body.identity_id);
    set_fences(draft, step, &body.fences, &wanted)?;
    let mut after = before.clone();
    (after.role, after.pending) = (role::REMOVED, false);
    count_member(draft, Some(&before), Some(&after))?;
    draft.put_member(&body.identity_id, after);
    let read = drop_all_access(draft, &body.identity_id, step.ts());
    require_reader(draft, &read, body.abandon, step.ts())?;
    Ok(vec![])
}

pub(super) fn rotate<V: View>(draft: &mut Draft<V>, step: &Step, body: &KeyRotate) -> Result<Vec<WrapNeed>, Fault> {
    let id = step.link.author_id;
    let before = author(draft, step)?;
    // Whoever had the leaked key may have made invites with it.
    let reset_seq = if body.compromised { step.link.seq } else { before.reset_seq };
    let key_id = renew(draft, &id, &before, &body.bundle, before.verified, reset_seq)?;
    draft.record_lapses_of(&id, step.ts());
    let wanted = write_family(draft, &id);
    set_fences(draft, step, &body.fences, &wanted)?;
    let reads: BTreeSet<NsId> = draft
        .held_by(&id)
        .into_iter()
        .filter(|ns| draft.access(ns, &id).is_some_and(|access| access.permissions & permission::READ != 0))
        .collect();
    let wrapped: BTreeSet<NsId> = body.wraps.iter().map(|wrap| wrap.ns_id).collect();
    if reads != wrapped || wrapped.len() != body.wraps.len() {
        return Err(Fault::new(Code::Wrap, "a rotation wraps each key its author holds, once"));
    }
    let needs = self_wraps(draft, step, &body.wraps, (id, key_id))?;
    if body.compromised {
        for ns in &reads {
            draft.owe(ns, None, step.ts());
        }
    }
    Ok(needs)
}

pub(super) fn reset<V: View>(draft: &mut Draft<V>, step: &Step, body: &KeyReset) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    require_admin_or_recovery(&author)?;
    let before = present(draft, &body.identity_id)?;
    if body.identity_id == step.link.author_id {
        return Err(forbidden("one's own keys are rotated, not reset"));
    }
    require_owner_for(&author, &[before.role])?;
    // New keys are a membership anew: it may not outlast the one who gives it.
    require_within(before.expires_ms, author.expires_ms)?;
    if !matches!(body.verified, verified::WORDS | verified::MADE) {
        return Err(forbidden("a reset must be verified out of band"));
    }
    let wanted = write_family(draft, &body.identity_id);
    set_fences(draft, step, &body.fences, &wanted)?;
    renew(draft, &body.identity_id, &before, &body.bundle, body.verified, step.link.seq)?;
    let read = drop_all_access(draft, &body.identity_id, step.ts());
    require_reader(draft, &read, body.abandon, step.ts())?;
    Ok(vec![])
}

/// Puts wraps that an identity made for itself into its access entries, and says which records must come along.
pub(super) fn self_wraps<V: View>(
    draft: &mut Draft<V>,
    step: &Step,
    wraps: &[WrapRef],
    own: (IdentityId, KeyId),
) -> Result<Vec<WrapNeed>, Fault> {
    let granter = (step.link.author_id, own.1);
    let mut needs = Vec::new();
    for wrap in wraps {
        let ns = draft.known_ns(&wrap.ns_id)?;
        let Some(mut access) = draft.access(&wrap.ns_id, &own.0).filter(|_| wrap.epoch == ns.epoch) else {
            return Err(Fault::new(Code::Wrap, "a wrap for a key the identity does not hold, or of another epoch"));
        };
        access.wrap = Some(Granted { wrap_hash: wrap.wrap_hash, author: granter.0, author_key_id: granter.1 });
        draft.put_access(&wrap.ns_id, &own.0, access);
        needs.push(WrapNeed {
            ns_id: wrap.ns_id,
            epoch: ns.epoch,
            nk_commit: ns.nk_commit,
            granter,
            recipients: vec![own],
            hash: wrap.wrap_hash,
            is_set: false,
        });
    }
    Ok(needs)
}

/// Replaces a member's keys by the next generation's.
fn renew<V: View>(
    draft: &mut Draft<V>,
    id: &IdentityId,
    before: &Member,
    bundle: &Signed,
    how: u8,
    reset_seq: u64,
) -> Result<KeyId, Fault> {
    let (bundle, key_id) = Bundle::verify(bundle)?;
    if bundle.identity_id != *id || bundle.kind != before.kind {
        return Err(Fault::new(Code::KeySubst, "the next bundle is of another identity"));
    }
    if bundle.generation <= before.generation {
        return Err(forbidden("the next bundle's generation must be higher"));
    }
    let after = Member { sign_pk: bundle.sign_pk, key_id, generation: bundle.generation, verified: how, reset_seq, ..before.clone() };
    draft.put_member(id, after);
    Ok(key_id)
}

/// Whether a role confers nothing that the other does not: only these steps go down, an auditor sees what a member does not.
fn is_no_higher(next: u8, before: u8) -> bool {
    next == before || matches!((before, next), (role::OWNER, role::ADMIN | role::MEMBER) | (role::ADMIN, role::MEMBER))
}

/// A membership ends later than now: an end at once is a removal, with fences and losses.
fn require_ahead(expires_ms: u64, step: &Step) -> Result<(), Fault> {
    if is_live(expires_ms, step.ts()) { Ok(()) } else { Err(forbidden("the membership would have ended already")) }
}

fn present<V: View>(draft: &Draft<V>, id: &IdentityId) -> Result<Member, Fault> {
    draft.member(id).filter(|member| member.role != role::REMOVED).ok_or_else(|| forbidden("there is no such member"))
}

/// Becoming an auditor needs hands without keys: no access beyond reading the directory.
fn require_bare<V: View>(draft: &Draft<V>, id: &IdentityId) -> Result<(), Fault> {
    let directory = draft.chain().and_then(|chain| chain.directory);
    let keyed =
        |ns: &NsId| Some(*ns) != directory || draft.access(ns, id).is_some_and(|access| access.permissions & permission::WRITE != 0);
    if draft.held_by(id).iter().any(keyed) { Err(forbidden("take the member's access first: auditors hold no keys")) } else { Ok(()) }
}

fn new_member(bundle: &Bundle, key_id: KeyId, member_role: u8, expires_ms: u64, how: u8, step: &Step) -> Member {
    Member {
        role: member_role,
        kind: bundle.kind,
        sign_pk: bundle.sign_pk,
        key_id,
        generation: bundle.generation,
        expires_ms,
        pending: false,
        verified: how,
        reset_seq: step.link.seq,
    }
}
