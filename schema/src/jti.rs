//! A login assertion that was used.

use sea_orm::entity::prelude::*;

/// A login assertion that was used.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jti")]
pub struct Model {
    /// Its identifier, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti: Vec<u8>,
    /// When the assertion itself is no longer good, epoch milliseconds.
    pub expires_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
