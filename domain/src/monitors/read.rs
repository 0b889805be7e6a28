//! Reading monitors: what is looked at, how it stands, and how it stood.

use super::ids::{IncidentId, MonitorId};
use super::machine::{State, stale_at_ms};
use super::place::{self, Read};
use super::record::state_of;
use super::rules::Target;
use super::schedule::LONGEST_WAIT_INTERVALS;
use super::uptime::{self, Uptime};
use crate::authorize::Permit;
use crate::clock::beyond_ms;
use crate::error::{Error, Result};
use crate::store::{Tx, number};
use keyvawlt_ledger::trial::Watched;
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::monitor::{Column, Entity, Model};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};

/// A monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Which.
    pub id: MonitorId,
    /// Of which environment; else of the organization.
    pub ns: Option<NsId>,
    /// What is looked at.
    pub target: Target,
    /// How it stands.
    pub standing: Standing,
    /// How it stood.
    pub uptime: Uptime,
    /// Raised by every change of its target.
    pub revision: u64,
    /// Epoch milliseconds.
    pub created_ms: u64,
}

/// How a monitor stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub state: State,
    /// Since when, epoch milliseconds. Of a stale one: since its last change before.
    pub since_ms: u64,
    /// The open incident.
    pub incident: Option<IncidentId>,
    /// When somebody looked last, epoch milliseconds.
    pub checked_ms: Option<u64>,
    /// How long it took to answer then, milliseconds.
    pub latency_ms: Option<u64>,
    /// What was wrong then.
    pub problem: Option<String>,
    /// When the certificate seen last ends, epoch milliseconds.
    pub certificate_ends_ms: Option<u64>,
}

/// Which monitors.
#[derive(Clone, Copy, Debug)]
pub struct ListMonitors {
    /// How many at most.
    pub limit: u64,
    /// After this one.
    pub after: Option<MonitorId>,
}

/// Lists the monitors of the places named, in order of their creation, and says where to go on.
pub async fn list_monitors(permit: &Permit<'_, Read<ListMonitors>>) -> Result<(Vec<Monitor>, Option<MonitorId>)> {
    let (tx, read) = (permit.tx(), permit.action());
    let ListMonitors { limit, after } = read.what;
    let mut rows = Entity::find()
        .filter(Column::OrgId.eq(read.org.0.to_vec()).and(Column::NsId.is_in(place::places(read))))
        .apply_if(after, |rows, after| rows.filter(Column::MonitorId.gt(after.0.to_vec())))
        .order_by_asc(Column::MonitorId)
        .limit(limit + 1)
        .all(tx.db())
        .await?;
    let full = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let page = told(tx, read.org, rows).await?;
    let next = page.last().map(|monitor| monitor.id).filter(|_| full);
    Ok((page, next))
}

/// Reads a monitor of the places named.
pub async fn get_monitor(permit: &Permit<'_, Read<MonitorId>>) -> Result<Monitor> {
    let (tx, read) = (permit.tx(), permit.action());
    let row = Entity::find_by_id((read.org.0.to_vec(), read.what.0.to_vec()))
        .filter(Column::NsId.is_in(place::places(read)))
        .one(tx.db())
        .await?;
    told(tx, read.org, row.into_iter().collect()).await?.pop().ok_or(Error::Forbidden)
}

/// What the monitor says that a secret's facts name, by its identifier in text, and how often it looks; `None` when there is none, or it belongs
/// to none of these namespaces and not to the organization.
pub(crate) async fn watched(tx: &Tx, org: OrgId, lineage: &[NsId], monitor: &str) -> Result<Option<(Watched, u64)>> {
    let Ok(id) = monitor.parse::<MonitorId>() else { return Ok(None) };
    let row = Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).one(tx.db()).await?;
    let Some(row) = row else { return Ok(None) };
    if place::of_row(&row.ns_id)?.is_some_and(|ns| !lineage.contains(&ns)) {
        return Ok(None);
    }
    let standing = standing_of(&row, tx.now_ms())?;
    Ok(Some((standing.state.watched(standing.since_ms), number(row.interval))))
}

async fn told(tx: &Tx, org: OrgId, rows: Vec<Model>) -> Result<Vec<Monitor>> {
    let uptimes = uptime::of(tx, org, &rows).await?;
    rows.into_iter().zip(uptimes).map(|(row, uptime)| one(row, uptime, tx.now_ms())).collect()
}

fn one(row: Model, uptime: Uptime, now_ms: u64) -> Result<Monitor> {
    Ok(Monitor {
        id: MonitorId::from_slice(&row.monitor_id)?,
        ns: place::of_row(&row.ns_id)?,
        standing: standing_of(&row, now_ms)?,
        target: Target {
            name: row.name,
            url: row.url,
            rules: serde_json::from_str(&row.rules).map_err(Error::internal)?,
            interval_ms: number(row.interval),
        },
        uptime,
        revision: number(row.revision),
        created_ms: number(row.created_at),
    })
}

fn standing_of(row: &Model, now_ms: u64) -> Result<Standing> {
    let interval = number(row.interval);
    let is_beyond = |at: u64| at > beyond_ms(now_ms, interval * LONGEST_WAIT_INTERVALS);
    // Until a look that no right clock put there, nobody looks.
    let stale_at = row.next_at.map(number).map(|at| if is_beyond(at) { 0 } else { stale_at_ms(at, interval) });
    Ok(Standing {
        state: state_of(row)?.shown(stale_at, now_ms),
        since_ms: number(row.since),
        incident: row.incident_id.as_deref().map(IncidentId::from_slice).transpose()?,
        checked_ms: row.checked_at.map(number),
        latency_ms: row.latency.map(number),
        problem: row.problem.clone(),
        certificate_ends_ms: row.certificate_ends_at.map(number),
    })
}
