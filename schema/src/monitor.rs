//! A URL that is looked at from time to time, and how it stands.

use sea_orm::entity::prelude::*;

/// A URL that is looked at from time to time, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "monitor")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub monitor_id: Vec<u8>,
    /// The environment it belongs to, namespace id, 16 bytes; empty for the organization.
    pub ns_id: Vec<u8>,
    /// What people call it; one of a name in its place.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What is looked at.
    #[sea_orm(column_type = "Text")]
    pub url: String,
    /// The URL's host, by which incidents are grouped.
    #[sea_orm(column_type = "Text")]
    pub host: String,
    /// What is asked and what is expected, as JSON.
    #[sea_orm(column_type = "Text")]
    pub rules: String,
    /// Milliseconds between looks.
    pub interval: i64,
    /// 0 unknown, 1 up, 2 pending, 3 down, 4 degraded, 5 flapping, 6 maintenance, 7 paused.
    pub state: i16,
    /// Since when, epoch milliseconds.
    pub since: i64,
    /// What the state machine remembers of the last looks, as JSON.
    #[sea_orm(column_type = "Text")]
    pub memory: String,
    /// The open incident, 16 bytes: where it is down or flapping, and nowhere else.
    pub incident_id: Option<Vec<u8>>,
    /// When it is looked at next, epoch milliseconds; absent while paused.
    pub next_at: Option<i64>,
    /// While a worker looks: when others may, epoch milliseconds.
    pub lease_until: Option<i64>,
    /// While a worker looks: which one.
    #[sea_orm(column_type = "Text", nullable)]
    pub leased_by: Option<String>,
    /// Raised by every claim and every change: results of older rounds are dropped.
    pub round: i64,
    /// When it was looked at last, epoch milliseconds.
    pub checked_at: Option<i64>,
    /// How that look ended; absent where it does not count.
    pub passed: Option<bool>,
    /// How long that look took, milliseconds.
    pub latency: Option<i64>,
    /// Why that look failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub problem: Option<String>,
    /// When the certificate seen last ends, epoch milliseconds.
    pub certificate_ends_at: Option<i64>,
    /// Raised by every change of its settings.
    pub revision: i64,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
