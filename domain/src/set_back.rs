//! A clock that was ahead and is set back leaves moments behind that lie months away. Looks, jobs and messages that wait for them would wait in
//! silence; here they are called back.
//!
//! What waits longer than anything of its kind may is due now. Nothing that is on record is changed or told again, and waits are only cut short:
//! a clock that is behind, to which all others are ahead, makes some things happen early here, and does no other harm. Leases are judged by the
//! same measure, by whoever wants what is leased.

use crate::error::Result;
use crate::store::Tx;
use crate::{jobs, monitors, notices};

/// Calls back what waits for too long; says how much that was. Costs what is called back, so it may be done often.
pub async fn recover(tx: &Tx) -> Result<u64> {
    let tx = tx.without_permit("the worker has what waits for no good reason done now; it reads none of it");
    Ok(monitors::call_back(tx).await? + jobs::call_back(tx).await? + notices::call_back(tx).await?)
}
