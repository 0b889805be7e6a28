//! A person's account: sealed data, and the identity it is bound to. The address is not a key: nothing depends on it.

use sea_orm::entity::prelude::*;

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Account id, 16 bytes, chosen by the client.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// Where mails go, once verified.
    pub email: String,
    /// When the address was proved, epoch milliseconds.
    pub email_verified_at: Option<i64>,
    /// The identity this account acts as, 16 bytes.
    pub identity_id: Vec<u8>,
    /// The identity's current bundle, 32 bytes.
    pub key_id: Vec<u8>,
    /// The account's data, sealed under its account key.
    pub blob: Vec<u8>,
    /// Generation of the blob; rises by one with each.
    pub generation: i64,
    /// The client's pins, sealed under the account key.
    pub pins: Option<Vec<u8>>,
    /// Hash of the code last mailed.
    pub email_code_hash: Option<Vec<u8>>,
    /// Until when that code is good, epoch milliseconds.
    pub email_code_expires_at: Option<i64>,
    /// Wrong guesses at that code.
    pub email_code_attempts: i32,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
