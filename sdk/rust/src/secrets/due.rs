//! What is due: secrets that end, have ended, are older than their owners wanted them to get, were readable by somebody who left, or lack an end
//! they must have.
//!
//! Computed from verified facts and histories, and from signed findings: a server that reminds of nothing is noticed by whoever asks here. Only what
//! monitors say of new versions is the server's word.

use crate::error::Result;
use crate::organization::environments::Environment;
use crate::secrets::index::Found;
use crate::secrets::rules::Severity;
use crate::secrets::trial::Troubles;
use crate::sync::space::unverified;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::facts::{self, Facts};
use keyvawlt_ledger::trial::Trouble;
use keyvawlt_ledger::{NsId, SecretId};
use keyvawlt_proto::v1;

/// A secret that needs somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The namespace that holds it.
    pub ns_id: NsId,
    /// Its id there.
    pub secret_id: SecretId,
    /// Its full name.
    pub name: String,
    /// The present version.
    pub version: u64,
    /// Why.
    pub why: DueWhy,
    /// When it is, or was, to be done, epoch milliseconds; none where only an end is missing.
    pub at_ms: Option<u64>,
    /// What the server was told of it.
    pub facts: Option<Facts>,
}

/// Why a secret needs somebody, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueWhy {
    /// It has ended.
    Expired,
    /// It ends soon.
    Expires,
    /// It is, or soon gets, older than its owner wanted.
    Rotation,
    /// It was replaced, and the monitor of what it opens is down since.
    MonitorDown,
    /// It was replaced, and its provider refuses the new key since.
    KeyRefused,
    /// Somebody could read it who may no longer.
    WorkOwed,
    /// It lies in production and has no end, against the organization's rules.
    NoExpiry,
}

impl Vault {
    /// What is due within this time, in all environments this identity reads: what is overdue first, then by date.
    pub async fn due(&mut self, within_ms: u64) -> Result<Vec<Due>> {
        let horizon_ms = self.now_ms().saturating_add(within_ms);
        let environments = self.environments()?;
        for environment in &environments {
            // When a secret is to be rotated follows from when it was written.
            self.take_history(&environment.ns_id).await?;
        }
        let ends_wanted = self.rules()?.unwrap_or_default().expiry_in_production != Severity::Off;
        let mut due = Vec::new();
        for environment in &environments {
            let ends_wanted = ends_wanted && self.is_production(&environment.ns_id);
            let troubles = self.troubles(&environment.ns_id).await?;
            for found in self.index(&environment.ns_id)?.usable().filter(|found| !found.leaf.is_deleted()) {
                due.extend(self.due_of(environment, found, ends_wanted, &troubles)?);
            }
        }
        for item in self.worklist().await? {
            let lost_ms = item.lost_by.iter().map(|lost| lost.at_ms).min();
            due.push(Due {
                project: item.project,
                environment: item.environment,
                ns_id: item.ns_id,
                secret_id: item.secret_id,
                name: item.name,
                version: item.version,
                why: DueWhy::WorkOwed,
                at_ms: item.duty.due_ms.or(lost_ms),
                facts: item.facts,
            });
        }
        due.retain(|due| due.at_ms.is_none_or(|at_ms| at_ms <= horizon_ms));
        due.sort_by(|a, b| {
            let key = |due: &Due| (due.at_ms.unwrap_or(u64::MAX), due.why);
            (key(a), &a.project, &a.environment, &a.name).cmp(&(key(b), &b.project, &b.environment, &b.name))
        });
        Ok(due)
    }

    /// Has the server remind nobody of a secret for a while; returns until when, epoch milliseconds, which may be sooner than asked. What is due
    /// stays due here.
    pub async fn snooze_reminder(&self, environment: &NsId, name: &str, until_ms: u64) -> Result<u64> {
        let index = self.index(environment)?;
        let found = index.get_live(name)?;
        let request = v1::SnoozeReminderRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_id: Bytes::copy_from_slice(&found.space.tip.ns_id.0),
            secret_id: Bytes::copy_from_slice(&found.leaf.secret_id.0),
            until_ms,
        };
        let answer = self.session.call(async |client, token| rpc::snooze_reminder(client, Some(token), request.clone()).await).await?;
        Ok(answer.until_ms)
    }

    fn due_of(&self, environment: &Environment, found: &Found<'_>, ends_wanted: bool, troubles: &Troubles) -> Result<Vec<Due>> {
        let facts = facts::read(&found.objects.facts).map_err(unverified)?;
        let told = |fact: fn(&Facts) -> Option<u64>| facts.as_ref().and_then(fact);
        let now_ms = self.now_ms();
        let ends = told(|facts| facts.expires_ms);
        let ending = ends.map(|at| (if at <= now_ms { DueWhy::Expired } else { DueWhy::Expires }, Some(at)));
        let every = told(|facts| facts.rotate_every_ms);
        let old = every.zip(self.written_ms(found)).map(|(every, written)| (DueWhy::Rotation, Some(written.saturating_add(every))));
        let endless = (ends_wanted && ends.is_none()).then_some((DueWhy::NoExpiry, None));
        let trouble = troubles.get(&(found.space.tip.ns_id, found.leaf.secret_id)).map(|trouble| match trouble {
            Trouble::MonitorDown(since) => (DueWhy::MonitorDown, Some(*since)),
            Trouble::KeyRefused(since) => (DueWhy::KeyRefused, Some(*since)),
        });
        let due = |(why, at_ms)| Due {
            project: environment.project.clone(),
            environment: environment.name.clone(),
            ns_id: found.space.tip.ns_id,
            secret_id: found.leaf.secret_id,
            name: found.name.clone(),
            version: self.number_of(found),
            why,
            at_ms,
            facts: facts.clone(),
        };
        Ok(ending.into_iter().chain(old).chain(trouble).chain(endless).map(due).collect())
    }

    /// When the present value was written: moving a secret into a guarded folder makes it no younger.
    pub(crate) fn written_ms(&self, found: &Found<'_>) -> Option<u64> {
        let newest = found.space.versions(&found.leaf.secret_id).last()?;
        let from = self.past_of(found).filter(|_| newest.leaf.version == 1);
        let copied = from.and_then(|from| {
            let space = self.spaces.get(&from.ns_id).ok()??;
            space.versions(&from.secret_id).iter().find(|row| row.leaf.payload_hash == from.payload_hash).map(|row| row.ts_ms)
        });
        Some(copied.unwrap_or(newest.ts_ms))
    }
}
