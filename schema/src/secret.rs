//! A secret's newest leaf, with its sealed name and its facts.

use sea_orm::entity::prelude::*;

/// A secret's newest leaf, with its sealed name and its facts.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "secret")]
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
    /// Index of the leaf.
    pub idx: i64,
    /// Newest version.
    pub version: i64,
    /// Epoch its DEK is sealed under.
    pub epoch: i64,
    /// Bit 0 deleted, bit 1 draft.
    pub flags: i64,
    /// The manifest link that wrote the leaf.
    pub mseq: i64,
    /// 32 bytes, zero when deleted.
    pub payload_hash: Vec<u8>,
    /// 32 bytes, zero when deleted.
    pub dek_hash: Vec<u8>,
    /// 32 bytes.
    pub name_hash: Vec<u8>,
    /// 32 bytes.
    pub facts_hash: Vec<u8>,
    /// The sealed name.
    pub name: Vec<u8>,
    /// What the owner tells the server in clear.
    pub facts: Vec<u8>,
    /// From the facts of a live secret, epoch milliseconds.
    pub expires_at: Option<i64>,
    /// When its end is to be spoken of next, epoch milliseconds.
    pub remind_at: Option<i64>,
    /// When the server stored it, epoch milliseconds.
    pub written_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
