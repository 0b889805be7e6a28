//! One signed link of a namespace's manifest, exactly as received.

use sea_orm::entity::prelude::*;

/// One signed link of a namespace's manifest, exactly as received.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "manifest_link")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Namespace id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ns_id: Vec<u8>,
    /// Position, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mseq: i64,
    /// Canonical CBOR as received.
    pub payload: Vec<u8>,
    /// Ed25519 signature, 64 bytes.
    pub sig: Vec<u8>,
    /// Link hash, 32 bytes.
    pub hash: Vec<u8>,
    /// The org link it is anchored in.
    pub anchor_seq: i64,
    /// The link's own time, epoch milliseconds.
    pub ts_ms: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
