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
