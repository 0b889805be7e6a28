//! An entry of the state as it was before some checkpoint, and is no longer.

use sea_orm::entity::prelude::*;

/// An entry of the state as it was before some checkpoint, and is no longer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "past_entry")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// The entry's key, as the ledger encodes it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    /// The link that changed or removed it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub until: i64,
    /// The link that wrote it.
    pub since: i64,
    /// The entry's value, canonical CBOR.
    pub value: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
