//! Why a call fails: a closed list, one variant per distinct reaction of the caller.
//!
//! What callers see carries no secret, address or driver text; the source of an internal error is for the log alone.

use keyvawlt_ledger::Fault;
use sea_orm::sqlx::Error as Sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use std::borrow::Cow;

/// The outcome of every operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Log in (again).
    #[error("not authenticated: {why}")]
    Unauthenticated {
        /// What was wrong, without saying whether the caller exists.
        why: Cow<'static, str>,
    },
    /// Ask somebody who may. Absent and forbidden answer alike.
    #[error("not found, or not allowed")]
    Forbidden,
    /// Correct the request.
    #[error("invalid {field}: {why}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// Fetch what changed, and decide again.
    #[error("conflict: {why}")]
    Conflict {
        /// What is in the way.
        why: Cow<'static, str>,
        /// The current revision, where there is one.
        current: Option<u64>,
    },
    /// A signed statement breaks a rule of the protocol.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// Wait.
    #[error("too many requests: try again in {retry_after_ms} ms")]
    RateLimited {
        /// For how long, milliseconds.
        retry_after_ms: u64,
    },
    /// Send less.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// In its unit.
        limit: u64,
    },
    /// Use a newer client.
    #[error("upgrade required")]
    Upgrade,
    /// Try again: nothing happened.
    #[error("unavailable: try again")]
    Unavailable,
    /// Bring back what is missing, or wait until others have.
    #[error("this server was restored from a backup: it takes nothing new until what the backup lacks is back")]
    Restoring,
    /// Report it.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Not authenticated, and why.
    pub fn unauthenticated(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Unauthenticated { why: why.into() }
    }

    /// A field that must be corrected.
    pub fn invalid(field: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    /// A conflict without a revision.
    pub fn conflict(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict { why: why.into(), current: None }
    }

    /// Something that cannot happen, and did.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

/// PostgreSQL: serialization failure, deadlock, lock or statement timeout, shutting down, out of connections, read-only replica.
const PASSING_SQLSTATES: [&str; 9] = ["40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25006"];
/// SQLite's primary codes: busy, locked, read-only, I/O error, full.
const PASSING_SQLITE: [i64; 5] = [5, 6, 8, 10, 13];

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let passing = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            _ => match of_driver(&error) {
                Some(Sqlx::Io(_) | Sqlx::PoolTimedOut | Sqlx::PoolClosed | Sqlx::WorkerCrashed) => true,
                Some(Sqlx::Database(database)) => database.code().is_some_and(|code| is_passing(&code)),
                _ => false,
            },
        };
        if passing {
            tracing::warn!(%error, "the store is not available");
            Self::Unavailable
        } else {
            Self::internal(error)
        }
    }
}

fn is_passing(code: &str) -> bool {
    // SQLite's extended codes keep the primary one in the low byte; its codes have no five digits, SQLSTATEs always.
    match code.parse::<i64>() {
        Ok(number) if code.len() < 5 => PASSING_SQLITE.contains(&(number & 0xff)),
        _ => PASSING_SQLSTATES.contains(&code),
    }
}

/// PostgreSQL: ended by an administrator, or with all others when one of them crashed.
const HUNG_UP: [&str; 2] = ["57P01", "57P02"];

/// Whether the database closed this connection, which says nothing of the next.
pub(crate) fn is_hang_up(error: &DbErr) -> bool {
    match of_driver(error) {
        Some(Sqlx::Io(_)) => true,
        Some(Sqlx::Database(database)) => database.code().is_some_and(|code| HUNG_UP.contains(&&*code)),
        _ => false,
    }
}

fn of_driver(error: &DbErr) -> Option<&Sqlx> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

/// Whether an insert failed because a row with that key exists.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
