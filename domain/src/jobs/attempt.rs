//! Attempts: a job is taken for a while, held, and ended; or its worker is gone, and somebody else takes it.
//!
//! Invariant: at most one attempt runs, and only it can end itself. Absent: when a job is due, and what becomes of jobs that ended.

use super::kinds::{self, MAX_CRASHES};
use super::{DONE, GIVEN_UP, Job, JobId, QUEUED, RUNNING};
use crate::error::Result;
use crate::store::{Tx, column};
use keyvawlt_schema::job::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait as _};

/// How long a worker that says nothing keeps a job: a killed one's is run again within half a minute.
pub const LEASE_MS: u64 = 20_000;
/// The first wait after a failure; each next one is twice as long.
const BACKOFF_BASE_MS: u64 = 5_000;
/// The longest wait: a mail server that was down for the night is found again within the hour.
const BACKOFF_MAX_MS: u64 = 60 * 60 * 1000;
/// What was cut off again and again is spread over so long for each time; with its lease, that is less than a minute to the last.
pub(super) const APART_MS: u64 = 3_000;
/// Of an error's text, this much is kept.
const MAX_ERROR_CHARS: usize = 500;

/// One attempt at a job, and the right to say how it ended.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which job.
    pub id: JobId,
    /// What is to be done.
    pub job: Job,
    /// From 1.
    pub attempt: i32,
    pub(super) failures: i32,
    max_attempts: i32,
}

/// Takes a job for [`LEASE_MS`]; `None` when somebody else has it, its time has not come, or as many of its kind run as may. (On PostgreSQL two
/// workers that claim in the same instant may go one beyond.)
pub async fn claim(tx: &Tx, id: JobId, worker: &str) -> Result<Option<Claim>> {
    let now = tx.now_ms();
    let Some(row) = Entity::find_by_id(id.0.to_vec()).one(tx.db()).await? else { return Ok(None) };
    let Some(kind) = kinds::named(&row.kind) else { return Ok(None) };
    let of_its_kind = Entity::find()
        .select_only()
        .column_as(Column::Id.count(), "jobs")
        .filter(Column::State.eq(RUNNING).and(Column::Kind.eq(kind.name)));
    let taken = Entity::update_many()
        .col_expr(Column::State, Expr::value(RUNNING))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::LeaseUntil, Expr::value(column(now + LEASE_MS)))
        .col_expr(Column::LeasedBy, Expr::value(worker))
        .filter(Column::Id.eq(id.0.to_vec()).and(Column::State.eq(QUEUED)).and(Column::RunAt.lte(column(now))))
        .filter(Column::Attempts.eq(row.attempts))
        .filter(Expr::expr(of_its_kind.into_query()).lt(column(kind.at_once)))
        .exec(tx.db())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    match serde_json::from_str(&row.payload) {
        Ok(job) => Ok(Some(Claim { id, job, attempt: row.attempts + 1, failures: row.failures, max_attempts: row.max_attempts })),
        Err(error) => {
            let ending = Ending { error: Some(&format!("this program does not understand it: {error}")), ..Ending::of(GIVEN_UP) };
            end(tx, (id, row.attempts + 1), ending).await?;
            Ok(None)
        }
    }
}

/// Holds a job for another [`LEASE_MS`]; says whether it is still the caller's.
pub async fn renew(tx: &Tx, claim: &Claim) -> Result<bool> {
    let lease = Entity::update_many().col_expr(Column::LeaseUntil, Expr::value(column(tx.now_ms() + LEASE_MS)));
    Ok(lease.filter(still((claim.id, claim.attempt))).exec(tx.db()).await?.rows_affected > 0)
}

/// Ends an attempt: the job is done. Says whether the attempt was still the caller's.
pub async fn finish(tx: &Tx, claim: &Claim) -> Result<bool> {
    end(tx, (claim.id, claim.attempt), Ending { failures: claim.failures, ..Ending::of(DONE) }).await
}

/// Ends an attempt that failed: again later, or given up when it was the last one.
pub async fn retry(tx: &Tx, claim: &Claim, error: &str) -> Result<bool> {
    retry_after(tx, claim, error, 0).await
}

/// The same, and not before so many milliseconds are over: somebody asked for them.
pub async fn retry_after(tx: &Tx, claim: &Claim, error: &str, wait_ms: u64) -> Result<bool> {
    let failures = claim.failures + 1;
    if failures >= claim.max_attempts {
        return give_up(tx, claim, error).await;
    }
    let delay = backoff_ms(failures);
    let jittered = delay / 2 + tx.random().below(delay / 2 + 1);
    let ending =
        Ending { run_at: Some(tx.now_ms() + std::cmp::max(jittered, wait_ms)), error: Some(error), failures, ..Ending::of(QUEUED) };
    end(tx, (claim.id, claim.attempt), ending).await
}

/// Ends an attempt: no later one could succeed.
pub async fn give_up(tx: &Tx, claim: &Claim, error: &str) -> Result<bool> {
    let ending = Ending { error: Some(error), failures: claim.failures + 1, ..Ending::of(GIVEN_UP) };
    end(tx, (claim.id, claim.attempt), ending).await
}

/// Ends an attempt that was broken off and is nobody's fault: somebody else does it, at once.
pub async fn give_back(tx: &Tx, claim: &Claim) -> Result<bool> {
    let ending = Ending { run_at: Some(tx.now_ms()), failures: claim.failures, ..Ending::of(QUEUED) };
    let mine = end(tx, (claim.id, claim.attempt), ending).await?;
    tx.wake_relay();
    Ok(mine)
}

/// Ends an attempt that found no place to be made in: again after so many milliseconds, and no failure.
pub async fn put_off(tx: &Tx, claim: &Claim, wait_ms: u64) -> Result<bool> {
    let wait_ms = wait_ms / 2 + tx.random().below(wait_ms / 2 + 1);
    let ending = Ending { run_at: Some(tx.now_ms() + wait_ms), failures: claim.failures, ..Ending::of(QUEUED) };
    end(tx, (claim.id, claim.attempt), ending).await
}

/// Takes back what workers did not finish within their lease; says how many jobs are due again.
pub async fn expire_leases(tx: &Tx) -> Result<u64> {
    shorten_leases(tx).await?;
    let over = || Condition::all().add(Column::State.eq(RUNNING)).add(Column::LeaseUntil.lte(column(tx.now_ms())));
    let left = Entity::find().select_only().columns([Column::Id, Column::Crashes]).filter(over());
    let left: Vec<(Vec<u8>, i32)> = left.into_tuple().all(tx.db()).await?;
    let mut again = 0;
    for (id, earlier) in left {
        let crashes = earlier + 1;
        let taken = Entity::update_many()
            .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(Column::LeasedBy, Expr::value(None::<String>))
            .col_expr(Column::Crashes, Expr::value(crashes))
            .col_expr(Column::LastError, Expr::value("the worker did not finish"))
            .filter(over().add(Column::Id.eq(id)));
        if crashes >= MAX_CRASHES {
            let given_up = taken.col_expr(Column::State, Expr::value(GIVEN_UP));
            given_up.col_expr(Column::FinishedAt, Expr::value(column(tx.now_ms()))).exec(tx.db()).await?;
        } else {
            let run_at = tx.now_ms() + apart_ms(tx, crashes);
            let queued = taken.col_expr(Column::State, Expr::value(QUEUED)).col_expr(Column::RunAt, Expr::value(column(run_at)));
            again += queued.exec(tx.db()).await?.rows_affected;
        }
    }
    if again > 0 {
        tx.wake_relay();
    }
    Ok(again)
}

/// A lease that a clock gave that was ahead holds as long as any other from now on: whoever lives renews it meanwhile.
async fn shorten_leases(tx: &Tx) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(column(tx.now_ms() + LEASE_MS)))
        .filter(Column::State.eq(RUNNING).and(Column::LeaseUntil.gt(column(tx.beyond_ms(LEASE_MS)))))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// What was cut off together comes apart, so that one job that kills its worker does not take the same others along each time. What was cut off
/// once is due at once.
fn apart_ms(tx: &Tx, crashes: i32) -> u64 {
    tx.random().below(u64::try_from(crashes - 1).unwrap_or(0) * APART_MS + 1)
}

struct Ending<'a> {
    state: i16,
    run_at: Option<u64>,
    error: Option<&'a str>,
    failures: i32,
}

impl Ending<'_> {
    fn of(state: i16) -> Self {
        Self { state, run_at: None, error: None, failures: 0 }
    }
}

async fn end(tx: &Tx, attempt: (JobId, i32), ending: Ending<'_>) -> Result<bool> {
    let error = ending.error.map(|text| text.chars().take(MAX_ERROR_CHARS).collect::<String>());
    let mut update = Entity::update_many()
        .col_expr(Column::State, Expr::value(ending.state))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::LeasedBy, Expr::value(None::<String>))
        .col_expr(Column::LastError, Expr::value(error))
        .col_expr(Column::Failures, Expr::value(ending.failures))
        .col_expr(Column::Crashes, Expr::value(0));
    update = match ending.run_at {
        Some(run_at) => update.col_expr(Column::RunAt, Expr::value(column(run_at))),
        None => update.col_expr(Column::FinishedAt, Expr::value(column(tx.now_ms()))),
    };
    Ok(update.filter(still(attempt)).exec(tx.db()).await?.rows_affected > 0)
}

/// This very attempt runs.
fn still((id, attempt): (JobId, i32)) -> SimpleExpr {
    Column::Id.eq(id.0.to_vec()).and(Column::State.eq(RUNNING)).and(Column::Attempts.eq(attempt))
}

pub(super) fn backoff_ms(failures: i32) -> u64 {
    // Far beyond the cap, far from an overflow.
    let doublings = std::cmp::min(failures.saturating_sub(1), 20);
    std::cmp::min(BACKOFF_BASE_MS << doublings, BACKOFF_MAX_MS)
}
