//! A clock that was ahead and is set back leaves moments behind that lie months away. Looks, checks, jobs and messages that wait for them would wait in
//! silence; here they are called back.
//!
//! Reminders are found again by what they are about: those whose moment passed only for the clock that was ahead, too.
//!
//! What waits longer than anything of its kind may is due now. What was told and seen stays on record and is not told again, and waits are only cut
//! short: a clock that is behind, to which all others are ahead, makes some things happen early here, and does no other harm. Leases are judged
//! by the same measure, by whoever wants what is leased.

use crate::error::Result;
use crate::store::Tx;
use crate::{jobs, key_health, monitors, notices, rotation};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::org;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};

/// Calls back what waits for too long; says how much that was. Costs what is called back, so it may be done often.
pub async fn recover(tx: &Tx) -> Result<u64> {
    let tx = tx.without_permit("the worker has what waits for no good reason done now; it reads none of it");
    let (looks, checks) = (monitors::call_back(tx).await?, key_health::call_back(tx).await?);
    Ok(looks + checks + jobs::call_back(tx).await? + notices::call_back(tx).await?)
}

/// Has the sweeps look anew at the reminders of the organization after `after`, if jobs of a clock that was ahead may have passed over some; says
/// where to go on. Once all are through, those jobs are forgotten.
pub async fn remind_anew(tx: &Tx, after: Option<OrgId>) -> Result<Option<OrgId>> {
    let tx = tx.without_permit("the worker has reminders looked at again, by the moments that owners tell in clear");
    if after.is_none() && !jobs::any_ended_ahead(tx).await? {
        return Ok(None);
    }
    let next = org::Entity::find().select_only().column(org::Column::Id).order_by_asc(org::Column::Id);
    let next = next.apply_if(after, |orgs, after| orgs.filter(org::Column::Id.gt(after.0.to_vec())));
    let Some(id) = next.into_tuple::<Vec<u8>>().one(tx.db()).await? else {
        let more = jobs::forget_ended_ahead(tx).await?;
        return Ok(after.filter(|_| more));
    };
    let id = OrgId::from_slice(&id)?;
    notices::remind_anew(tx, &id).await?;
    rotation::remind_anew(tx, &id).await?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::on_each_engine;
    use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

    /// Every half minute, whatever there is: what is not called back is not looked at.
    #[tokio::test]
    async fn what_is_called_back_is_found_by_an_index() {
        on_each_engine(async |store| {
            let tx = store.read().await.unwrap();
            if tx.db().get_database_backend() != DbBackend::Sqlite {
                return;
            }
            let updates = [
                (monitors::calls_back(&tx).build(DbBackend::Sqlite), "monitor_due (next_at>?)"),
                (key_health::calls_back(&tx).build(DbBackend::Sqlite), "key_health_stale (stale_at>?)"),
                (jobs::calls_back(&tx).build(DbBackend::Sqlite), "job_due (state=? AND kind=? AND run_at>?)"),
                (notices::calls_back(&tx).build(DbBackend::Sqlite), "delivery_lost (run_at>?)"),
            ];
            for (query, index) in updates {
                let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", query.sql), ..query };
                let rows = tx.db().query_all_raw(explain).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
                assert!(plan[0].contains(index), "{index}: {plan:?}");
            }
        })
        .await;
    }
}
