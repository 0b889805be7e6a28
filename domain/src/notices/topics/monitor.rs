//! A monitored service that fails, that is up again, or whose certificate ends: true while the incident stands as the topic says.

use crate::error::{Error, Result};
use crate::monitors::{IncidentId, MonitorId};
use crate::store::{Tx, number};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::{incident, monitor};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It fails.
    Down,
    /// It goes up and down.
    Flapping,
    /// It fails still, and nobody took it on.
    Reminder,
    /// It is up again.
    Resolved,
}

/// A story of one host: one monitor, or all that failed there together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// In which organization.
    pub org: OrgId,
    /// Where the monitors belong; else to the organization.
    pub ns: Option<NsId>,
    /// The first of its incidents.
    pub incident: IncidentId,
    /// What changed.
    pub change: Change,
    /// The monitors' names, as their owners chose them, the first to fail first.
    pub names: Vec<String>,
    /// The URL of the first.
    pub url: String,
    /// Why it failed at first.
    pub cause: String,
    /// Since when, epoch milliseconds.
    pub opened_ms: u64,
    /// Until when.
    pub resolved_ms: Option<u64>,
}

/// A certificate that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndingCertificate {
    /// In which organization.
    pub org: OrgId,
    /// Where the monitor belongs; else to the organization.
    pub ns: Option<NsId>,
    /// Which monitor saw it.
    pub monitor: MonitorId,
    /// The monitor's name.
    pub name: String,
    /// Whose certificate.
    pub url: String,
    /// When it ends, epoch milliseconds.
    pub ends_ms: u64,
}

pub(super) async fn outage(tx: &Tx, org: &OrgId, leader: IncidentId, change: Change) -> Result<Option<Outage>> {
    let rows = incident::Entity::find()
        .filter(incident::Column::OrgId.eq(org.0.to_vec()).and(incident::Column::LeaderId.eq(leader.0.to_vec())))
        .order_by_asc(incident::Column::IncidentId)
        .all(tx.db())
        .await?;
    let open = rows.iter().any(|row| row.resolved_at.is_none());
    let acknowledged = rows.iter().any(|row| row.acknowledged_at.is_some());
    let stands = match change {
        Change::Down | Change::Flapping => open,
        Change::Reminder => open && !acknowledged,
        Change::Resolved => !open,
    };
    let ids: Vec<Vec<u8>> = rows.iter().map(|row| row.monitor_id.clone()).collect();
    let Some(first) = rows.first().filter(|_| stands) else { return Ok(None) };
    let monitors = monitor::Entity::find()
        .filter(monitor::Column::OrgId.eq(org.0.to_vec()).and(monitor::Column::MonitorId.is_in(ids.clone())))
        .all(tx.db())
        .await?;
    let in_order = ids.iter().filter_map(|id| monitors.iter().find(|row| row.monitor_id == *id));
    let in_order: Vec<&monitor::Model> = in_order.collect();
    let Some(monitor) = in_order.first() else { return Ok(None) };
    Ok(Some(Outage {
        org: *org,
        ns: place(&first.ns_id)?,
        incident: leader,
        change,
        url: monitor.url.clone(),
        names: in_order.iter().map(|row| row.name.clone()).collect(),
        cause: first.cause.clone(),
        opened_ms: rows.iter().map(|row| number(row.opened_at)).min().unwrap_or(0),
        resolved_ms: rows.iter().filter_map(|row| row.resolved_at.map(number)).max().filter(|_| !open),
    }))
}

/// True while the certificate seen last is this one.
pub(super) async fn certificate(tx: &Tx, org: &OrgId, id: MonitorId, ends_ms: u64) -> Result<Option<EndingCertificate>> {
    let row = monitor::Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).one(tx.db()).await?;
    let Some(row) = row.filter(|row| row.certificate_ends_at.map(number) == Some(ends_ms)) else { return Ok(None) };
    Ok(Some(EndingCertificate { org: *org, ns: place(&row.ns_id)?, monitor: id, name: row.name, url: row.url, ends_ms }))
}

fn place(ns_id: &[u8]) -> Result<Option<NsId>> {
    if ns_id.is_empty() { Ok(None) } else { NsId::from_slice(ns_id).map(Some).map_err(Error::from) }
}
