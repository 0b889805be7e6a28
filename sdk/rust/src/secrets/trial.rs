//! New versions that do not work: of a secret whose owner named a monitor, the rotation is done when that is well and no finding says that the key
//! is refused.
//!
//! Which versions are on trial follows from verified facts and histories, what is found out about keys is signed; what the monitor says is the server's
//! word, which nothing but a reminder depends on.

use crate::error::Result;
use crate::health::Verdict;
use crate::monitors::{MonitorState, in_hex};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::chain::permission;
use keyvawlt_ledger::trial::{Trial, Trouble, Watched, ends_ms, stands};
use keyvawlt_ledger::{NsId, SecretId, facts};
use std::collections::BTreeMap;

/// What is wrong with new versions, by where their secrets lie.
pub(crate) type Troubles = BTreeMap<(NsId, SecretId), Trouble>;

/// A version that replaced another, and is watched.
struct Candidate {
    place: (NsId, SecretId),
    written_ms: u64,
    monitor: String,
}

impl Vault {
    /// What is wrong with the new versions of an environment; its history is taken. Without any that is watched, nobody is asked.
    pub(crate) async fn troubles(&mut self, environment: &NsId) -> Result<Troubles> {
        let candidates = self.on_trial(environment)?;
        if candidates.is_empty() {
            return Ok(Troubles::new());
        }
        // Who reads a folder alone sees no monitors but the organization's.
        let reads = self.permissions(environment, &self.identity.id()) & permission::READ != 0;
        let places: &[NsId] = if reads { std::slice::from_ref(environment) } else { &[] };
        let monitors: BTreeMap<String, (Watched, u64)> = self
            .monitors(places)
            .await?
            .iter()
            .map(|it| {
                let interval_ms = it.target.as_ref().map_or(0, |target| target.interval_ms);
                (in_hex(&it.monitor_id), (monitor_says(it.state(), it.since_ms), interval_ms))
            })
            .collect();
        let findings = self.key_health(environment).await?.into_iter().filter(|key| key.is_current);
        let keys: BTreeMap<(NsId, SecretId), Watched> =
            findings.map(|key| ((key.ns_id, key.secret_id), findings_say(key.verdict, key.refused_since_ms))).collect();
        let now_ms = self.now_ms();
        let failing = candidates.into_iter().filter_map(|it| {
            let (monitor, interval_ms) = monitors.get(&it.monitor).copied().unwrap_or((Watched::Nobody, 0));
            let key = keys.get(&it.place).copied().unwrap_or(Watched::Nobody);
            match stands(ends_ms(it.written_ms, interval_ms), monitor, key, now_ms) {
                Trial::Failing(trouble) => Some((it.place, trouble)),
                Trial::Running | Trial::Passed => None,
            }
        });
        Ok(failing.collect())
    }

    fn on_trial(&self, environment: &NsId) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::new();
        for found in self.index(environment)?.usable().filter(|found| !found.leaf.is_deleted() && found.leaf.version > 1) {
            let monitor = facts::read(&found.objects.facts).map_err(unverified)?.and_then(|facts| facts.monitor);
            if let Some((monitor, written_ms)) = monitor.zip(self.written_ms(found)) {
                candidates.push(Candidate { place: (found.space.tip.ns_id, found.leaf.secret_id), written_ms, monitor });
            }
        }
        Ok(candidates)
    }
}

/// What a monitor says of a version on trial. Nobody watches what somebody paused.
fn monitor_says(state: MonitorState, since_ms: u64) -> Watched {
    match state {
        MonitorState::Up | MonitorState::Degraded => Watched::Well,
        MonitorState::Down | MonitorState::Flapping => Watched::Bad(since_ms),
        MonitorState::Paused => Watched::Nobody,
        _ => Watched::Unclear,
    }
}

/// What the findings about its key say.
fn findings_say(verdict: Verdict, refused_since_ms: Option<u64>) -> Watched {
    match verdict {
        Verdict::Works => Watched::Well,
        Verdict::Suspect => Watched::Unclear,
        Verdict::Refused => Watched::Bad(refused_since_ms.unwrap_or(0)),
        Verdict::Unknown => Watched::Nobody,
    }
}
