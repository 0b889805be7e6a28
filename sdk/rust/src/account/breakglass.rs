//! The break-glass identity: a visible member that reads and manages every environment, and whose seed lies on paper.
//!
//! It is there for the day on which the last owner is lost. It can hand on what it holds, so it writes and manages too; whoever uses it is seen
//! doing so on the chain. Absent: keeping any of it on a machine.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::organization::check_name;
use crate::organization::directory;
use crate::random::rng;
use crate::session::Session;
use crate::team::members::give;
use crate::vault::Vault;
use crate::wire::Client;
use keyvawlt_crypto::shamir::Share;
use keyvawlt_crypto::{BreakGlass, Identity};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Body, Key, MemberAdd, MemberSet, Questions, View, class, permission, role, verified};
use keyvawlt_ledger::{IdentityId, NsId};
use std::sync::Arc;

/// All that can be held in an environment.
const EVERYTHING: u8 = permission::READ | permission::WRITE | permission::MANAGE;

/// Owners and break-glass identities that an organization with production wants: one alone may be lost.
const WANTED_GUARDIANS: usize = 2;

/// The shares of a break-glass code, each for somebody else.
pub fn split_break_glass(glass: &BreakGlass, threshold: u8, count: u8) -> Result<Vec<Share>> {
    glass.split(threshold, count, &mut rng()).map_err(|fault| Error::invalid("shares", fault.why))
}

/// What a drill has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Environments whose present key and secrets open: their names, and how many secrets.
    pub opened: Vec<(String, usize)>,
    /// Environments that it does not read.
    pub missing: Vec<String>,
}

impl Vault {
    /// Makes a break-glass identity, which gets every environment that this owner manages. What is returned is the only copy of its seed.
    pub async fn create_break_glass(&mut self, name: &str) -> Result<BreakGlass> {
        check_name(name)?;
        self.change(|change| {
            let identity = Identity::make(kind::RECOVERY, change.ts_ms(), &mut rng());
            let body =
                MemberAdd { bundle: identity.signed_bundle().clone(), role: role::RECOVERY, expires_ms: 0, verified: verified::MADE };
            change.link(&Body::MemberAdd(body), vec![])?;
            hand_on(change, &identity.id())?;
            // What is printed starts from a state that it can hold the server to.
            change.checkpoint()?;
            let tip = change.replica.tip();
            let (org_id, seq, link_hash) = (tip.org_id, tip.next_seq() - 1, tip.link_hash);
            directory::note(change, &[(directory::person_key(&identity.id()), name.to_owned())])?;
            Ok(BreakGlass::new(&identity, org_id, seq, link_hash, change.vault().client().origin()))
        })
        .await
    }

    /// As a break-glass identity: makes a member owner, with all that this identity holds.
    pub async fn raise_to_owner(&mut self, id: &IdentityId) -> Result<()> {
        self.change(|change| {
            let member = change.replica.head().member(id).ok_or_else(|| Error::not_found("member", id.to_string()))?;
            if member.role != role::OWNER || member.expires_ms != 0 {
                let body = MemberSet { identity_id: *id, role: role::OWNER, expires_ms: 0, confirm: member.pending, fences: vec![] };
                change.link(&Body::MemberSet(body), vec![])?;
            }
            hand_on(change, id)
        })
        .await
    }

    /// Opens the present key of every environment, and every secret in it. Changes nothing.
    pub async fn drill(&mut self) -> Result<Drill> {
        let mut opened = Vec::new();
        let environments = self.environments()?;
        for environment in &environments {
            self.fetch_all(&environment.ns_id).await?;
            let secrets = self.read_all(&environment.ns_id)?;
            opened.push((format!("{}/{}", environment.project, environment.name), secrets.len()));
        }
        Ok(Drill { opened, missing: self.unread_by(&self.identity().id())? })
    }

    /// Environments that an identity does not read: their names, as far as they are known here.
    pub fn unread_by(&self, id: &IdentityId) -> Result<Vec<String>> {
        let names = self.place_names()?;
        let state = self.chain().head();
        let unread = live_environments(&state).into_iter().filter(|ns| self.permissions(ns, id) & permission::READ == 0);
        Ok(unread.map(|ns| names.get(&ns).cloned().unwrap_or_else(|| ns.to_string())).collect())
    }

    /// Whether there is production, and so few owners and break-glass identities that losing one loses all.
    pub fn lacks_a_guardian(&self) -> bool {
        let state = self.chain().head();
        let production = live_environments(&state).iter().any(|ns| state.ns(ns).is_some_and(|ns| ns.class == class::PRODUCTION));
        let guards = |id: &IdentityId| {
            let member = state.active_member(id, self.now_ms());
            member.is_some_and(|member| matches!(member.role, role::OWNER | role::RECOVERY) && member.expires_ms == 0)
        };
        let guardians = state.scan(b"member/").iter().filter_map(Key::last_id).map(IdentityId).filter(guards).count();
        production && guardians < WANTED_GUARDIANS
    }
}

impl Client {
    /// Opens an organization as the break-glass identity whose paper this is.
    pub async fn break_glass(&self, glass: &BreakGlass, state: &StateDir) -> Result<Vault> {
        if glass.origin() != self.origin() {
            return Err(Error::invalid("break-glass code", format!("it is for the server {}", glass.origin())));
        }
        let identity = glass.identity();
        let auth = identity.auth_key().clone();
        let subject = Subject::Identity(identity.id(), identity.key_id());
        let session =
            Session::new(self.clone(), subject, move |subject, origin, now_s, jti| assertion::make(subject, origin, now_s, jti, &auth));
        Vault::open(session, Arc::new(identity), glass.org_id(), state, Some(glass.anchor())).await
    }
}

/// Gives somebody everything in each environment that the author manages and reads, and the directory's names.
fn hand_on(change: &mut Change, id: &IdentityId) -> Result<()> {
    let own = change.vault().identity().id();
    let now = change.ts_ms();
    let holds = |change: &Change, ns: &NsId, bits: u8| change.replica.head().permissions(ns, &own, now) & bits == bits;
    let lacks = |change: &Change, ns: &NsId, bits: u8| change.replica.head().permissions(ns, id, now) & bits != bits;
    for ns in live_environments(&change.replica.head()) {
        if holds(change, &ns, EVERYTHING) && lacks(change, &ns, EVERYTHING) {
            give(change, id, &ns, EVERYTHING, 0)?;
        }
    }
    let directory = change.replica.head().chain().and_then(|chain| chain.directory);
    if let Some(directory) = directory
        && holds(change, &directory, EVERYTHING)
        && lacks(change, &directory, EVERYTHING)
    {
        give(change, id, &directory, EVERYTHING, 0)?;
    }
    Ok(())
}

/// Every break-glass identity gets a new environment.
pub(crate) fn give_to_break_glass(change: &mut Change, ns_id: &NsId) -> Result<()> {
    let (state, now) = (change.replica.head(), change.ts_ms());
    let recovers = |id: &IdentityId| state.active_member(id, now).is_some_and(|member| member.role == role::RECOVERY);
    let recovery: Vec<IdentityId> = state.scan(b"member/").iter().filter_map(Key::last_id).map(IdentityId).filter(recovers).collect();
    recovery.iter().try_for_each(|id| give(change, id, ns_id, EVERYTHING, 0))
}

/// Roots that are in use, but the directory.
fn live_environments(state: &impl View) -> Vec<NsId> {
    let live = |id: &NsId| state.ns(id).is_some_and(|ns| ns.parent.is_none() && !ns.archived && ns.class != class::DIRECTORY);
    state.scan(b"ns/").iter().filter_map(Key::last_id).map(NsId).filter(live).collect()
}
