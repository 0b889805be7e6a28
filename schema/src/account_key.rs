//! The keys an account ever acted with: keys are replaced in one organization after the other, and stand in each until then.

use sea_orm::entity::prelude::*;

/// One key of an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_key")]
pub struct Model {
    /// Account id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Vec<u8>,
    /// A bundle of the account's identity, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
