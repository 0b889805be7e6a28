//! How far somebody has verified an organization, to be kept outside of this machine: a client without memory then still knows what the server must
//! not take back. And how old the newest thing is that anybody signed.
//!
//! A position never fails for its age, nor for namespaces made or archived since: only for a history that does not contain it.

use crate::change::Change;
use crate::error::Result;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Body, Checkpoint, Head, Questions, role};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId};

/// A moment in an organization's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The server's origin.
    pub origin: String,
    /// The organization.
    pub org_id: OrgId,
    /// The newest link.
    pub seq: u64,
    /// Its hash.
    pub link_hash: Hash,
    /// The newest manifest links of namespaces.
    pub heads: Vec<Head>,
}

impl Vault {
    /// Where the history now stands, with the heads of these environments and of what is guarded in them.
    pub fn position(&self, environments: &[NsId]) -> Position {
        let (tip, state) = (self.replica.tip(), self.replica.head());
        let family = environments.iter().flat_map(|environment| state.family(environment));
        let heads = family.filter_map(|ns_id| self.spaces.tip(&ns_id)).map(crate::memory::spaces::head_of);
        Position {
            origin: self.client().origin().to_owned(),
            org_id: self.org_id,
            seq: tip.next_seq().saturating_sub(1),
            link_hash: tip.link_hash,
            heads: heads.collect(),
        }
    }

    /// Fails unless the verified history contains a position. Heads of namespaces that this identity does not read are left to those who do.
    pub async fn check_position(&self, position: &Position) -> Result<()> {
        if position.org_id != self.org_id {
            return Err(unverified(Fault::new(Code::OrgId, "the lock is for another organization")));
        }
        let known = position.seq.checked_sub(self.replica.base()).map(|_| self.replica.link(position.seq));
        let link = match known {
            Some(link) => link,
            // This client began later than the lock.
            None => self.replay(&self.replica).await?.link(position.seq),
        };
        match link {
            Some((hash, _)) if hash == position.link_hash => {}
            Some(_) => return Err(unverified(Fault::new(Code::Fork, "the organization's history differs from the one that was locked"))),
            None => {
                let why = "the server shows an older organization than the one that was locked";
                return Err(unverified(Fault::new(Code::Rollback, why)));
            }
        }
        for head in &position.heads {
            // Where this client started from a listing, the lock may name a head from before it.
            if self.spaces.forgot(head)? { self.prove_head(head).await? } else { self.spaces.check_head(head)? }
        }
        Ok(())
    }

    /// When the newest statement was signed that tells how an environment stands: on the organization's chain, or in it.
    pub fn newest_ms(&self, environment: &NsId) -> u64 {
        let state = self.replica.head();
        let chain = state.chain().map_or(0, |chain| chain.last_ts_ms);
        let written = state.family(environment).into_iter().filter_map(|ns_id| self.spaces.tip(&ns_id)).map(|tip| tip.ts_ms);
        written.fold(chain, u64::max)
    }

    /// The organization's own limit of staleness.
    pub fn max_staleness_ms(&self) -> Option<u64> {
        self.replica.head().policy().and_then(|policy| policy.max_staleness_ms)
    }

    /// Says that the organization stands as this client sees it, so that others notice when they are shown an older one.
    pub async fn heartbeat(&mut self) -> Result<()> {
        self.change(|change: &mut Change| change.link(&Body::Checkpoint(Checkpoint { state_hash: None }), vec![]).map(|_| ())).await
    }

    /// Whether a machine of this name may give heartbeats now.
    pub fn has_heartbeat(&self, machine: &str) -> Result<bool> {
        let state = self.replica.head();
        let named = self.members()?.into_iter().filter(|member| member.role == role::MACHINE && member.name == machine);
        Ok(named.filter_map(|member| state.active_member(&member.id, self.now_ms())).count() > 0)
    }

    /// Fails if nothing newer than `limit_ms` was signed: by nobody, or kept back by the server.
    pub fn check_fresh(&self, environment: &NsId, limit_ms: u64) -> Result<()> {
        let age = self.now_ms().saturating_sub(self.newest_ms(environment));
        if age <= limit_ms {
            return Ok(());
        }
        let told = |ms: u64| if ms < 120_000 { format!("{} seconds", ms / 1000) } else { format!("{} minutes", ms / 60_000) };
        let why = format!("the newest statement is {} old, and the limit is {}", told(age), told(limit_ms));
        Err(unverified(Fault::new(Code::Stale, why)))
    }
}
