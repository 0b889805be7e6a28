//! An organization: the head of its chain. Its row is what writers of the organization lock.

use sea_orm::entity::prelude::*;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "org")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// Position of the newest link.
    pub head_seq: i64,
    /// Hash of the newest link, 32 bytes.
    pub head_hash: Vec<u8>,
    /// Merkle frontier over all link hashes.
    pub history: Vec<u8>,
    /// Rises with every change of the chain or of a manifest.
    pub change: i64,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Whether the states before its checkpoints and the trees over its histories are kept, from its first link on.
    pub has_past: bool,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
