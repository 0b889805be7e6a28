//! Something the server saw, kept for the organization.

use sea_orm::entity::prelude::*;

/// Something the server saw, kept for the organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// Epoch milliseconds.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what: ids.
    pub subject: String,
    /// More, for people; never content.
    pub detail: String,
    /// SHA-256 of the event, 32 bytes.
    pub hash: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
