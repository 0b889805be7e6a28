//! A namespace: the head of its manifest.

use sea_orm::entity::prelude::*;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "namespace")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Namespace id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ns_id: Vec<u8>,
    /// Position of the newest manifest link; 0 before the first.
    pub mseq: i64,
    /// Its hash, 32 bytes.
    pub mhash: Vec<u8>,
    /// Merkle frontier over the manifest's history.
    pub history: Vec<u8>,
    /// Anchor of the newest manifest link.
    pub anchor_seq: i64,
    /// Hash of the anchoring link, 32 bytes.
    pub anchor_hash: Vec<u8>,
    /// Time of the newest manifest link, epoch milliseconds.
    pub ts_ms: i64,
    /// Epoch of the newest manifest link.
    pub epoch: i64,
    /// Merkle root over all leaves, 32 bytes.
    pub root: Vec<u8>,
    /// Leaves, deleted ones included.
    pub count: i64,
    /// Leaves that are not deleted.
    pub live: i64,
    /// Author of the newest manifest link, 16 bytes.
    pub author_id: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
