//! Changing a membership: role and end. The directory of names follows the role: who may let others in also names them.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::organization::fences::Loss;
use crate::team::members::give;
use crate::vault::Vault;
use keyvawlt_ledger::IdentityId;
use keyvawlt_ledger::chain::{Body, MemberSet, Questions, ends_sooner, permission, role};

impl Vault {
    /// Gives a member another role, or another end; 0 for none.
    pub async fn set_member(&mut self, id: &IdentityId, to: u8, expires_ms: u64) -> Result<()> {
        self.change_taking([Loss::Membership(*id)], |change| {
            let before = change.replica.head().member(id).filter(|member| member.role != role::REMOVED);
            let before = before.ok_or_else(|| Error::not_found("member", id.to_string()))?;
            let directory = change.vault().directory_id()?;
            let (bits, now) = (directory_bits(to), change.ts_ms());
            let held = change.replica.head().access(&directory, id);
            let follows = held.as_ref().is_some_and(|held| held.permissions != bits || held.expires_ms != expires_ms);
            let named = before.role != role::MACHINE && before.role != role::RECOVERY && !before.pending;
            // Whoever becomes less writes the directory no more before the role says so; whoever becomes more may do so after.
            let lowers = held.is_some_and(|held| held.permissions & !bits != 0);
            if named && follows && lowers {
                give(change, id, &directory, bits, expires_ms)?;
            }
            end_or_role(change, id, to, expires_ms)?;
            if named && follows && !lowers && change.replica.head().active_member(id, now).is_some() {
                give(change, id, &directory, bits, expires_ms)?;
            }
            Ok(())
        })
        .await
    }
}

/// One MemberSet link, with fences where the end comes sooner. Its change must know the heads of a loss of membership.
pub(crate) fn end_or_role(change: &mut Change, id: &IdentityId, to: u8, expires_ms: u64) -> Result<()> {
    let before = change.replica.head().member(id).ok_or_else(|| Error::not_found("member", id.to_string()))?;
    let sooner = ends_sooner(expires_ms, before.expires_ms);
    let fences = if sooner { change.fences(&Loss::Membership(*id))? } else { vec![] };
    let body = MemberSet { identity_id: *id, role: to, expires_ms, confirm: false, fences };
    change.link(&Body::MemberSet(body), vec![]).map(|_| ())
}

/// What a role may do in the directory.
pub(crate) fn directory_bits(of: u8) -> u8 {
    match of {
        role::OWNER | role::ADMIN => permission::READ | permission::WRITE | permission::MANAGE,
        _ => permission::READ,
    }
}
