//! Forgetting what is old: hours, days, incidents that are over, maintenances that are over.

use super::uptime::{DAY, DAYS_KEPT_MS, HOUR, HOURS_KEPT_MS};
use crate::error::Result;
use crate::store::{Tx, column};
use keyvawlt_schema::{incident, incident_event, maintenance, uptime};
use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// How long an incident is kept after its end: as long as the days of its uptime.
const INCIDENTS_KEPT_MS: u64 = DAYS_KEPT_MS;
/// How long a maintenance is kept after its end: nothing looks at it any more.
const MAINTENANCES_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Forgets what is old.
pub async fn prune(tx: &Tx) -> Result<()> {
    let before = |kept: u64| column(tx.now_ms().saturating_sub(kept));
    for (span, kept) in [(HOUR, HOURS_KEPT_MS), (DAY, DAYS_KEPT_MS)] {
        let old = uptime::Column::Span.eq(span).and(uptime::Column::StartsAt.lt(before(kept)));
        uptime::Entity::delete_many().filter(old).exec(tx.db()).await?;
    }
    let over = incident::Column::ResolvedAt.lte(before(INCIDENTS_KEPT_MS));
    let old = Query::select().column(incident::Column::IncidentId).from(incident::Entity).and_where(over.clone()).to_owned();
    incident_event::Entity::delete_many().filter(incident_event::Column::IncidentId.in_subquery(old)).exec(tx.db()).await?;
    incident::Entity::delete_many().filter(over).exec(tx.db()).await?;
    maintenance::Entity::delete_many().filter(maintenance::Column::EndsAt.lte(before(MAINTENANCES_KEPT_MS))).exec(tx.db()).await?;
    Ok(())
}
