//! A time in which failures are expected: once, or every week.

use sea_orm::entity::prelude::*;

/// A time in which failures are expected: once, or every week.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "maintenance")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub maintenance_id: Vec<u8>,
    /// The environment it belongs to, namespace id, 16 bytes; empty for the organization.
    pub ns_id: Vec<u8>,
    /// The one monitor it is about, 16 bytes; else all of the environment, or of the organization.
    pub monitor_id: Option<Vec<u8>>,
    /// When, as JSON.
    #[sea_orm(column_type = "Text")]
    pub schedule: String,
    /// What people call it.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    /// When it is over for good, epoch milliseconds; absent for weekly ones.
    pub ends_at: Option<i64>,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
