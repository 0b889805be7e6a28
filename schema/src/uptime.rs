//! How a monitor stood in one hour, or on one day (UTC).

use sea_orm::entity::prelude::*;

/// How a monitor stood in one hour, or on one day (UTC).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "uptime")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Which monitor, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub monitor_id: Vec<u8>,
    /// 0 an hour, 1 a day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub span: i16,
    /// Its beginning, epoch milliseconds.
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at: i64,
    /// Milliseconds after looks that passed.
    pub up: i64,
    /// Milliseconds after looks that failed.
    pub down: i64,
    /// How many looks.
    pub looks: i64,
    /// How many of them failed.
    pub failed: i64,
    /// The sum of the latencies of those that passed, milliseconds.
    pub latency: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
