//! What an organization has decided about its notices. Absent: the defaults.

use sea_orm::entity::prelude::*;

/// What an organization has decided about its notices. Absent: the defaults.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice_setting")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// How many days before its end a secret is spoken of: JSON, the farthest first.
    pub thresholds: String,
    /// Epoch milliseconds.
    pub updated_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
