//! Heartbeats: once a writer's right has lapsed, a client with write appends a manifest link that writes nothing. Links never go back in time,
//! so whoever lapsed, even with a server that lies, adds nothing dated before his end to a manifest that holds one.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::vault::Vault;
use keyvawlt_ledger::NsId;
use keyvawlt_ledger::chain::{Questions, View, permission};
use keyvawlt_ledger::limits::CHECKPOINT_INTERVAL;
use std::collections::BTreeSet;

/// Heartbeats of one change: each costs a signature here and its check there; the next change writes the rest.
const HEARTBEATS_PER_CHANGE: usize = 100;

impl Vault {
    /// Asks what changed, and verifies it; where a writer's right has lapsed, says so in the manifest. After an error the last good state stays
    /// as it was.
    pub async fn sync(&mut self) -> Result<()> {
        self.take_news().await?;
        if self.silent(&self.replica.head(), self.now_ms(), |ns| self.spaces.tip(ns).map(|tip| tip.ts_ms)).is_empty() {
            return Ok(());
        }
        match self.change(|_| Ok(())).await {
            Err(error @ Error::Verification(_)) => Err(error),
            // What was verified holds all the same, and the next client tries again.
            Err(error) => {
                tracing::debug!(%error, "no heartbeat was written");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The namespaces this identity writes in whose newest link, dated by `newest`, is older than a writer's lapse.
    fn silent(&self, state: &impl View, now_ms: u64, newest: impl Fn(&NsId) -> Option<u64>) -> BTreeSet<NsId> {
        let own = self.identity.id();
        let writes = |ns: &&NsId| state.permissions(ns, &own, now_ms) & permission::WRITE != 0;
        let open = |ns: &&NsId| !state.lineage(ns).iter().filter_map(|above| state.ns(above)).any(|ns| ns.archived);
        let late = |ns: &&NsId| newest(ns).is_some_and(|newest| newest < last_lapse(state, ns, now_ms));
        self.spaces.keys().filter(writes).filter(late).filter(open).copied().collect()
    }
}

impl Change<'_> {
    /// Writes heartbeats where the newest manifest link is anchored long before this change: whoever starts at its checkpoint then needs no state
    /// from before. Where this identity does not write, a start takes longer.
    pub(crate) fn anchor_anew(&mut self, environments: impl Iterator<Item = NsId>) -> Result<()> {
        let (own, now_ms, newest) = (self.vault().identity.id(), self.ts_ms(), self.replica.tip().next_seq());
        let family: BTreeSet<NsId> = environments.flat_map(|ns| self.replica.head().family(&ns)).collect();
        let state = self.replica.head();
        let writes = |ns: &NsId| state.permissions(ns, &own, now_ms) & permission::WRITE != 0;
        let long_ago = |ns: &NsId| {
            self.manifest_tip(ns).is_some_and(|tip| tip.mseq > 0 && newest.saturating_sub(tip.anchor_seq) > CHECKPOINT_INTERVAL)
        };
        let stale: Vec<NsId> = family.into_iter().filter(|ns| writes(ns) && long_ago(ns)).take(HEARTBEATS_PER_CHANGE).collect();
        stale.into_iter().try_for_each(|ns| self.heartbeat(ns))
    }

    fn heartbeat(&mut self, ns: NsId) -> Result<()> {
        match self.write(ns, vec![], vec![], vec![]) {
            // Nobody's own change fails for it.
            Err(Error::Refused(fault)) => {
                tracing::debug!(%fault, "no heartbeat was written");
                Ok(())
            }
            written => written,
        }
    }

    /// Writes the heartbeats that are due, after everything else: manifest links are anchored in the newest organization link.
    pub(crate) fn heartbeats(&mut self) -> Result<()> {
        let now_ms = self.ts_ms();
        let silent = self.vault().silent(&self.replica.head(), now_ms, |ns| self.manifest_tip(ns).map(|tip| tip.ts_ms));
        silent.into_iter().take(HEARTBEATS_PER_CHANGE).try_for_each(|ns| self.heartbeat(ns))
    }
}

/// When the last of a namespace's writers lost that right by time alone; 0 for nobody.
fn last_lapse(state: &impl View, ns: &NsId, now_ms: u64) -> u64 {
    let mut last = 0;
    for above in state.lineage(ns) {
        for holder in state.holders(&above) {
            let access = state.access(&above, &holder).filter(|access| access.permissions & permission::WRITE != 0);
            let ends = access.map(|access| [access.expires_ms, state.member(&holder).map_or(0, |member| member.expires_ms)]);
            let ended = ends.into_iter().flatten().filter(|end| (1..=now_ms).contains(end)).min();
            last = last.max(ended.unwrap_or(0));
        }
    }
    last
}
