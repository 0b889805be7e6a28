//! One node of the Merkle tree over a chain's links, or over a manifest's; only complete subtrees, which never change.

use sea_orm::entity::prelude::*;

/// One node of the Merkle tree over a chain's links, or over a manifest's; only complete subtrees, which never change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "history_node")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Namespace id, 16 bytes; empty for the organization's chain.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ns_id: Vec<u8>,
    /// 0 is the links' level.
    #[sea_orm(primary_key, auto_increment = false)]
    pub level: i16,
    /// Position within the level.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idx: i64,
    /// 32 bytes.
    pub hash: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
