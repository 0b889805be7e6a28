//! One message to one destination; notices ride in it.

use sea_orm::entity::prelude::*;

/// One message to one destination; notices ride in it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// An identity or a channel, 16 bytes.
    pub recipient_id: Vec<u8>,
    /// Whether the recipient is a channel.
    pub to_channel: bool,
    /// While further notices may join it: what it gathers. One such row per recipient and word.
    pub gathers: Option<String>,
    /// Whether it is a digest.
    pub digest: bool,
    /// 0 queued, 1 retried, 2 sent, 3 given up, 4 refused, 5 cancelled.
    pub state: i16,
    /// Raised before each attempt.
    pub attempts: i32,
    /// Not before, epoch milliseconds.
    pub run_at: i64,
    /// Why the last attempt failed, why nothing was sent, or what lacks of what was.
    pub last_error: Option<String>,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds.
    pub ended_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
