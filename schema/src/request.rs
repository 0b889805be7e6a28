//! The answer to a create call, kept so that a retry gets the same.

use sea_orm::entity::prelude::*;

/// The answer to a create call, kept so that a retry gets the same.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request")]
pub struct Model {
    /// Who called.
    #[sea_orm(primary_key, auto_increment = false)]
    pub caller: String,
    /// Chosen by the caller, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: Vec<u8>,
    /// Which call.
    pub rpc: String,
    /// What was answered.
    pub response: Vec<u8>,
    /// Forgotten after, epoch milliseconds.
    pub expires_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
