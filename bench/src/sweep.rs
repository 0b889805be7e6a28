//! What it costs to find the few secrets that end soon among many: from the sweep's job to the last notice, written and waiting for its message.
//!
//! Organizations, environments and one secret in each are made through the client. The others are copies of that row under ids of their own, which
//! is all that a sweep looks at: it reads no manifest. All are in the index of moments, a few of them due.

use crate::database::{Database, Engine};
use crate::page::{megabytes, ms};
use crate::program::{Programs, Server};
use crate::scene::{ending, settle};
use anyhow::{Context as _, Result, ensure};
use keyvawlt_client::Clock;
use keyvawlt_domain::jobs::{self, Job};
use keyvawlt_domain::{Random, Store};
use keyvawlt_schema::{job, notice, secret};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseConnection, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, TransactionTrait as _,
};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Organizations with an environment each.
const ORGANIZATIONS: u64 = 100;
/// Rows of one statement, well below the parameters that SQLite takes.
const CHUNK: usize = 500;
/// Between two looks at the tables.
const LOOK: Duration = Duration::from_millis(10);
/// Longer, and something is wrong.
const PATIENCE: Duration = Duration::from_mins(3);
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Between the thresholds of three days and of one.
const DUE_ENDS_IN_MS: u64 = 2 * DAY_MS;
/// Of those that are not due: spoken of in half a year.
const OTHERS_END_IN_MS: u64 = 200 * DAY_MS;
const OTHERS_DUE_IN_MS: u64 = 170 * DAY_MS;

/// What was measured.
pub struct Swept {
    pub engine: &'static str,
    pub secrets: u64,
    pub due: u64,
    /// Until the last scan is a job.
    pub found: Duration,
    /// Until the last notice waits for its message.
    pub spoken_of: Duration,
    pub cpu: Duration,
    pub growth: u64,
}

impl Swept {
    pub fn row(&self) -> Result<String> {
        let Self { engine, secrets, due, found, spoken_of, cpu, growth } = self;
        let mut row = String::new();
        let growth = megabytes(*growth);
        writeln!(row, "| {engine} | {secrets} | {due} | {} | {} | {} | {growth:.1} MB |", ms(*found), ms(*spoken_of), ms(*cpu))?;
        Ok(row)
    }
}

/// Sweeps once over so many secrets, `due` of which are due.
pub async fn measure(programs: &Programs, engine: &Engine, secrets: u64, due: u64, folder: &Path) -> Result<Swept> {
    let database = Database::create(engine, folder).await?;
    let settings = [("KEYVAWLT_SERVER__STORE__URL", database.url.as_str())];
    let server = Server::start_with(programs, &database.data, &settings)?;
    ending(&server, &database.data, folder, usize::try_from(ORGANIZATIONS)?, OTHERS_END_IN_MS).await?;
    let rows = database.connect().await?;
    multiply(&rows, secrets / ORGANIZATIONS).await?;
    drop(server);

    // Afresh: what preparing took is not its memory. It finds nothing due.
    let server = Server::start_with(programs, &database.data, &settings)?;
    let store = Store::open(&database.url, keyvawlt_domain::Clock::System, Random::System).await?;
    settle(&store).await?;
    let (scans, notices) = (scans(&rows).await?, notice::Entity::find().count(&rows).await?);
    make_due(&rows, i64::try_from(due / ORGANIZATIONS)?).await?;
    server.forget_peak()?;
    let (resident, cpu) = (server.resident()?, server.cpu()?);
    let tx = store.write().await?;
    jobs::enqueue(&tx, &Job::ExpirySweep, tx.now_ms(), None).await?;
    let began = Instant::now();
    tx.commit().await?;
    let found = until(began, scans + ORGANIZATIONS, || self::scans(&rows)).await?;
    let spoken_of = until(began, notices + due, || async { Ok(notice::Entity::find().count(&rows).await?) }).await?;
    let swept = Swept {
        engine: engine.name(),
        secrets,
        due,
        found,
        spoken_of,
        cpu: server.cpu()?.saturating_sub(cpu),
        growth: server.peak()?.saturating_sub(resident),
    };
    drop(server);
    store.close().await?;
    rows.close().await?;
    database.drop().await?;
    Ok(swept)
}

/// Copies each secret until there are so many beside it.
async fn multiply(rows: &DatabaseConnection, each: u64) -> Result<()> {
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let at = column(Clock::System.now_ms() + OTHERS_DUE_IN_MS);
    for first in secret::Entity::find().all(rows).await? {
        let tx = rows.begin().await?;
        let copies: Vec<_> = (1..each).collect();
        for chunk in copies.chunks(CHUNK) {
            let copy = |idx: &u64| secret::ActiveModel {
                secret_id: Set(Random::System.bytes::<16>().to_vec()),
                idx: Set(column(*idx)),
                remind_at: Set(Some(at)),
                ..first.clone().into_active_model()
            };
            secret::Entity::insert_many(chunk.iter().map(copy)).exec_without_returning(&tx).await?;
        }
        tx.commit().await?;
    }
    // As a store that has been in use for long: it knows what its tables are like.
    rows.execute_unprepared("ANALYZE").await?;
    Ok(())
}

async fn make_due(rows: &DatabaseConnection, each: i64) -> Result<()> {
    let now = i64::try_from(Clock::System.now_ms())?;
    secret::Entity::update_many()
        .col_expr(secret::Column::RemindAt, Expr::value(now))
        .col_expr(secret::Column::ExpiresAt, Expr::value(now + i64::try_from(DUE_ENDS_IN_MS)?))
        .filter(secret::Column::Idx.lt(each))
        .exec(rows)
        .await?;
    Ok(())
}

async fn scans(rows: &DatabaseConnection) -> Result<u64> {
    let kind = Job::ExpiryScan { org: jobs::OrgId([0; 32]), ns: jobs::NsId([0; 16]) }.kind().name;
    Ok(job::Entity::find().filter(job::Column::Kind.eq(kind)).count(rows).await?)
}

/// How long until there are so many.
async fn until<F: Future<Output = Result<u64>>>(began: Instant, wanted: u64, count: impl Fn() -> F) -> Result<Duration> {
    loop {
        let seen = count().await.context("a count")?;
        if seen >= wanted {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "{seen} of {wanted} after {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}
