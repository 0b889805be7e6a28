//! The store: one file (SQLite) or one server (PostgreSQL), behind the same two words, `read` and `write`.
//!
//! SQLite has one writer and every write transaction takes it at once (BEGIN IMMEDIATE): writers queue instead of failing. PostgreSQL gives
//! the same order per organization and per account by a lock on that row ([`Tx::lock_org`], [`Tx::lock_account`]), taken before anything is
//! read: writers of different organizations do not meet, and no transaction has to be repeated, as SERIALIZABLE would demand of every caller.
//! Reads see one snapshot on both. There are no repository traits and no mocks.

mod open;

use crate::clock::{Clock, beyond_ms};
use crate::error::{Result, is_hang_up};
use crate::notices::GATHER_MS;
use crate::random::Random;
use keyvawlt_ledger::{AccountId, OrgId};
use keyvawlt_schema::{account, org};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IsolationLevel, QueryResult,
    QuerySelect, SqliteTransactionMode, StatementBuilder, TransactionOptions, TransactionTrait,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

pub use open::{OpenError, Tables};

/// Where everything is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    clock: Clock,
    random: Random,
    gather_ms: u64,
    jobs: Arc<Notify>,
}

impl Store {
    /// Opens the store at `sqlite://path` or `postgres://…` and brings its tables up to date.
    pub async fn open(url: &str, clock: Clock, random: Random) -> Result<Self, OpenError> {
        let open::Connections { reader, writer } = open::open(url).await?;
        Ok(Self { reader, writer, clock, random, gather_ms: GATHER_MS, jobs: Arc::new(Notify::new()) })
    }

    /// The same store, where messages wait for company for another while than usual.
    #[must_use]
    pub fn gathering(self, gather_ms: u64) -> Self {
        Self { gather_ms, ..self }
    }

    /// Says how a store is, without opening it for use.
    pub async fn look(url: &str) -> Result<Tables, OpenError> {
        open::look(url).await
    }

    /// A transaction that reads one snapshot. It never takes the writer, and nobody waits for its end.
    pub async fn read(&self) -> Result<Tx> {
        let options = || match self.backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..Default::default()
            },
            _ => TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred), ..Default::default() },
        };
        Ok(Tx { reads: true, ..self.begin(&self.reader, options).await? })
    }

    /// A transaction that may change things. Nothing of it stays unless it is committed.
    pub async fn write(&self) -> Result<Tx> {
        let options = || match self.backend() {
            DbBackend::Postgres => TransactionOptions { isolation_level: Some(IsolationLevel::ReadCommitted), ..Default::default() },
            _ => TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() },
        };
        self.begin(&self.writer, options).await
    }

    /// What one statement reads: without a transaction around it, it costs a third.
    pub(crate) async fn read_rows(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        let mut dead = Dead::default();
        loop {
            match self.reader.query_all(select).await {
                Err(error) if dead.another(&error) => {}
                rows => return Ok(rows?),
            }
        }
    }

    /// Changes something by one statement, durable when this returns: without a transaction around it, it costs a third. It must be one that
    /// may be repeated, for nobody knows what became of it when the store hangs up.
    pub(crate) async fn write_once(&self, statement: &impl StatementBuilder) -> Result<()> {
        let mut dead = Dead::default();
        loop {
            match self.writer.execute(statement).await {
                Err(error) if dead.another(&error) => {}
                done => return Ok(done.map(drop)?),
            }
        }
    }

    async fn begin(&self, pool: &DatabaseConnection, options: impl Fn() -> TransactionOptions) -> Result<Tx> {
        let mut dead = Dead::default();
        loop {
            match pool.begin_with_options(options()).await {
                Err(error) if dead.another(&error) => {}
                db => return Ok(self.tx(db?)),
            }
        }
    }

    /// The clock of every transaction.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The randomness of every transaction.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// Returns after a job was written by this process; other processes' jobs are found by looking.
    pub async fn job_written(&self) {
        self.jobs.notified().await;
    }

    /// Closes all connections; SQLite folds its log into the file.
    pub async fn close(self) -> Result<()> {
        if self.backend() == DbBackend::Sqlite {
            self.reader.close().await?;
        }
        Ok(self.writer.close().await?)
    }

    fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    fn tx(&self, db: DatabaseTransaction) -> Tx {
        Tx {
            db,
            now_ms: self.clock.now_ms(),
            random: self.random.clone(),
            gather_ms: self.gather_ms,
            jobs: Arc::clone(&self.jobs),
            wakes: AtomicBool::new(false),
            reads: false,
        }
    }
}

/// Dead connections met so far. A PostgreSQL that was restarted leaves a pool full of them, and each is found by its first statement; as long
/// as that changes nothing, it is tried on the next connection.
#[derive(Debug, Default)]
struct Dead(u32);

impl Dead {
    fn another(&mut self, error: &DbErr) -> bool {
        self.0 += 1;
        self.0 <= open::POSTGRES_CONNECTIONS && is_hang_up(error)
    }
}

/// A transaction, with its one moment in time.
#[derive(Debug)]
pub struct Tx {
    db: DatabaseTransaction,
    now_ms: u64,
    random: Random,
    gather_ms: u64,
    jobs: Arc<Notify>,
    wakes: AtomicBool,
    reads: bool,
}

impl Tx {
    /// Makes everything done in it durable.
    pub async fn commit(self) -> Result<()> {
        if self.reads {
            // Its end is on its way before the connection serves anybody else.
            return Ok(());
        }
        self.db.commit().await?;
        if self.wakes.into_inner() {
            self.jobs.notify_one();
        }
        Ok(())
    }

    /// When the transaction began, epoch milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// After which moment nothing lies that is to come within `wait_ms` at the latest.
    pub(crate) fn beyond_ms(&self, wait_ms: u64) -> u64 {
        beyond_ms(self.now_ms, wait_ms)
    }

    /// Randomness.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// How long a message waits for company.
    pub(crate) fn gather_ms(&self) -> u64 {
        self.gather_ms
    }

    /// Makes this transaction the only writer of an organization until it ends; says whether the organization exists. Locks are taken in
    /// the order account, organization, and only one of each.
    pub async fn lock_org(&self, id: &OrgId) -> Result<bool> {
        let row = org::Entity::find_by_id(id.0.to_vec()).select_only().column(org::Column::HeadSeq);
        Ok(row.lock_exclusive().into_tuple::<i64>().one(&self.db).await?.is_some())
    }

    /// Makes this transaction the only writer of an account until it ends; says whether the account exists.
    pub async fn lock_account(&self, id: &AccountId) -> Result<bool> {
        let row = account::Entity::find_by_id(id.0.to_vec()).select_only().column(account::Column::Generation);
        Ok(row.lock_exclusive().into_tuple::<i64>().one(&self.db).await?.is_some())
    }

    /// The transaction itself, for this crate's own statements.
    pub(crate) fn db(&self) -> &DatabaseTransaction {
        &self.db
    }

    /// Wakes this process's relay once the transaction is committed.
    pub(crate) fn wake_relay(&self) {
        self.wakes.store(true, Ordering::Relaxed);
    }
}

/// A moment or counter as columns keep it. Values beyond 2^63 do not occur: the year 292 million.
pub(crate) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A moment or counter as the ledger keeps it.
pub(crate) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;
