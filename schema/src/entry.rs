//! One entry of the chain's state.

use sea_orm::entity::prelude::*;

/// One entry of the chain's state.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "entry")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// The entry's key, as the ledger encodes it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    /// The entry's value, canonical CBOR.
    pub value: Vec<u8>,
    /// The link that wrote it.
    pub since: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
