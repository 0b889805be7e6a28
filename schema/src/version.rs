//! One version of a secret: two sealed objects.

use sea_orm::entity::prelude::*;

/// One version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "version")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Namespace id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ns_id: Vec<u8>,
    /// Secret id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub secret_id: Vec<u8>,
    /// From 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// Epoch the DEK is sealed under.
    pub epoch: i64,
    /// The manifest link that wrote it.
    pub mseq: i64,
    /// Sealed payload.
    pub payload: Vec<u8>,
    /// Sealed DEK.
    pub dek: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
