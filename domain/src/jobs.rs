//! Jobs: rows written in the transaction of the change that causes them. This table is the truth; a queue only hurries.
//!
//! A job is claimed by raising its attempts under a lease, which the worker renews while it runs. Every ending names the attempt it ends: a
//! worker whose lease ran out changes nothing. What fails is tried again later and later; what kills its worker is given up after a few times.
//! Jobs carry ids, never content. Delivery is at least once.

pub mod desk;
pub mod kinds;

use crate::error::{Error, Result};
use crate::notices::{ChannelId, DeliveryId};
use crate::store::{Tx, column, number};
pub use crate::zone::Month;
pub use keyvawlt_ledger::{AccountId, IdentityId, NsId, OrgId, SecretId};
use keyvawlt_schema::job::{ActiveModel, Column, Entity};
use kinds::{Kind, MAX_CRASHES};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, OnConflict, Order, Query, SelectStatement, UnionType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait as _,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::{fmt, str::FromStr};

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
/// What was cut off again and again is spread over so long for each time; with its lease, that is less than a minute to the last.
const APART_MS: u64 = 3_000;
/// Jobs forgotten in one transaction: a fraction of a second of the writer's time.
const PRUNED_AT_ONCE: u64 = 2_000;
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
    /// Mail a fresh code to a channel's address.
    ChannelCode {
        /// Of which organization.
        #[serde(with = "text")]
        org: OrgId,
        /// Which channel.
        #[serde(with = "text")]
        channel: ChannelId,
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
    /// Send one message with the notices that ride in it.
    Deliver {
        /// Of which organization.
        #[serde(with = "text")]
        org: OrgId,
        /// Which message.
        delivery: DeliveryId,
    },
    /// Look for keys of which nobody reported in time.
    KeyHealthSweep,
    /// Remind of secrets that are to be replaced.
    RotationSweep,
    /// Mark what somebody could read who left a namespace.
    WorkOwed {
        /// Of which organization.
        #[serde(with = "text")]
        org: OrgId,
        /// Which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// The newest key that could be read with.
        epoch: u64,
        /// When the access was lost, epoch milliseconds.
        at_ms: u64,
    },
    /// Open the messages of a month's digest in the organization after another one.
    MonthlyDigest {
        /// Which month.
        #[serde(with = "text")]
        month: Month,
        /// After which; from the first on without.
        #[serde(with = "maybe_text")]
        after: Option<OrgId>,
    },
    /// Forget what need not be kept.
    Prune,
}

impl Job {
    /// Its row in the table of kinds.
    pub fn kind(&self) -> &'static Kind {
        match self {
            Self::EmailCode { .. } => &kinds::EMAIL_CODE,
            Self::ChannelCode { .. } => &kinds::CHANNEL_CODE,
            Self::ExpirySweep => &kinds::EXPIRY_SWEEP,
            Self::ExpiryScan { .. } => &kinds::EXPIRY_SCAN,
            Self::Deliver { .. } => &kinds::DELIVER,
            Self::KeyHealthSweep => &kinds::KEY_HEALTH_SWEEP,
            Self::RotationSweep => &kinds::ROTATION_SWEEP,
            Self::WorkOwed { .. } => &kinds::WORK_OWED,
            Self::MonthlyDigest { .. } => &kinds::MONTHLY_DIGEST,
            Self::Prune => &kinds::PRUNE,
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

impl FromStr for JobId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
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
    failures: i32,
    max_attempts: i32,
}

/// Writes a job, in the caller's transaction. With a dedupe key, nothing is written when the key was used; says whether it was written.
pub async fn enqueue(tx: &Tx, job: &Job, run_at_ms: u64, dedupe_key: Option<String>) -> Result<bool> {
    let row = ActiveModel {
        id: Set(tx.random().ordered_id(tx.now_ms()).to_vec()),
        kind: Set(job.kind().name.to_owned()),
        payload: Set(serde_json::to_string(job).map_err(Error::internal)?),
        state: Set(QUEUED),
        priority: Set(job.kind().priority),
        attempts: Set(0),
        failures: Set(0),
        crashes: Set(0),
        max_attempts: Set(job.kind().attempts),
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

/// The jobs whose time has come, the most urgent first; of each kind no more than may still begin.
pub async fn due(tx: &Tx, limit: u64) -> Result<Vec<JobId>> {
    let running = running(tx).await?;
    let free = |kind: &Kind| std::cmp::min(kind.at_once.saturating_sub(running.get(kind.name).copied().unwrap_or(0)), limit);
    let mut finds = kinds::ALL.into_iter().filter(|kind| free(kind) > 0).map(|kind| due_of(tx, kind, free(kind)));
    let Some(mut find) = finds.next() else { return Ok(Vec::new()) };
    for of_another_kind in finds {
        find.union(UnionType::All, of_another_kind);
    }
    let mut found: Vec<(i16, i64, Vec<u8>)> = Vec::new();
    for row in tx.db().query_all(&find).await? {
        found.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?));
    }
    found.sort_by_key(|(priority, run_at, _)| (std::cmp::Reverse(*priority), *run_at));
    let ids = found.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    ids.map(|(_, _, id)| id.try_into().map(JobId).map_err(|_| Error::internal("a job id must be 16 bytes"))).collect()
}

/// A select of its own around each, for a part of a union has no order.
fn due_of(tx: &Tx, kind: &Kind, limit: u64) -> SelectStatement {
    let mut ordered = Query::select();
    ordered
        .columns([Column::Priority, Column::RunAt, Column::Id])
        .from(Entity)
        .and_where(Column::State.eq(QUEUED).and(Column::Kind.eq(kind.name)).and(Column::RunAt.lte(column(tx.now_ms()))))
        .order_by(Column::RunAt, Order::Asc)
        .limit(limit);
    let mut part = Query::select();
    part.columns([Column::Priority, Column::RunAt, Column::Id]).from_subquery(ordered, Alias::new(kind.name));
    part
}

async fn running(tx: &Tx) -> Result<BTreeMap<String, u64>> {
    let counted = Entity::find().select_only().column(Column::Kind).column_as(Column::Id.count(), "jobs");
    let rows: Vec<(String, i64)> = counted.filter(Column::State.eq(RUNNING)).group_by(Column::Kind).into_tuple().all(tx.db()).await?;
    Ok(rows.into_iter().map(|(kind, jobs)| (kind, number(jobs))).collect())
}

/// Takes a job for `lease_ms`; `None` when somebody else has it, its time has not come, or as many of its kind run as may. (On PostgreSQL two
/// workers that claim in the same instant may go one beyond.)
pub async fn claim(tx: &Tx, id: JobId, worker: &str, lease_ms: u64) -> Result<Option<Claim>> {
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
        .col_expr(Column::LeaseUntil, Expr::value(column(now + lease_ms)))
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

/// Holds a job for another `lease_ms`; says whether it is still the caller's.
pub async fn renew(tx: &Tx, claim: &Claim, lease_ms: u64) -> Result<bool> {
    let lease = Entity::update_many().col_expr(Column::LeaseUntil, Expr::value(column(tx.now_ms() + lease_ms)));
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

/// What was cut off together comes apart, so that one job that kills its worker does not take the same others along each time. What was cut off
/// once is due at once.
fn apart_ms(tx: &Tx, crashes: i32) -> u64 {
    tx.random().below(u64::try_from(crashes - 1).unwrap_or(0) * APART_MS + 1)
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

/// Forgets a page of jobs that ended long ago; says whether there may be more. The writer is let go between pages.
pub async fn prune(tx: &Tx) -> Result<bool> {
    let ended_before = |state: i16, age: u64| Column::State.eq(state).and(Column::FinishedAt.lte(column(tx.now_ms().saturating_sub(age))));
    let old = Condition::any().add(ended_before(DONE, DONE_KEPT_MS)).add(ended_before(GIVEN_UP, GIVEN_UP_KEPT_MS));
    let page = Entity::find().select_only().column(Column::Id).filter(old).limit(PRUNED_AT_ONCE);
    let forgotten = Entity::delete_many().filter(Column::Id.in_subquery(page.into_query())).exec(tx.db()).await?;
    Ok(forgotten.rows_affected == PRUNED_AT_ONCE)
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
fn still((id, attempt): (JobId, i32)) -> sea_orm::sea_query::SimpleExpr {
    Column::Id.eq(id.0.to_vec()).and(Column::State.eq(RUNNING)).and(Column::Attempts.eq(attempt))
}

fn backoff_ms(failures: i32) -> u64 {
    // Far beyond the cap, far from an overflow.
    let doublings = std::cmp::min(failures.saturating_sub(1), 20);
    std::cmp::min(BACKOFF_BASE_MS << doublings, BACKOFF_MAX_MS)
}

/// Ids as hexadecimal text.
pub(crate) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(crate) fn serialize<T: Display, S: Serializer>(id: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// The same of something that may be missing.
pub(crate) mod maybe_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(crate) fn serialize<T: Display, S: Serializer>(id: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        id.as_ref().map(ToString::to_string).serialize(to)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests;
