//! A time in which a monitor was down or flapping.

use sea_orm::entity::prelude::*;

/// A time in which a monitor was down or flapping.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incident")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub incident_id: Vec<u8>,
    /// Where that monitor belongs: namespace id, 16 bytes; empty for the organization.
    pub ns_id: Vec<u8>,
    /// Which monitor, 16 bytes.
    pub monitor_id: Vec<u8>,
    /// The first of the incidents of one host that began together, 16 bytes: its own id where it is the first.
    pub leader_id: Vec<u8>,
    /// Whether it went up and down.
    pub flapping: bool,
    /// Why the look failed that began it.
    #[sea_orm(column_type = "Text")]
    pub cause: String,
    /// Epoch milliseconds.
    pub opened_at: i64,
    /// When somebody took it on, epoch milliseconds.
    pub acknowledged_at: Option<i64>,
    /// Who, identity id, 16 bytes.
    pub acknowledged_by: Option<Vec<u8>>,
    /// When people were reminded of it, epoch milliseconds.
    pub reminded_at: Option<i64>,
    /// Epoch milliseconds.
    pub resolved_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
