//! Who checks which key next: each is one runner's for one interval, so that several do not ask a provider at once.
//!
//! It orders work and proves nothing: a runner checks only what it may decrypt, and keeps its own pauses besides.

use super::report::{empty, write};
use super::row::{Place, state_of};
use super::state::State;
use super::sweep::stale_at;
use crate::authorize::{Action, Permit};
use crate::clock::holds;
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::key_health;
use std::collections::BTreeSet;

/// The shortest interval: a key does not die by the minute, and providers mind.
pub const MIN_INTERVAL_MS: u64 = 5 * 60 * 1000;
/// The longest: beyond it nobody would call it watching.
pub const MAX_INTERVAL_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// A round comes up to a fifth early, so what was checked this part of an interval ago is due.
const DUE_AFTER_PERCENT: u64 = 75;
/// Whoever took a key and does not report loses it after this part of the interval.
const LEASE_PERCENT: u64 = 50;

/// One version of one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyCheck {
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// Which version.
    pub version: u64,
}

/// Asks which of these keys to check now.
#[derive(Clone, Debug)]
pub struct LeaseKeyChecks {
    /// In which organization.
    pub org: OrgId,
    /// How often each is to be checked, milliseconds.
    pub interval_ms: u64,
    /// Which.
    pub keys: Vec<KeyCheck>,
}

impl Action for LeaseKeyChecks {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::LeaseKeyChecks]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        let namespaces: BTreeSet<NsId> = self.keys.iter().map(|key| key.ns).collect();
        namespaces.into_iter().collect()
    }
}

/// Gives the caller those that are due, until half of the interval has passed.
pub async fn lease_key_checks(permit: &Permit<'_, LeaseKeyChecks>) -> Result<Vec<KeyCheck>> {
    let LeaseKeyChecks { org, interval_ms, keys } = permit.action();
    let tx = permit.tx();
    if !(MIN_INTERVAL_MS..=MAX_INTERVAL_MS).contains(interval_ms) {
        return Err(Error::invalid("interval_ms", "from five minutes to seven days"));
    }
    let (runner, _) = permit.caller().identity().ok_or(Error::Forbidden)?;
    let now = tx.now_ms();
    tx.lock_org(org).await?;
    let mut granted = Vec::new();
    for key in keys {
        let place = Place { org: *org, ns: key.ns, secret: key.secret, version: key.version };
        let Some(standing) = place.standing(tx).await?.filter(|standing| standing.counts(key.version)) else { continue };
        let mut row = place.row(tx).await?.unwrap_or_else(|| empty(&place));
        let recent = row.newest_at.is_some_and(|at| number(at).saturating_add(interval_ms * DUE_AFTER_PERCENT / 100) > now);
        let is_leased = row.lease_until.map(number).is_some_and(|until| holds(until, lease_ms(&row), now));
        let others = is_leased && row.leased_by.as_deref() != Some(runner.as_ref());
        if recent || others || state_of(&row)? == State::Invalid {
            continue;
        }
        row.provider = standing.provider;
        row.interval = Some(column(*interval_ms));
        row.lease_until = Some(column(now + interval_ms * LEASE_PERCENT / 100));
        row.leased_by = Some(runner.0.to_vec());
        // A promise counts from here on: a runner that never reports is noticed.
        row.stale_at = row.stale_at.or(Some(stale_at(now, *interval_ms)));
        write(tx, row).await?;
        granted.push(*key);
    }
    Ok(granted)
}

/// How long the last lease of a key could hold.
fn lease_ms(row: &key_health::Model) -> u64 {
    row.interval.map_or(0, number) * LEASE_PERCENT / 100
}
