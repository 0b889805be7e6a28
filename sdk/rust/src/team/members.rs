//! Members: who they are, what they may do, and giving access.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::organization::directory;
use crate::organization::fences::Loss;
use crate::vault::Vault;
use keyvawlt_crypto::safety_words;
use keyvawlt_ledger::chain::{Access, Body, Key, MemberSet, Questions, View, is_live, permission, role};
use keyvawlt_ledger::{IdentityId, KeyId, NsId};
use std::collections::BTreeMap;

/// A member, as the verified chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// The identity.
    pub id: IdentityId,
    /// The identity's keys.
    pub key_id: KeyId,
    /// The directory's name for it, or its id.
    pub name: String,
    /// The role.
    pub role: u8,
    /// Until when; 0 for ever.
    pub expires_ms: u64,
    /// Waits for confirmation.
    pub pending: bool,
    /// How the keys were verified.
    pub verified: u8,
    /// To compare by voice.
    pub words: [&'static str; 10],
    /// Explicit access: where, what, until when.
    pub access: Vec<(NsId, u8, u64)>,
    /// Access that was intended by the invite and not given yet.
    pub intended: Vec<(NsId, u8, u64)>,
}

impl Vault {
    /// The present members.
    pub fn members(&self) -> Result<Vec<MemberInfo>> {
        let names = self.display_names()?;
        let state = self.replica.head();
        let promises = Promises::of(self)?;
        let mut members = Vec::new();
        for id in state.scan(b"member/").iter().filter_map(Key::last_id).map(IdentityId) {
            let Some(member) = state.member(&id).filter(|member| member.role != role::REMOVED) else { continue };
            let access = state
                .held_by(&id)
                .into_iter()
                .filter_map(|ns| state.access(&ns, &id).map(|access| (ns, access.permissions, access.expires_ms)));
            members.push(MemberInfo {
                id,
                key_id: member.key_id,
                name: names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
                role: member.role,
                expires_ms: member.expires_ms,
                pending: member.pending,
                verified: member.verified,
                words: safety_words(&member.key_id),
                access: access.collect(),
                intended: promises.outstanding(&state, &id, self.now_ms()),
            });
        }
        Ok(members)
    }

    /// A member by display name, or by the beginning of the id.
    pub fn member(&self, name: &str) -> Result<MemberInfo> {
        let members = self.members()?;
        let named: Vec<&MemberInfo> = members.iter().filter(|member| member.name == name).collect();
        let by_id = || members.iter().filter(|member| name.len() >= 6 && member.id.to_string().starts_with(name)).collect::<Vec<_>>();
        let found = if named.is_empty() { by_id() } else { named };
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Error::not_found("member", name)),
            _ => Err(Error::invalid("member", format!("{name} is not unique: use the id"))),
        }
    }

    /// Gives access to one namespace; with read, the key is wrapped for the receiver.
    pub async fn grant(&mut self, id: &IdentityId, ns_id: &NsId, permissions: u8, expires_ms: u64) -> Result<()> {
        let loss = Loss::Access { ns_id: *ns_id, of: *id, permissions, expires_ms };
        self.change_taking(Some(loss), |change| give(change, id, ns_id, permissions, expires_ms)).await
    }

    /// Gives what a joined member's invite intended, once: it is noted, so that access taken away later is not given again.
    pub async fn grant_intended(&mut self, id: &IdentityId) -> Result<usize> {
        self.change(|change| {
            let intended = Promises::of(change.vault())?.outstanding(&change.replica.head(), id, change.ts_ms());
            for (ns_id, permissions, expires_ms) in &intended {
                give(change, id, ns_id, *permissions, *expires_ms)?;
            }
            if !intended.is_empty() {
                let by = change.vault().identity.id().to_string();
                directory::note(change, &[(directory::welcome_key(id), by)])?;
            }
            Ok(intended.len())
        })
        .await
    }

    /// Confirms a pending join after its words were compared.
    pub async fn confirm_member(&mut self, id: &IdentityId) -> Result<()> {
        self.change(|change| {
            let member = change.replica.head().member(id).ok_or_else(|| Error::not_found("member", id.to_string()))?;
            let body = MemberSet { identity_id: *id, role: member.role, expires_ms: member.expires_ms, confirm: true, fences: vec![] };
            change.link(&Body::MemberSet(body), vec![]).map(|_| ())
        })
        .await
    }

    /// Display names of identities, former members included: noted for people and machines, or given by the invite they came with.
    pub fn display_names(&self) -> Result<BTreeMap<IdentityId, String>> {
        let entries = self.directory()?;
        let mut names = BTreeMap::new();
        for invite in self.invites()? {
            if let Some(id) = invite.used_by {
                names.insert(id, invite.name);
            }
        }
        for (key, name) in entries {
            let id = key.strip_prefix("people/").or_else(|| key.strip_prefix("machines/")).and_then(|id| id.parse().ok());
            names.extend(id.map(|id: IdentityId| (id, name)));
        }
        Ok(names)
    }
}

/// What used invites intended, by who used them, except where an admin has given it.
struct Promises(BTreeMap<IdentityId, Vec<(NsId, u8, u64)>>);

impl Promises {
    fn of(vault: &Vault) -> Result<Self> {
        let entries = vault.directory()?;
        let kept = |id: &IdentityId| entries.contains_key(&directory::welcome_key(id));
        let used = vault.invites()?.into_iter().filter_map(|invite| Some((invite.used_by?, invite.intended)));
        Ok(Self(used.filter(|(id, _)| !kept(id)).collect()))
    }

    fn outstanding(&self, state: &impl Questions, id: &IdentityId, now_ms: u64) -> Vec<(NsId, u8, u64)> {
        let lacks = |(ns_id, permissions, expires_ms): &&(NsId, u8, u64)| {
            is_live(*expires_ms, now_ms) && state.permissions(ns_id, id, now_ms) & permissions != *permissions
        };
        self.0.get(id).into_iter().flatten().filter(lacks).copied().collect()
    }
}

/// One Access link, with its wrap where the receiver does not hold the key yet.
pub(crate) fn give(change: &mut Change, id: &IdentityId, ns_id: &NsId, permissions: u8, expires_ms: u64) -> Result<()> {
    if permissions == 0 {
        return Err(Error::invalid("permissions", "use revoke to take access"));
    }
    change.settle(ns_id)?;
    let now = change.ts_ms();
    let state = change.replica.head();
    let epoch = state.known_ns(ns_id).map_err(Error::Refused)?.epoch;
    let live = state.access(ns_id, id).filter(|access| is_live(access.expires_ms, now));
    let old = live.map_or(0, |access| access.permissions);
    let needs_wrap = permissions & permission::READ != 0 && old & permission::READ == 0;
    let record = if needs_wrap { Some(change.wrap_for(ns_id, epoch, &change.key(ns_id, epoch)?, id)?) } else { None };
    let fences = change.fences(&Loss::Access { ns_id: *ns_id, of: *id, permissions, expires_ms })?;
    let wrap = record.as_ref().map(keyvawlt_ledger::wrap::Wrap::hash);
    let body = Access { ns_id: *ns_id, identity_id: *id, permissions, expires_ms, wrap, fences, abandon: false };
    change.link(&Body::Access(body), record.into_iter().collect()).map(|_| ())
}
