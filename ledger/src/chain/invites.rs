//! Types 3, 8, 9: invites and joins.

use super::apply::{Step, open_ns, policy};
use super::entry::{AccessEntry, Entry, InviteEntry, Key};
use super::link::{Intended, Invite, InviteRevoke, MemberJoin, class, permission, role, verified};
use super::members::{admit, self_wraps};
use super::needs::WrapNeed;
use super::rules::{
    author, check_holder, check_permissions, check_room, check_single_class, forbidden, is_high, require_admin, require_owner_for,
    require_within,
};
use super::view::{Draft, Questions, View, is_live};
use crate::bundle::check_kem_pk;
use crate::canon::Canon;
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, InviteId, KeyId, NsId, OrgId};
use crate::sign::{Domain, check_public_key, verify};
use crate::{hash, limits};
use std::collections::BTreeSet;

/// `H(0x0104, [sign_pk, auth_pk, kem_pk])`.
pub fn invite_key_id(sign_pk: &[u8; 32], auth_pk: &[u8; 32], kem_pk: &[u8]) -> KeyId {
    let keys = Value::Array(vec![sign_pk.to_value(), auth_pk.to_value(), Value::Bytes(kem_pk.to_vec())]);
    KeyId(hash::hash(hash::INVITE_KEY, &crate::cbor::encode(&keys)).0)
}

/// What the invite key signs when it is used: `[org_id, invite_id, key_id]`.
pub fn join_statement(org_id: &OrgId, invite_id: &InviteId, key_id: &KeyId) -> Vec<u8> {
    crate::cbor::encode(&Value::Array(vec![org_id.to_value(), invite_id.to_value(), key_id.to_value()]))
}

pub(super) fn invite<V: View>(draft: &mut Draft<V>, step: &Step, body: &Invite) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    require_admin(&author)?;
    require_owner_for(&author, &[body.role])?;
    require_within(body.member_expires_ms, author.expires_ms)?;
    require_within(body.expires_ms, author.expires_ms)?;
    check_shape(draft, step, body)?;
    if body.mailed && !policy(draft)?.allow_unverified {
        return Err(forbidden("the policy does not allow mailed invite codes"));
    }
    for intended in &body.access {
        check_intended(draft, step, body.role, intended)?;
    }
    if body.role == role::MACHINE {
        check_single_class(draft, &body.access.iter().map(|intended| intended.ns_id).collect())?;
    }
    let key_id = invite_key_id(&body.sign_pk, &body.auth_pk, &body.kem_pk);
    let needs = prewraps(draft, step, body, key_id)?;
    let entry = InviteEntry {
        inviter: step.link.author_id,
        seq: step.link.seq,
        sign_pk: body.sign_pk,
        auth_pk: body.auth_pk,
        key_id,
        role: body.role,
        access: body.access.clone(),
        expires_ms: body.expires_ms,
        member_expires_ms: body.member_expires_ms,
        mailed: body.mailed,
        prewraps: body.prewraps.clone(),
        state: OPEN,
        used_by: None,
    };
    draft.put(Key::invite(&body.invite_id), Entry::Invite(Box::new(entry)));
    Ok(needs)
}

pub(super) fn join<V: View>(draft: &mut Draft<V>, step: &Step, body: &MemberJoin) -> Result<Vec<WrapNeed>, Fault> {
    let mut invite = draft.invite(&body.invite_id).ok_or_else(|| refused("there is no such invite"))?;
    check_usable(draft, step, &invite)?;
    let statement = join_statement(&step.link.org_id, &body.invite_id, &step.link.author_key_id);
    verify(&invite.sign_pk, Domain::InviteJoin, &statement, &body.join_sig)?;
    let pending = policy(draft)?.require_admin_confirm;
    let how = if invite.mailed { verified::NOT } else { verified::INVITE };
    let own = admit(draft, step, &body.bundle, invite.role, invite.member_expires_ms, how, pending)?;

    let open: BTreeSet<NsId> = invite
        .prewraps
        .iter()
        .filter(|wrap| draft.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch))
        .map(|wrap| wrap.ns_id)
        .filter(|ns| invite.access.iter().any(|intended| intended.ns_id == *ns && is_live(intended.expires_ms, step.ts())))
        .collect();
    let realized: BTreeSet<NsId> = body.wraps.iter().map(|wrap| wrap.ns_id).collect();
    let expected = if pending { BTreeSet::new() } else { open };
    if realized != expected || realized.len() != body.wraps.len() {
        return Err(Fault::new(Code::Wrap, "a join wraps each key its invite carried, once"));
    }
    for intended in invite.access.iter().filter(|intended| realized.contains(&intended.ns_id)) {
        check_room(draft, &intended.ns_id)?;
        draft.put_access(
            &intended.ns_id,
            &own.0,
            AccessEntry { permissions: intended.permissions, expires_ms: intended.expires_ms, wrap: None },
        );
    }
    let needs = self_wraps(draft, step, &body.wraps, own)?;
    close(draft, step, &body.invite_id, &mut invite, USED);
    invite.used_by = Some(own.0);
    invite.access.retain(|intended| !realized.contains(&intended.ns_id));
    draft.put(Key::invite(&body.invite_id), Entry::Invite(invite));
    Ok(needs)
}

pub(super) fn revoke<V: View>(draft: &mut Draft<V>, step: &Step, body: &InviteRevoke) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    require_admin(&author)?;
    let mut invite =
        draft.invite(&body.invite_id).filter(|invite| invite.state == OPEN).ok_or_else(|| refused("there is no such open invite"))?;
    require_owner_for(&author, &[invite.role])?;
    close(draft, step, &body.invite_id, &mut invite, REVOKED);
    draft.put(Key::invite(&body.invite_id), Entry::Invite(invite));
    Ok(vec![])
}

const OPEN: u8 = 0;
const USED: u8 = 1;
const REVOKED: u8 = 2;

fn refused(why: &'static str) -> Fault {
    Fault::new(Code::Invite, why)
}

fn check_shape<V: View>(draft: &Draft<V>, step: &Step, body: &Invite) -> Result<(), Fault> {
    if draft.invite(&body.invite_id).is_some() || draft.member(&IdentityId(body.invite_id.0)).is_some() {
        return Err(refused("the invite's id is taken"));
    }
    if !(role::OWNER..=role::AUDITOR).contains(&body.role) {
        return Err(forbidden("an invite gives a role of people or machines"));
    }
    if body.role == role::MACHINE && body.member_expires_ms == 0 {
        return Err(forbidden("machines always expire"));
    }
    if body.expires_ms == 0 || !is_live(body.expires_ms, step.ts()) {
        return Err(forbidden("an invite must expire, in the future"));
    }
    check_public_key(&body.sign_pk)?;
    check_public_key(&body.auth_pk)?;
    check_kem_pk(&body.kem_pk)?;
    let distinct: BTreeSet<_> = body.access.iter().map(|intended| intended.ns_id).collect();
    if distinct.len() != body.access.len() {
        return Err(Fault::new(Code::Canon, "a namespace is named twice"));
    }
    Ok(())
}

fn check_intended<V: View>(draft: &Draft<V>, step: &Step, invited: u8, intended: &Intended) -> Result<(), Fault> {
    check_permissions(intended.permissions)?;
    if intended.permissions == 0 {
        return Err(Fault::new(Code::Canon, "an invite cannot take access"));
    }
    if !is_live(intended.expires_ms, step.ts()) {
        return Err(forbidden("the access would have ended already"));
    }
    open_ns(draft, &intended.ns_id)?;
    check_holder(draft, invited, &intended.ns_id, intended.permissions)?;
    require_within(intended.expires_ms, manage_ends(draft, step, &step.link.author_id, &intended.ns_id, intended.permissions)?)
}

/// Until when somebody could give this access: `manage` there, or for `manage` alone an owner anywhere.
fn manage_ends<V: View>(draft: &Draft<V>, step: &Step, id: &IdentityId, ns: &NsId, bits: u8) -> Result<u64, Fault> {
    if let Some(ends) = draft.right_ends(ns, id, permission::MANAGE, step.ts()) {
        return Ok(ends);
    }
    match draft.active_member(id, step.ts()) {
        Some(member) if member.role == role::OWNER && bits == permission::MANAGE => Ok(member.expires_ms),
        _ => Err(forbidden("giving access needs manage on each namespace named")),
    }
}

fn prewraps<V: View>(draft: &mut Draft<V>, step: &Step, body: &Invite, key_id: KeyId) -> Result<Vec<WrapNeed>, Fault> {
    let directory = draft.chain().and_then(|chain| chain.directory);
    let carries_directory = body.prewraps.iter().any(|wrap| Some(wrap.ns_id) == directory);
    if (body.role != role::MACHINE) != carries_directory {
        return Err(Fault::new(Code::Wrap, "an invite for a person carries the directory's key, one for a machine does not"));
    }
    let mut needs = Vec::new();
    for wrap in &body.prewraps {
        let ns = open_ns(draft, &wrap.ns_id)?;
        let reads = body.access.iter().any(|intended| intended.ns_id == wrap.ns_id && intended.permissions & permission::READ != 0);
        if !reads || wrap.epoch != ns.epoch || needs.iter().any(|need: &WrapNeed| need.ns_id == wrap.ns_id) {
            return Err(Fault::new(Code::Wrap, "a pre-wrap needs intended read access, and the current epoch"));
        }
        check_carrier(draft, step, &step.link.author_id, &body.access, &wrap.ns_id)?;
        if ns.class != class::DIRECTORY {
            if ns.class == class::PRODUCTION || body.expires_ms - step.ts() > limits::MAX_PREWRAP_MS {
                return Err(forbidden("keys of production never travel in invites, others for at most 72 hours"));
            }
            draft.put(Key::prewrap(&wrap.ns_id, &body.invite_id), Entry::Mark);
        }
        needs.push(WrapNeed {
            ns_id: wrap.ns_id,
            epoch: ns.epoch,
            nk_commit: ns.nk_commit,
            granter: (step.link.author_id, step.link.author_key_id),
            recipients: vec![(IdentityId(body.invite_id.0), key_id)],
            hash: wrap.wrap_hash,
            is_set: false,
        });
    }
    Ok(needs)
}

/// Carrying a key needs write, and the read that comes with it ends no later.
fn check_carrier<V: View>(draft: &Draft<V>, step: &Step, inviter: &IdentityId, access: &[Intended], ns: &NsId) -> Result<(), Fault> {
    let ends =
        draft.right_ends(ns, inviter, permission::WRITE, step.ts()).ok_or_else(|| forbidden("carrying a key in an invite needs write"))?;
    access.iter().filter(|intended| intended.ns_id == *ns).try_for_each(|intended| require_within(intended.expires_ms, ends))
}

/// Open, in time, and still the inviter's to give.
fn check_usable<V: View>(draft: &Draft<V>, step: &Step, invite: &InviteEntry) -> Result<(), Fault> {
    match invite.state {
        OPEN => {}
        USED => return Err(refused("the invite was used already")),
        _ => return Err(refused("the invite was revoked")),
    }
    if !is_live(invite.expires_ms, step.ts()) {
        return Err(refused("the invite has expired"));
    }
    let gone = || refused("the inviter could no longer give this invite");
    let inviter = draft.active_member(&invite.inviter, step.ts()).ok_or_else(gone)?;
    if require_admin(&inviter).is_err() || (is_high(invite.role) && inviter.role != role::OWNER) || inviter.reset_seq > invite.seq {
        return Err(gone());
    }
    require_within(invite.member_expires_ms, inviter.expires_ms).map_err(|_| gone())?;
    for wrap in invite.prewraps.iter().filter(|wrap| draft.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch)) {
        check_carrier(draft, step, &invite.inviter, &invite.access, &wrap.ns_id).map_err(|_| gone())?;
    }
    for intended in &invite.access {
        let ends = manage_ends(draft, step, &invite.inviter, &intended.ns_id, intended.permissions).map_err(|_| gone())?;
        require_within(intended.expires_ms, ends).map_err(|_| gone())?;
    }
    Ok(())
}

/// Ends an invite; keys it carried may have been read with a found code, so they become owed.
fn close<V: View>(draft: &mut Draft<V>, step: &Step, id: &InviteId, invite: &mut InviteEntry, state: u8) {
    invite.state = state;
    for wrap in &invite.prewraps {
        if draft.get(&Key::prewrap(&wrap.ns_id, id)).is_some() {
            draft.drop_key(Key::prewrap(&wrap.ns_id, id));
            draft.owe(&wrap.ns_id, None, step.ts());
        }
    }
}
