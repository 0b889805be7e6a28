//! One way into an account: the account key, sealed under a key that the server never sees.

use sea_orm::entity::prelude::*;

/// One way into an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "slot")]
pub struct Model {
    /// Account id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Vec<u8>,
    /// Slot id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot_id: Vec<u8>,
    /// 1 password, 2 recovery code, 3 passkey, 4 device.
    pub kind: i16,
    /// Ed25519 key of this slot's login assertions, 32 bytes.
    pub login_pk: Vec<u8>,
    /// The account key, sealed.
    pub sealed_ak: Vec<u8>,
    /// What the owner calls it.
    pub label: String,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
