//! Forgetting what is old: hours, days, incidents that are over, maintenances that are over.

use super::uptime::{DAY, DAYS_KEPT_MS, HOUR, HOURS_KEPT_MS};
use crate::error::Result;
use crate::store::{Tx, column};
use keyvawlt_schema::{incident, incident_event, maintenance, uptime};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// How long an incident is kept after its end: as long as the days of its uptime.
const INCIDENTS_KEPT_MS: u64 = DAYS_KEPT_MS;
/// How long a maintenance is kept after its end: nothing looks at it any more.
const MAINTENANCES_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Incidents forgotten in one transaction, with their timelines.
const INCIDENTS_AT_ONCE: u64 = 500;

/// Forgets what is old, of incidents a page; says whether there may be more.
pub async fn prune(tx: &Tx) -> Result<bool> {
    let before = |kept: u64| column(tx.now_ms().saturating_sub(kept));
    for (span, kept) in [(HOUR, HOURS_KEPT_MS), (DAY, DAYS_KEPT_MS)] {
        let old = uptime::Column::Span.eq(span).and(uptime::Column::StartsAt.lt(before(kept)));
        uptime::Entity::delete_many().filter(old).exec(tx.db()).await?;
    }
    maintenance::Entity::delete_many().filter(maintenance::Column::EndsAt.lte(before(MAINTENANCES_KEPT_MS))).exec(tx.db()).await?;
    let over: Vec<(Vec<u8>, Vec<u8>)> = incident::Entity::find()
        .select_only()
        .columns([incident::Column::OrgId, incident::Column::IncidentId])
        .filter(incident::Column::ResolvedAt.lte(before(INCIDENTS_KEPT_MS)))
        .order_by_asc(incident::Column::ResolvedAt)
        .limit(INCIDENTS_AT_ONCE)
        .into_tuple()
        .all(tx.db())
        .await?;
    let full = over.len() as u64 == INCIDENTS_AT_ONCE;
    for (org, id) in over {
        // By their whole key: a timeline is not found by an incident's id alone.
        let lines = incident_event::Column::OrgId.eq(org.clone()).and(incident_event::Column::IncidentId.eq(id.clone()));
        incident_event::Entity::delete_many().filter(lines).exec(tx.db()).await?;
        incident::Entity::delete_by_id((org, id)).exec(tx.db()).await?;
    }
    Ok(full)
}
