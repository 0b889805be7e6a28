//! One signed link of an organization's chain, exactly as received.

use sea_orm::entity::prelude::*;

/// One signed link of an organization's chain, exactly as received.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Position, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Link type.
    pub kind: i16,
    /// The link's own time, epoch milliseconds.
    pub ts_ms: i64,
    /// Canonical CBOR as received.
    pub payload: Vec<u8>,
    /// Ed25519 signature, 64 bytes.
    pub sig: Vec<u8>,
    /// Link hash, 32 bytes.
    pub hash: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
