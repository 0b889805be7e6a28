//! What is relayed between a new device and an enrolled one, for some minutes.

use sea_orm::entity::prelude::*;

/// A device link.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_link")]
pub struct Model {
    /// The hash of the new device's key, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub link_id: Vec<u8>,
    /// That public key.
    pub kem_pk: Vec<u8>,
    /// What the enrolled device sealed to it.
    pub sealed: Option<Vec<u8>>,
    /// Epoch milliseconds.
    pub expires_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
