//! Who may touch whom: the rules that hold in every type of link.

use super::apply::{Step, policy};
use super::entry::{Entry, Key, Member};
use super::link::{Policy, class, permission, role};
use super::needs::WrapNeed;
use super::view::{Draft, Questions, View, outlasts};
use crate::bundle::kind;
use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, NsId};
use crate::limits;
use std::collections::BTreeSet;

/// A refusal for lack of authority.
pub(super) fn forbidden(why: &'static str) -> Fault {
    Fault::new(Code::Authority, why)
}

/// Roles whose holders only an owner may touch.
pub(super) fn is_high(role: u8) -> bool {
    matches!(role, role::OWNER | role::ADMIN | role::RECOVERY)
}

/// The acting member; `check_author` has found it active.
pub(super) fn author<V: View>(draft: &Draft<V>, step: &Step) -> Result<Member, Fault> {
    draft.active_member(&step.link.author_id, step.ts()).ok_or_else(|| forbidden("the author is not an active member"))
}

/// Owner, or the recovery identity acting as one.
pub(super) fn owner_or_recovery(member: &Member) -> bool {
    matches!(member.role, role::OWNER | role::RECOVERY)
}

/// Owner or admin.
pub(super) fn is_admin(role: u8) -> bool {
    matches!(role, role::OWNER | role::ADMIN)
}

/// Owner or admin: those who invite, remove and create.
pub(super) fn require_admin(member: &Member) -> Result<(), Fault> {
    if is_admin(member.role) { Ok(()) } else { Err(forbidden("this needs an admin")) }
}

/// Also the recovery identity, which acts as an owner for types 2, 4, 7 and 13 only.
pub(super) fn require_admin_or_recovery(member: &Member) -> Result<(), Fault> {
    if is_admin(member.role) || member.role == role::RECOVERY { Ok(()) } else { Err(forbidden("this needs an admin")) }
}

/// Touching admin, owner or recovery needs an owner.
pub(super) fn require_owner_for(author: &Member, roles: &[u8]) -> Result<(), Fault> {
    if roles.iter().any(|role| is_high(*role)) && !owner_or_recovery(author) {
        return Err(forbidden("conferring or touching admin, owner or recovery needs an owner"));
    }
    Ok(())
}

/// No link confers a right that outlasts its author's.
pub(super) fn require_within(granted_ms: u64, own_ms: u64) -> Result<(), Fault> {
    if outlasts(granted_ms, own_ms) { Err(forbidden("no link confers a right that outlasts its author's")) } else { Ok(()) }
}

/// A role that exists, fits the kind of identity, and for machines ends.
pub(super) fn check_role(member_role: u8, bundle_kind: u8, expires_ms: u64) -> Result<(), Fault> {
    if !(role::OWNER..=role::RECOVERY).contains(&member_role) {
        return Err(Fault::new(Code::Upgrade, "an unknown role: upgrade required"));
    }
    if (bundle_kind == kind::MACHINE) != (member_role == role::MACHINE)
        || (bundle_kind == kind::RECOVERY) != (member_role == role::RECOVERY)
    {
        return Err(forbidden("the role does not fit the kind of identity"));
    }
    if member_role == role::MACHINE && expires_ms == 0 {
        return Err(forbidden("machines always expire"));
    }
    Ok(())
}

/// Only {0, 1, 3, 4, 5, 7}.
pub(super) fn check_permissions(bits: u8) -> Result<(), Fault> {
    if matches!(bits, 0 | 1 | 3 | 4 | 5 | 7) { Ok(()) } else { Err(Fault::new(Code::Canon, "an impossible set of permissions")) }
}

/// Machines hold no `manage`, auditors read only the directory, and the directory is read by people and auditors.
pub(super) fn check_holder<V: View>(draft: &Draft<V>, member_role: u8, ns: &NsId, bits: u8) -> Result<(), Fault> {
    let in_directory = draft.known_ns(ns)?.class == class::DIRECTORY;
    if member_role == role::MACHINE && (bits & permission::MANAGE != 0 || in_directory) {
        return Err(forbidden("machines never manage, and do not read the directory"));
    }
    if member_role == role::AUDITOR && (!in_directory || bits & !permission::READ != 0) {
        return Err(forbidden("auditors read the directory only"));
    }
    Ok(())
}

/// One more may hold access here.
pub(super) fn check_room<V: View>(draft: &Draft<V>, ns: &NsId) -> Result<(), Fault> {
    let most = if draft.known_ns(ns)?.class == class::DIRECTORY { limits::MAX_DIRECTORY_READERS } else { limits::MAX_HOLDERS };
    if draft.scan(&Key::accesses(ns)).len() >= most {
        return Err(Fault::new(Code::Limit, "too many holders of access in one namespace"));
    }
    Ok(())
}

/// Under `machine_single_class` a machine holds production or other access, not both.
pub(super) fn check_single_class<V: View>(draft: &Draft<V>, namespaces: &BTreeSet<NsId>) -> Result<(), Fault> {
    if !policy(draft)?.machine_single_class {
        return Ok(());
    }
    let production: BTreeSet<bool> = namespaces.iter().filter_map(|id| draft.ns(id)).map(|ns| ns.class == class::PRODUCTION).collect();
    if production.len() > 1 { Err(forbidden("one machine may not hold both production and other access")) } else { Ok(()) }
}

/// Where an identity's write, and below it, would be lost: each must be fenced.
pub(super) fn write_family<V: View>(draft: &Draft<V>, id: &IdentityId) -> BTreeSet<NsId> {
    let writes = |ns: &NsId| draft.access(ns, id).is_some_and(|access| access.permissions & permission::WRITE != 0);
    draft.held_by(id).into_iter().filter(writes).flat_map(|ns| draft.family(&ns)).collect()
}

/// Takes all access of an identity; what it could read becomes owed. Returns the environments to look at for a remaining reader.
pub(super) fn drop_all_access<V: View>(draft: &mut Draft<V>, id: &IdentityId, ts_ms: u64) -> Vec<NsId> {
    let held = draft.held_by(id);
    let read: Vec<NsId> =
        held.iter().filter(|ns| draft.access(ns, id).is_some_and(|access| access.permissions & permission::READ != 0)).copied().collect();
    for ns in &held {
        draft.drop_access(ns, id);
    }
    for ns in &read {
        draft.owe(ns, Some(id), ts_ms);
    }
    read
}

/// Every environment among `namespaces` keeps a live reader, unless the link says `abandon`.
pub(super) fn require_reader<V: View>(draft: &Draft<V>, namespaces: &[NsId], abandon: bool, ts_ms: u64) -> Result<(), Fault> {
    let orphaned = |id: &NsId| {
        draft.ns(id).is_some_and(|ns| ns.parent.is_none() && ns.class != class::DIRECTORY && !ns.archived)
            && draft.direct_readers(id, ts_ms).is_empty()
    };
    if !abandon && namespaces.iter().any(orphaned) {
        return Err(forbidden("the link leaves an environment without a reader and does not say abandon"));
    }
    Ok(())
}

/// Moves the counts of members and guardians from one state of a member to the next; a guardian always remains.
pub(super) fn count_member<V: View>(draft: &mut Draft<V>, before: Option<&Member>, after: Option<&Member>) -> Result<(), Fault> {
    let guards = |member: Option<&Member>| u64::from(member.is_some_and(|m| owner_or_recovery(m) && m.expires_ms == 0 && !m.pending));
    let present = |member: Option<&Member>| u64::from(member.is_some_and(|m| m.role != role::REMOVED));
    let Some(mut chain) = draft.chain() else { return Err(Fault::new(Code::State, "the chain has no state")) };
    chain.members = (chain.members + present(after)).saturating_sub(present(before));
    chain.guardians = (chain.guardians + guards(after)).saturating_sub(guards(before));
    if chain.guardians == 0 {
        return Err(forbidden("an owner or recovery identity without expiry must remain"));
    }
    if chain.members > limits::MAX_MEMBERS {
        return Err(Fault::new(Code::Limit, "an organization has at most 10,000 members"));
    }
    draft.put(Key::chain(), Entry::Chain(chain));
    Ok(())
}

/// Type 14: an owner changes the policy; floors only rise.
pub(super) fn policy_set<V: View>(draft: &mut Draft<V>, step: &Step, next: &Policy) -> Result<Vec<WrapNeed>, Fault> {
    if author(draft, step)?.role != role::OWNER {
        return Err(forbidden("the policy is an owner's to set"));
    }
    check_policy(next)?;
    if next.min_suite < policy(draft)?.min_suite {
        return Err(forbidden("the suite floor only rises"));
    }
    draft.put(Key::policy(), Entry::Policy(next.clone()));
    Ok(vec![])
}

/// A policy this program can follow.
pub(super) fn check_policy(policy: &Policy) -> Result<(), Fault> {
    if policy.min_suite == 0 || policy.min_suite > crate::SUITE {
        return Err(Fault::new(Code::Upgrade, "the policy asks for an unknown suite: upgrade required"));
    }
    Ok(())
}
