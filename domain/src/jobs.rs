//! Jobs: rows written in the transaction of the change that causes them. This table is the truth; a queue only hurries.
//!
//! A job is claimed by raising its attempts under a lease, which the worker renews while it runs. Every ending names the attempt it ends: a
//! worker whose lease ran out changes nothing. What fails is tried again later and later; what kills its worker is given up after a few times.
//! Jobs carry ids, never content. Delivery is at least once.

mod attempt;
pub mod desk;
pub mod kinds;

use crate::error::{Error, Result};
use crate::notices::{ChannelId, DeliveryId};
use crate::store::{Tx, column, number};
pub use crate::zone::Month;
pub use attempt::{Claim, LEASE_MS, claim, expire_leases, finish, give_back, give_up, put_off, renew, retry, retry_after};
pub use keyvawlt_ledger::{AccountId, IdentityId, NsId, OrgId, SecretId};
use keyvawlt_schema::job::{ActiveModel, Column, Entity};
use kinds::Kind;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, OnConflict, Order, Query, SelectStatement, UnionType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait as _,
    UpdateMany,
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

/// No job waits longer for its time: a day's digest a day, and the end of quiet hours another; a month's begins half a day before its first
/// recipient's morning.
pub(crate) const LONGEST_WAIT_MS: u64 = 3 * DAY_MS;
/// A clock that is ahead by less speaks of things early, and passes over none: what is told in stages has a day between them at least.
const AHEAD_MS: u64 = DAY_MS;
/// Jobs forgotten in one transaction: a fraction of a second of the writer's time.
const PRUNED_AT_ONCE: u64 = 2_000;
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

/// Makes due what a clock put off that was ahead; says how many jobs there were.
pub(crate) async fn call_back(tx: &Tx) -> Result<u64> {
    let back = calls_back(tx).exec(tx.db()).await?.rows_affected;
    if back > 0 {
        tx.wake_relay();
    }
    Ok(back)
}

pub(crate) fn calls_back(tx: &Tx) -> UpdateMany<Entity> {
    let put_off = Column::State.eq(QUEUED).and(Column::RunAt.gt(column(tx.beyond_ms(LONGEST_WAIT_MS))));
    Entity::update_many()
        .col_expr(Column::RunAt, Expr::value(column(tx.now_ms())))
        // By its kinds, the index finds the last ones of each.
        .filter(put_off.and(Column::Kind.is_in(kinds::ALL.map(|kind| kind.name))))
}

/// Whether jobs ended so far ahead of now that what they did was done by a clock that was ahead.
pub(crate) async fn any_ended_ahead(tx: &Tx) -> Result<bool> {
    Ok(Entity::find().filter(ended_ahead(tx)).one(tx.db()).await?.is_some())
}

/// Forgets a page of those that are done, so that their keys keep nothing away when that time comes; says whether there may be more.
pub(crate) async fn forget_ended_ahead(tx: &Tx) -> Result<bool> {
    forget(tx, ended_ahead(tx)).await
}

fn ended_ahead(tx: &Tx) -> Condition {
    Condition::all().add(Column::State.eq(DONE)).add(Column::FinishedAt.gt(column(tx.beyond_ms(AHEAD_MS))))
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
    forget(tx, old).await
}

async fn forget(tx: &Tx, which: Condition) -> Result<bool> {
    let page = Entity::find().select_only().column(Column::Id).filter(which).limit(PRUNED_AT_ONCE);
    let forgotten = Entity::delete_many().filter(Column::Id.in_subquery(page.into_query())).exec(tx.db()).await?;
    Ok(forgotten.rows_affected == PRUNED_AT_ONCE)
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
