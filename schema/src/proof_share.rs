//! How many proofs of addresses an organization had mailed within the hour.

use sea_orm::entity::prelude::*;

/// How many proofs of addresses an organization had mailed within the hour.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "proof_share")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Which hour, since 1970.
    pub hour: i64,
    /// How many in it.
    pub mailed: i32,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
