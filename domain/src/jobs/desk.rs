//! The operator's desk: what jobs there are, and doing something about those that were given up. For the server's own command line, which has
//! the store's password; no caller of the API comes here.

use super::{DONE, GIVEN_UP, Job, JobId, QUEUED, RUNNING};
use crate::error::{Error, Result};
use crate::notices::again;
use crate::store::{Tx, column, number};
use keyvawlt_schema::job::{Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its time and a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done, or discarded.
    Done,
    /// Given up.
    GivenUp,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Done, Self::GivenUp];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::GivenUp => "given-up",
        }
    }

    fn number(self) -> i16 {
        match self {
            Self::Queued => QUEUED,
            Self::Running => RUNNING,
            Self::Done => DONE,
            Self::GivenUp => GIVEN_UP,
        }
    }
}

/// A job as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which job.
    pub id: JobId,
    /// Of which kind; a newer program's, perhaps.
    pub kind: String,
    /// What is to be done, as JSON: ids, never content.
    pub payload: String,
    /// Where it is.
    pub state: State,
    /// Tries begun.
    pub attempts: i32,
    /// Tries that failed.
    pub failures: i32,
    /// Tries, one after the other, whose worker never said how they ended.
    pub crashes: i32,
    /// Not before, epoch milliseconds.
    pub run_at_ms: u64,
    /// Which worker has it.
    pub leased_by: Option<String>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was written, epoch milliseconds.
    pub created_at_ms: u64,
    /// When it ended, epoch milliseconds.
    pub finished_at_ms: Option<u64>,
}

/// A page of jobs, the newest first: those before `before`, in one state or in any.
pub async fn list(tx: &Tx, state: Option<State>, before: Option<JobId>, limit: u64) -> Result<Vec<Listed>> {
    let mut find = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(state) = state {
        find = find.filter(Column::State.eq(state.number()));
    }
    if let Some(before) = before {
        find = find.filter(Column::Id.lt(before.0.to_vec()));
    }
    find.all(tx.db()).await?.into_iter().map(listed).collect()
}

/// Makes a job that was given up, or waits for a later time, due now, as if it had never failed; says whether there was one. A message that was
/// given up with it is open again.
pub async fn run_again(tx: &Tx, id: JobId) -> Result<bool> {
    let due = Entity::update_many()
        .col_expr(Column::State, Expr::value(QUEUED))
        .col_expr(Column::RunAt, Expr::value(column(tx.now_ms())))
        .col_expr(Column::FinishedAt, Expr::value(None::<i64>))
        .col_expr(Column::Failures, Expr::value(0))
        .col_expr(Column::Crashes, Expr::value(0))
        .filter(Column::Id.eq(id.0.to_vec()).and(Column::State.is_in([QUEUED, GIVEN_UP])))
        .exec(tx.db())
        .await?;
    if let Some(Job::Deliver { org, delivery }) = job(tx, id).await?.filter(|_| due.rows_affected > 0) {
        again::open(tx, &org, &delivery).await?;
    }
    Ok(due.rows_affected > 0)
}

/// Ends a job that was given up, or waits, without doing it; says whether there was one. Its dedupe key stays used.
pub async fn discard(tx: &Tx, id: JobId) -> Result<bool> {
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::value(DONE))
        .col_expr(Column::FinishedAt, Expr::value(column(tx.now_ms())))
        .col_expr(Column::LastError, Expr::value("discarded by the operator"))
        .filter(Column::Id.eq(id.0.to_vec()).and(Column::State.is_in([QUEUED, GIVEN_UP])))
        .exec(tx.db())
        .await?;
    if let Some(Job::Deliver { org, delivery }) = job(tx, id).await?.filter(|_| ended.rows_affected > 0) {
        again::discard(tx, &org, &delivery).await?;
    }
    Ok(ended.rows_affected > 0)
}

/// What a job is to do; nothing where only a newer program knows.
async fn job(tx: &Tx, id: JobId) -> Result<Option<Job>> {
    let row = Entity::find_by_id(id.0.to_vec()).one(tx.db()).await?;
    Ok(row.and_then(|row| serde_json::from_str(&row.payload).ok()))
}

fn listed(row: Model) -> Result<Listed> {
    let state = State::ALL.into_iter().find(|state| state.number() == row.state);
    Ok(Listed {
        id: JobId(row.id.try_into().map_err(|_| Error::internal("a job id must be 16 bytes"))?),
        kind: row.kind,
        payload: row.payload,
        state: state.ok_or_else(|| Error::internal("a job's state is unknown"))?,
        attempts: row.attempts,
        failures: row.failures,
        crashes: row.crashes,
        run_at_ms: number(row.run_at),
        leased_by: row.leased_by,
        last_error: row.last_error,
        created_at_ms: number(row.created_at),
        finished_at_ms: row.finished_at.map(number),
    })
}
