//! Jobs: rows written in the transaction of the change that causes them. This table is the truth; a queue only hurries.
//!
//! A job is claimed by raising its attempts under a lease, so one that kills its process is given up after as many tries as any other. Every
//! ending names the attempt it ends: a worker whose lease ran out changes nothing. Jobs carry ids, never content. Delivery is at least once.

use crate::error::{Error, Result};
use crate::store::{Tx, column};
pub use keyvawlt_ledger::{AccountId, IdentityId, NsId, OrgId, SecretId};
use keyvawlt_schema::job::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Waiting for its time and a worker.
pub const QUEUED: i16 = 0;
/// A worker has it, until its lease ends.
pub const RUNNING: i16 = 1;
/// Done; kept so that its dedupe key holds.
pub const DONE: i16 = 2;
/// Given up; kept so that somebody sees it.
pub const GIVEN_UP: i16 = 3;

/// How long a job that ended is kept: longer than any tick's or change's key could come again.
pub const DONE_KEPT_MS: u64 = 2 * DAY_MS;
/// How long a job that was given up stays visible.
pub const GIVEN_UP_KEPT_MS: u64 = 30 * DAY_MS;

/// The first wait after a failure; each next one is twice as long.
const BACKOFF_BASE_MS: u64 = 5_000;
/// The longest wait: a mail server that was down for the night is found again within the hour.
const BACKOFF_MAX_MS: u64 = 60 * 60 * 1000;
/// Of an error's text, this much is kept.
const MAX_ERROR_CHARS: usize = 500;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// Mail a fresh code to an account's address.
    EmailCode {
        /// Whose.
        #[serde(with = "text")]
        account: AccountId,
    },
    /// Look for namespaces with secrets that expire soon.
    ExpirySweep,
    /// Look for people who should hear about a namespace's expiring secrets.
    ExpiryScan {
        /// Of which organization.
        #[serde(with = "text")]
        org: OrgId,
        /// Which namespace.
        #[serde(with = "text")]
        ns: NsId,
    },
    /// Mail one person about one version of one secret.
    ExpiryAlert {
        /// Of which organization.
        #[serde(with = "text")]
        org: OrgId,
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
        /// Whom.
        #[serde(with = "text")]
        recipient: IdentityId,
    },
    /// Forget what need not be kept.
    Prune,
}

impl Job {
    /// The name people and metrics use.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EmailCode { .. } => "email_code",
            Self::ExpirySweep => "expiry_sweep",
            Self::ExpiryScan { .. } => "expiry_scan",
            Self::ExpiryAlert { .. } => "expiry_alert",
            Self::Prune => "prune",
        }
    }

    /// Somebody waits for a code; everything else can wait for it.
    fn priority(&self) -> i16 {
        match self {
            Self::EmailCode { .. } => 10,
            Self::ExpiryAlert { .. } | Self::ExpiryScan { .. } => 5,
            Self::ExpirySweep | Self::Prune => 0,
        }
    }

    /// A code is stale within minutes, an alert is worth the whole week it comes ahead (waits of half an hour at the shortest), for it is
    /// made only once, and a tick comes again by itself.
    fn max_attempts(&self) -> i32 {
        match self {
            Self::EmailCode { .. } => 6,
            Self::ExpiryAlert { .. } => 350,
            Self::ExpiryScan { .. } => 8,
            Self::ExpirySweep | Self::Prune => 3,
        }
    }
}

/// Names one job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub [u8; 16]);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

/// One attempt at a job, and the right to say how it ended.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which job.
    pub id: JobId,
    /// What is to be done.
    pub job: Job,
    /// From 1.
    pub attempt: i32,
    max_attempts: i32,
}

/// Writes a job, in the caller's transaction. With a dedupe key, nothing is written when the key was used; says whether it was written.
pub async fn enqueue(tx: &Tx, job: &Job, run_at_ms: u64, dedupe_key: Option<String>) -> Result<bool> {
    let row = ActiveModel {
        id: Set(tx.random().ordered_id(tx.now_ms()).to_vec()),
        kind: Set(job.kind().to_owned()),
        payload: Set(serde_json::to_string(job).map_err(Error::internal)?),
        state: Set(QUEUED),
        priority: Set(job.priority()),
        attempts: Set(0),
        max_attempts: Set(job.max_attempts()),
        run_at: Set(column(run_at_ms)),
        lease_until: Set(None),
        leased_by: Set(None),
        dedupe_key: Set(dedupe_key),
        last_error: Set(None),
        created_at: Set(column(tx.now_ms())),
        finished_at: Set(None),
    };
    let insert = Entity::insert(row).on_conflict(OnConflict::column(Column::DedupeKey).do_nothing().to_owned());
    let written = insert.exec_without_returning(tx.db()).await? > 0;
    if written {
        tx.wake_relay();
    }
    Ok(written)
}

/// The jobs whose time has come, the most urgent first.
pub async fn due(tx: &Tx, limit: u64) -> Result<Vec<JobId>> {
    let rows: Vec<Vec<u8>> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::State.eq(QUEUED).and(Column::RunAt.lte(column(tx.now_ms()))))
        .order_by_desc(Column::Priority)
        .order_by_asc(Column::RunAt)
        .limit(limit)
        .into_tuple()
        .all(tx.db())
        .await?;
    rows.into_iter().map(|id| id.try_into().map(JobId).map_err(|_| Error::internal("a job id must be 16 bytes"))).collect()
}

/// Takes a job for `lease_ms`; `None` when somebody else has it, or its time has not come.
pub async fn claim(tx: &Tx, id: JobId, worker: &str, lease_ms: u64) -> Result<Option<Claim>> {
    let now = tx.now_ms();
    let taken = Entity::update_many()
        .col_expr(Column::State, Expr::value(RUNNING))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::LeaseUntil, Expr::value(column(now + lease_ms)))
        .col_expr(Column::LeasedBy, Expr::value(worker))
        .filter(Column::Id.eq(id.0.to_vec()).and(Column::State.eq(QUEUED)).and(Column::RunAt.lte(column(now))))
        .exec(tx.db())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    let row = Entity::find_by_id(id.0.to_vec()).one(tx.db()).await?;
    let row = row.ok_or_else(|| Error::internal("a claimed job is gone"))?;
    let job = serde_json::from_str(&row.payload).map_err(Error::internal)?;
    Ok(Some(Claim { id, job, attempt: row.attempts, max_attempts: row.max_attempts }))
}

/// Ends an attempt: the job is done. Says whether the attempt was still the caller's.
pub async fn finish(tx: &Tx, claim: &Claim) -> Result<bool> {
    end(tx, claim, Ending { state: DONE, run_at: None, error: None }).await
}

/// Ends an attempt that failed: again later, or given up when it was the last one.
pub async fn retry(tx: &Tx, claim: &Claim, error: &str) -> Result<bool> {
    if claim.attempt >= claim.max_attempts {
        return give_up(tx, claim, error).await;
    }
    let delay = backoff_ms(claim.attempt);
    let jittered = delay / 2 + tx.random().below(delay / 2 + 1);
    end(tx, claim, Ending { state: QUEUED, run_at: Some(tx.now_ms() + jittered), error: Some(error) }).await
}

/// Ends an attempt: no later one could succeed.
pub async fn give_up(tx: &Tx, claim: &Claim, error: &str) -> Result<bool> {
    end(tx, claim, Ending { state: GIVEN_UP, run_at: None, error: Some(error) }).await
}

/// Takes back what workers did not finish within their lease; says how many jobs are due again.
pub async fn expire_leases(tx: &Tx) -> Result<u64> {
    let now = column(tx.now_ms());
    let over = Condition::all().add(Column::State.eq(RUNNING)).add(Column::LeaseUntil.lte(now));
    let released = || {
        Entity::update_many()
            .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(Column::LeasedBy, Expr::value(None::<String>))
            .col_expr(Column::LastError, Expr::value("the worker did not finish"))
    };
    released()
        .col_expr(Column::State, Expr::value(GIVEN_UP))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(over.clone().add(Expr::col(Column::Attempts).gte(Expr::col(Column::MaxAttempts))))
        .exec(tx.db())
        .await?;
    let again = released().col_expr(Column::State, Expr::value(QUEUED)).filter(over).exec(tx.db()).await?;
    if again.rows_affected > 0 {
        tx.wake_relay();
    }
    Ok(again.rows_affected)
}

/// How many jobs are due or running, and how many were given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queued, and their time has come.
    pub due: u64,
    /// Queued for later.
    pub later: u64,
    /// Running.
    pub running: u64,
    /// Given up.
    pub given_up: u64,
}

/// Counts the jobs.
pub async fn counts(tx: &Tx) -> Result<Counts> {
    let now = column(tx.now_ms());
    let of = async |filter: Condition| Entity::find().filter(filter).count(tx.db()).await;
    let state = |state: i16| Condition::all().add(Column::State.eq(state));
    Ok(Counts {
        due: of(state(QUEUED).add(Column::RunAt.lte(now))).await?,
        later: of(state(QUEUED).add(Column::RunAt.gt(now))).await?,
        running: of(state(RUNNING)).await?,
        given_up: of(state(GIVEN_UP)).await?,
    })
}

/// Forgets jobs that ended long ago.
pub async fn prune(tx: &Tx) -> Result<u64> {
    let ended_before = |state: i16, age: u64| Column::State.eq(state).and(Column::FinishedAt.lte(column(tx.now_ms().saturating_sub(age))));
    let old = Condition::any().add(ended_before(DONE, DONE_KEPT_MS)).add(ended_before(GIVEN_UP, GIVEN_UP_KEPT_MS));
    Ok(Entity::delete_many().filter(old).exec(tx.db()).await?.rows_affected)
}

struct Ending<'a> {
    state: i16,
    run_at: Option<u64>,
    error: Option<&'a str>,
}

async fn end(tx: &Tx, claim: &Claim, ending: Ending<'_>) -> Result<bool> {
    let error = ending.error.map(|text| text.chars().take(MAX_ERROR_CHARS).collect::<String>());
    let mut update = Entity::update_many()
        .col_expr(Column::State, Expr::value(ending.state))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::LeasedBy, Expr::value(None::<String>))
        .col_expr(Column::LastError, Expr::value(error));
    update = match ending.run_at {
        Some(run_at) => update.col_expr(Column::RunAt, Expr::value(column(run_at))),
        None => update.col_expr(Column::FinishedAt, Expr::value(column(tx.now_ms()))),
    };
    let mine = Column::Id.eq(claim.id.0.to_vec()).and(Column::State.eq(RUNNING)).and(Column::Attempts.eq(claim.attempt));
    Ok(update.filter(mine).exec(tx.db()).await?.rows_affected > 0)
}

fn backoff_ms(attempt: i32) -> u64 {
    // Far beyond the cap, far from an overflow.
    let doublings = std::cmp::min(attempt.saturating_sub(1), 20);
    std::cmp::min(BACKOFF_BASE_MS << doublings, BACKOFF_MAX_MS)
}

/// Ids as hexadecimal text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
