//! The public keys of an identity, self-signed.

use sea_orm::entity::prelude::*;

/// The public keys of an identity, self-signed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bundle")]
pub struct Model {
    /// Hash of the payload, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Vec<u8>,
    /// Whose, 16 bytes.
    pub identity_id: Vec<u8>,
    /// Canonical CBOR as received.
    pub payload: Vec<u8>,
    /// Ed25519 signature, 64 bytes.
    pub sig: Vec<u8>,
    /// Ed25519 key of login assertions, 32 bytes.
    pub auth_pk: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
