//! Writing down how looks ended: the step, the incident, the uptime, the next look, all in one transaction.

use super::claim::these;
use super::ids::{IncidentId, MonitorId};
use super::incidents::{self, Subject};
use super::machine::{Event, Memory, State, Turn, stale_at_ms, step};
use super::maintenance::Windows;
use super::rules::Rules;
use super::schedule::{Looked, next_ms};
use super::uptime::Tally;
use super::{certificates, place};
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::monitor::{ActiveModel, Entity, Model};
use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};

/// Of a problem's words, this much is kept.
const MAX_PROBLEM_CHARS: usize = 200;

/// How a look ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// With "too many requests" (429), where that is not expected: no failure.
    Throttled,
    /// Otherwise; says why, to people, in words without secrets.
    Failed(String),
}

/// What came of a claimed look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// In which organization.
    pub org: OrgId,
    /// Which monitor.
    pub monitor: MonitorId,
    /// From the claim.
    pub round: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, milliseconds.
    pub latency_ms: u64,
    /// When the certificate that was seen ends, epoch milliseconds.
    pub certificate_ends_ms: Option<u64>,
}

/// Writes down how looks ended. A result whose round is over (the lease ran out, or somebody changed the monitor) is dropped.
pub async fn record(tx: &Tx, results: &[ProbeResult]) -> Result<()> {
    let tx = tx.without_permit("the worker writes down what its own looks at owners' URLs found");
    if results.is_empty() {
        return Ok(());
    }
    let mut rows = load(tx, results).await?;
    let orgs: BTreeSet<OrgId> = results.iter().map(|result| result.org).collect();
    let windows = Windows::load(tx, orgs).await?;
    let mut tally = Tally::default();
    for result in results {
        let row = rows.remove(&(result.org, result.monitor)).filter(|row| number(row.round) == result.round);
        if let Some(row) = row {
            one(tx, row, result, &windows, &mut tally).await?;
        }
    }
    tally.write(tx).await
}

async fn load(tx: &Tx, results: &[ProbeResult]) -> Result<BTreeMap<(OrgId, MonitorId), Model>> {
    let keys: Vec<(Vec<u8>, Vec<u8>)> = results.iter().map(|result| (result.org.0.to_vec(), result.monitor.0.to_vec())).collect();
    let rows = Entity::find()
        .filter(these(keys.iter().map(|(org, monitor)| (org, monitor))))
        // Always in this order: two that write down many do not wait for each other in a circle.
        .order_by_asc(keyvawlt_schema::monitor::Column::MonitorId)
        .lock_exclusive()
        .all(tx.db())
        .await?;
    rows.into_iter().map(|row| Ok(((OrgId::from_slice(&row.org_id)?, MonitorId::from_slice(&row.monitor_id)?), row))).collect()
}

async fn one(tx: &Tx, row: Model, result: &ProbeResult, windows: &Windows, tally: &mut Tally) -> Result<()> {
    let (now, was) = (tx.now_ms(), state_of(&row)?);
    let rules: Rules = serde_json::from_str(&row.rules).map_err(Error::internal)?;
    let mut memory: Memory = serde_json::from_str(&row.memory).map_err(Error::internal)?;
    let (due, interval) = (row.next_at.map_or(now, number), number(row.interval));
    tally.stood(&row, now);
    let mut state = was;
    if now > stale_at_ms(due, interval) {
        let gap = step(state, memory, Event::Gap, rules.slow_ms, now);
        (state, memory) = (gap.state, gap.memory);
    }
    let expected = windows.cover(result.org, place::of_row(&row.ns_id)?, result.monitor, now);
    let event = match &result.outcome {
        _ if expected => Event::Maintenance,
        Outcome::Passed => Event::Passed { latency_ms: result.latency_ms },
        Outcome::Throttled => Event::Throttled,
        Outcome::Failed(_) => Event::Failed,
    };
    let next = step(state, memory, event, rules.slow_ms, now);
    let problem = match &result.outcome {
        Outcome::Failed(why) => Some(why.chars().take(MAX_PROBLEM_CHARS).collect::<String>()),
        Outcome::Passed | Outcome::Throttled => None,
    };
    if !expected {
        tally.looked(&row, result, now);
    }
    let subject = Subject { row: &row, org: result.org, problem: problem.as_deref(), failing_since_ms: failing_since(&row, was, now) };
    let incident = incidents::turn(tx, &subject, next.turn).await?;
    certificates::warn(tx, &row, result).await?;
    let looked = Looked { state: next.state, memory: &next.memory, throttled: event == Event::Throttled };
    let next_at = next_ms(looked, due, interval, now, |limit| tx.random().below(limit));
    save(tx, row, result, Ending { was, next: next.state, memory: &next.memory, turn: next.turn, expected, problem, incident, next_at })
        .await
}

struct Ending<'a> {
    was: State,
    next: State,
    memory: &'a Memory,
    turn: Option<Turn>,
    expected: bool,
    problem: Option<String>,
    incident: Option<IncidentId>,
    next_at: u64,
}

async fn save(tx: &Tx, row: Model, result: &ProbeResult, ending: Ending<'_>) -> Result<()> {
    let now = column(tx.now_ms());
    let passed = !matches!(result.outcome, Outcome::Failed(_));
    let certificate = result.certificate_ends_ms.map(column).or(row.certificate_ends_at);
    let changed = ending.was != ending.next || ending.turn.is_some();
    let row = ActiveModel {
        org_id: Unchanged(row.org_id),
        monitor_id: Unchanged(row.monitor_id),
        state: Set(number_of(ending.next)),
        since: if changed { Set(now) } else { Unchanged(row.since) },
        memory: Set(serde_json::to_string(ending.memory).map_err(Error::internal)?),
        incident_id: Set(ending.incident.map(|id| id.0.to_vec())),
        next_at: Set(Some(column(ending.next_at))),
        lease_until: Set(None),
        leased_by: Set(None),
        round: Set(row.round + 1),
        checked_at: Set(Some(now)),
        passed: Set((!ending.expected).then_some(passed)),
        latency: Set(passed.then_some(column(result.latency_ms))),
        problem: Set(ending.problem),
        certificate_ends_at: Set(certificate),
        ..ActiveModel::default()
    };
    Entity::update(row).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// What failed once has failed since then: that is when an incident began.
fn failing_since(row: &Model, was: State, now: u64) -> u64 {
    if was == State::Pending { number(row.since) } else { now }
}

/// The stored state of a row.
pub(super) fn state_of(row: &Model) -> Result<State> {
    let state = usize::try_from(row.state).ok().and_then(|number| State::ALL.get(number)).copied();
    state.ok_or_else(|| Error::internal("a monitor's state is none"))
}

/// The number of a state in rows.
pub(super) fn number_of(state: State) -> i16 {
    State::ALL.iter().zip(0..).find(|(other, _)| **other == state).map_or(0, |(_, number)| number)
}
