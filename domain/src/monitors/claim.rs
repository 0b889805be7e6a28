//! Which monitors are to be looked at now, and by whom.

use super::ids::MonitorId;
use super::rules::{MIN_INTERVAL_MS, Rules};
use super::schedule::LONGEST_WAIT_INTERVALS;
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::monitor::{Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

/// How long a claim holds: the longest wait of a worker (20 seconds), the longest look (30), and time to write it down.
pub const LEASE_MS: u64 = 60_000;

/// A look that is due, and the right to write down how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// In which organization.
    pub org: OrgId,
    /// Which monitor.
    pub monitor: MonitorId,
    /// The result carries it back: of each round, one is written down.
    pub round: u64,
    /// What is looked at.
    pub url: String,
    /// What is asked and expected.
    pub rules: Rules,
    /// When it was due, epoch milliseconds.
    pub due_ms: u64,
}

/// Takes at most `limit` monitors whose time has come, for [`LEASE_MS`]: the longest overdue first. Whoever does not write down how the look
/// ended within its lease has lost it to the next who asks.
pub async fn claim_due(tx: &Tx, worker: &str, limit: u64) -> Result<Vec<Due>> {
    let tx = tx.without_permit("the worker takes looks that are due, at URLs that their owners told the server to look at");
    let now = column(tx.now_ms());
    let rows = Entity::find()
        .filter(Column::NextAt.lte(now))
        .filter(unleased(tx))
        .order_by_asc(Column::NextAt)
        .limit(limit)
        // Rows that another worker is just taking are its own.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx.db())
        .await?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(column(tx.now_ms() + LEASE_MS)))
        .col_expr(Column::LeasedBy, Expr::value(worker))
        .col_expr(Column::Round, Expr::col(Column::Round).add(1))
        .filter(these(rows.iter().map(|row| (&row.org_id, &row.monitor_id))))
        .exec(tx.db())
        .await?;
    rows.into_iter().map(due).collect()
}

/// Gives back what was claimed and will not be looked at: a worker that ends.
pub async fn give_back(tx: &Tx, claimed: &[Due]) -> Result<()> {
    let tx = tx.without_permit("the worker lets go of looks that it took itself");
    for due in claimed {
        free(due).exec(tx.db()).await?;
    }
    Ok(())
}

/// Leaves out a look that was claimed: too many wait for the same host or organization. Its turn comes an interval from now, so that those
/// left out are not the longest overdue of the next claim, and of that again.
pub async fn leave_out(tx: &Tx, claimed: &[Due]) -> Result<()> {
    let tx = tx.without_permit("the worker leaves out looks that it took itself");
    let now = column(tx.now_ms());
    for due in claimed {
        free(due).col_expr(Column::NextAt, Expr::col(Column::Interval).add(now)).exec(tx.db()).await?;
    }
    Ok(())
}

/// Makes due whatever a clock put off that was ahead: no look lies so many intervals away. As if its turn had been an interval ago, so that all of
/// them are spread anew. Says how many there were.
pub(crate) async fn call_back(tx: &Tx) -> Result<u64> {
    Ok(calls_back(tx).exec(tx.db()).await?.rows_affected)
}

pub(crate) fn calls_back(tx: &Tx) -> UpdateMany<Entity> {
    let interval = || Expr::col(Column::Interval);
    let wait = interval().mul(column(LONGEST_WAIT_INTERVALS));
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(column(tx.now_ms())).sub(interval()))
        // No monitor's wait is shorter: what is due and what comes soon is not looked at.
        .filter(Column::NextAt.gt(column(tx.beyond_ms(MIN_INTERVAL_MS * LONGEST_WAIT_INTERVALS))))
        .filter(Expr::col(Column::NextAt).sub(wait).gt(column(tx.beyond_ms(0))))
}

/// How many looks are due and not written down, claimed or not.
pub async fn count_due(tx: &Tx) -> Result<u64> {
    let tx = tx.without_permit("the worker asks whether there is anything to look at");
    Ok(Entity::find().filter(Column::NextAt.lte(column(tx.now_ms()))).count(tx.db()).await?)
}

/// Whether a claim would find anything: asked by a read, for claims take the store's one writer.
pub async fn is_any_free(tx: &Tx) -> Result<bool> {
    let tx = tx.without_permit("the worker asks whether there is anything to look at");
    let now = column(tx.now_ms());
    let first = Entity::find().filter(Column::NextAt.lte(now)).filter(unleased(tx)).one(tx.db()).await?;
    Ok(first.is_some())
}

/// Nobody holds it; what is held beyond every lease, nobody does.
fn unleased(tx: &Tx) -> Condition {
    let (over, beyond) = (Column::LeaseUntil.lte(column(tx.now_ms())), Column::LeaseUntil.gt(column(tx.beyond_ms(LEASE_MS))));
    Condition::any().add(Column::LeaseUntil.is_null()).add(over).add(beyond)
}

/// Ends the lease of this claim, if it is still the last.
fn free(due: &Due) -> UpdateMany<Entity> {
    let mine = Column::OrgId.eq(due.org.0.to_vec()).and(Column::MonitorId.eq(due.monitor.0.to_vec()));
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::LeasedBy, Expr::value(None::<String>))
        .filter(mine.and(Column::Round.eq(column(due.round))))
}

/// Exactly these rows.
pub(super) fn these<'a>(keys: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>) -> Condition {
    let (orgs, monitors): (std::collections::BTreeSet<_>, Vec<_>) = keys.map(|(org, monitor)| (org.clone(), monitor.clone())).unzip();
    // A monitor's id is random: the organizations are there for the index.
    Condition::all().add(Column::OrgId.is_in(orgs)).add(Column::MonitorId.is_in(monitors))
}

fn due(row: Model) -> Result<Due> {
    Ok(Due {
        org: OrgId::from_slice(&row.org_id)?,
        monitor: MonitorId::from_slice(&row.monitor_id)?,
        // As the statement above left it.
        round: number(row.round) + 1,
        rules: serde_json::from_str(&row.rules).map_err(Error::internal)?,
        url: row.url,
        due_ms: row.next_at.map_or(0, number),
    })
}
