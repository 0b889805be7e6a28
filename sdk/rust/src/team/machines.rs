//! Machines: agents, CI jobs, services. Admitted with few rights that end, and a token that is shown once.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::organization::check_name;
use crate::organization::directory;
use crate::organization::fences::Loss;
use crate::random::rng;
use crate::session::Session;
use crate::team::members::give;
use crate::team::membership::end_or_role;
use crate::vault::Vault;
use crate::wire::Client;
use keyvawlt_crypto::{Identity, MachineToken};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Body, MemberAdd, Questions, is_live, role, verified};
use keyvawlt_ledger::{IdentityId, NsId};

/// A machine to admit.
#[derive(Clone, Debug)]
pub struct NewMachine {
    /// How people will see it.
    pub name: String,
    /// What it may do where: read or write, never manage.
    pub access: Vec<(NsId, u8)>,
    /// How long, milliseconds; machines always expire.
    pub ttl_ms: u64,
}

impl Vault {
    /// Admits a machine whose keys are made here. The token is the only copy of its seed.
    pub async fn create_machine(&mut self, new: &NewMachine) -> Result<MachineToken> {
        check_name(&new.name)?;
        if new.access.is_empty() {
            return Err(Error::invalid("access", "a machine needs access to at least one environment"));
        }
        self.change(|change| admit(change, new)).await
    }
}

impl Vault {
    /// Gives a machine a new token: a new identity with the same name and access. The old one ends after the overlap, or when it would have
    /// ended anyway; until then both work.
    pub async fn replace_machine(&mut self, old: &IdentityId, ttl_ms: u64, overlap_ms: u64) -> Result<MachineToken> {
        if overlap_ms == 0 || overlap_ms > MAX_OVERLAP_MS {
            return Err(Error::invalid("overlap", "the old token stays valid for more than nothing, and for at most 30 days"));
        }
        self.change_taking([Loss::Membership(*old)], |change| replace(change, old, ttl_ms, overlap_ms)).await
    }
}

impl Client {
    /// Opens an organization as the machine whose token this is.
    pub async fn machine(&self, token: &MachineToken, state: &StateDir) -> Result<Vault> {
        if token.origin != self.origin() {
            return Err(Error::invalid("token", format!("it is for the server {}", token.origin)));
        }
        let identity = token.identity();
        let auth = identity.auth_key().clone();
        let subject = Subject::Identity(identity.id(), identity.key_id());
        let session =
            Session::new(self.clone(), subject, move |subject, origin, now_s, jti| assertion::make(subject, origin, now_s, jti, &auth));
        let state = state.below(&format!("machine-{}", identity.id()))?;
        Vault::open(session, std::sync::Arc::new(identity), token.org_id, &state, Some((token.seq, token.link_hash))).await
    }
}

fn admit(change: &mut Change, new: &NewMachine) -> Result<MachineToken> {
    let now = change.ts_ms();
    let identity = Identity::make(kind::MACHINE, now, &mut rng());
    let expires_ms = end_of(now, new.ttl_ms)?;
    let body = MemberAdd { bundle: identity.signed_bundle().clone(), role: role::MACHINE, expires_ms, verified: verified::MADE };
    change.link(&Body::MemberAdd(body), vec![])?;
    for (ns_id, permissions) in &new.access {
        give(change, &identity.id(), ns_id, *permissions, expires_ms)?;
    }
    // The token pins a state that its holder can start from.
    change.checkpoint()?;
    change.anchor_anew(new.access.iter().map(|(ns_id, _)| *ns_id))?;
    let (seq, link_hash) = (change.replica.tip().next_seq() - 1, change.replica.tip().link_hash);
    directory::note(change, &[(directory::machine_key(&identity.id()), new.name.clone())])?;
    let origin = change.vault().session.client().origin().to_owned();
    Ok(MachineToken::new(&identity, change.replica.tip().org_id, seq, link_hash, origin))
}

fn replace(change: &mut Change, old: &IdentityId, ttl_ms: u64, overlap_ms: u64) -> Result<MachineToken> {
    let (now, state) = (change.ts_ms(), change.replica.head());
    let before = state.active_member(old, now).filter(|member| member.role == role::MACHINE);
    let before = before.ok_or_else(|| Error::not_found("machine that has not ended", old.to_string()))?;
    let live =
        |ns_id: NsId| state.access(&ns_id, old).filter(|access| is_live(access.expires_ms, now)).map(|access| (ns_id, access.permissions));
    let access: Vec<(NsId, u8)> = state.held_by(old).into_iter().filter_map(live).collect();
    if access.is_empty() {
        return Err(Error::invalid("machine", "it has no access that a new token could have"));
    }
    let name = change.vault().display_names()?.remove(old).unwrap_or_else(|| old.to_string());
    let ends = end_of(now, overlap_ms)?.min(before.expires_ms);
    if ends < before.expires_ms {
        end_or_role(change, old, role::MACHINE, ends)?;
    }
    let replaced = format!(
        "{} (replaced {})",
        name.chars().take(NAME_KEPT).collect::<String>(),
        old.to_string().chars().take(ID_SHOWN).collect::<String>()
    );
    let token = admit(change, &NewMachine { name, access, ttl_ms })?;
    directory::note(change, &[(directory::machine_key(old), replaced)])?;
    Ok(token)
}

/// An old token that works for longer than a month is not being replaced.
pub const MAX_OVERLAP_MS: u64 = 30 * 24 * 3600 * 1000;
/// Characters of a replaced machine's name that fit beside the note that it was.
const NAME_KEPT: usize = 24;
/// Digits that tell replaced machines of one name apart.
const ID_SHOWN: usize = 12;

/// When something that lasts `ttl_ms` ends.
pub(crate) fn end_of(now_ms: u64, ttl_ms: u64) -> Result<u64> {
    now_ms.checked_add(ttl_ms).ok_or_else(|| Error::invalid("duration", "it ends beyond all time"))
}
