//! Work to be done later; written in the transaction of the change that causes it. This table is the truth, a queue only hurries.

use sea_orm::entity::prelude::*;

/// Work to be done later; written in the transaction of the change that causes it. This table is the truth, a queue only hurries.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// Which job, for people and metrics.
    pub kind: String,
    /// The job as JSON: ids, never content.
    pub payload: String,
    /// 0 queued, 1 running, 2 done, 3 given up.
    pub state: i16,
    /// Higher goes first.
    pub priority: i16,
    /// Raised before each attempt: the number of an attempt is the right to end it.
    pub attempts: i32,
    /// Attempts that failed.
    pub failures: i32,
    /// Attempts, one after the other, that nobody ended: their worker died.
    pub crashes: i32,
    /// Given up after so many failures.
    pub max_attempts: i32,
    /// Not before, epoch milliseconds.
    pub run_at: i64,
    /// While running: when others may take it, epoch milliseconds.
    pub lease_until: Option<i64>,
    /// While running: which worker has it.
    pub leased_by: Option<String>,
    /// One row per key, as long as the row is kept.
    pub dedupe_key: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds.
    pub finished_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
