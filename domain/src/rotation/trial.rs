//! Trials: a reminder to replace a secret is done when its new version is current and, where its owner named a monitor, that is well
//! ([`keyvawlt_ledger::trial`] says when). Until then it stays open, in words of its own.
//!
//! Only a named monitor puts a version on trial: of keys that are refused without one, people hear as of any other.

use super::{Written, stages};
use crate::error::Result;
use crate::organizations::rows::Rows;
use crate::store::{Tx, number};
use crate::{key_health, monitors};
use keyvawlt_ledger::chain::Questions as _;
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::trial::{TRIAL_MS, Trial, Trouble, Watched, ends_ms, stands};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::rotation;

/// Nobody hears within this time: a deployment takes the new version up, and a monitor that was down comes back.
const FIRST_LOOK_MS: u64 = 60 * 60 * 1000;
/// While nothing is wrong, it is looked at this often: the sweep itself runs as often.
const LOOK_AGAIN_MS: u64 = 60 * 60 * 1000;

/// A trial that was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// When the version was written.
    at_ms: u64,
    trial: Trial,
}

impl Standing {
    /// What is wrong, and from when on people are told.
    pub(crate) fn failing(self) -> Option<(Trouble, u64)> {
        match self.trial {
            Trial::Failing(trouble) => Some((trouble, trouble.since_ms().max(first_look(self.at_ms)))),
            Trial::Running | Trial::Passed => None,
        }
    }

    /// Since when the trial goes on, and when it is looked at next: no more once everything was said.
    pub(super) fn goes_on(self, snoozed_ms: Option<u64>, now_ms: u64) -> Option<(u64, Option<u64>)> {
        let next = match (self.trial, self.failing()) {
            (Trial::Passed, _) => return None,
            (_, Some((_, from))) => stages::next(stages::begins(from, snoozed_ms), now_ms),
            _ => Some(now_ms.saturating_add(LOOK_AGAIN_MS)),
        };
        Some((self.at_ms, next))
    }
}

/// When the version on trial was written: one that replaced another, is watched, and was written a short while ago; or one on trial already.
pub(super) fn at(one: &Written, written_ms: Option<u64>, before: Option<&rotation::Model>, now_ms: u64) -> Option<u64> {
    if !one.live || !one.watched || one.version < 2 {
        return None;
    }
    let known = before.and_then(|row| row.trial_at).map(number);
    known.or(written_ms.filter(|at| now_ms < at.saturating_add(TRIAL_MS)))
}

/// When a trial is looked at first.
pub(super) fn first_look(at_ms: u64) -> u64 {
    at_ms.saturating_add(FIRST_LOOK_MS)
}

/// From when on people may be told of a row's trial.
pub(super) fn begins(row: &rotation::Model) -> Option<u64> {
    row.trial_at.map(|at| first_look(number(at)))
}

/// Looks at the trial of a row whose version is current; `None` where there is none.
pub(crate) async fn look(tx: &Tx, chain: &mut Rows, row: &rotation::Model, facts: Option<&Facts>) -> Result<Option<Standing>> {
    let Some(at_ms) = row.trial_at.map(number) else { return Ok(None) };
    let (org, ns, secret) = (OrgId::from_slice(&row.org_id)?, NsId::from_slice(&row.ns_id)?, SecretId::from_slice(&row.secret_id)?);
    // A monitor of another environment is none of this one's business.
    let lineage = chain.settle(tx, |rows| rows.lineage(&ns)).await?;
    let monitor = match facts.and_then(|facts| facts.monitor.as_deref()) {
        Some(named) => monitors::watched(tx, org, &lineage, named).await?,
        None => None,
    };
    let (monitor, interval_ms) = monitor.unwrap_or((Watched::Nobody, 0));
    let key = key_health::watched(tx, org, (ns, secret), number(row.version)).await?;
    Ok(Some(Standing { at_ms, trial: stands(ends_ms(at_ms, interval_ms), monitor, key, tx.now_ms()) }))
}
