//! The link of one mail that was sent: whoever has it may end such digests of that person, or the mails to that channel.

use sea_orm::entity::prelude::*;

/// The link of one mail that was sent: whoever has it may end such digests of that person, or the mails to that channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "digest_link")]
pub struct Model {
    /// SHA-256 of the token; the token itself stands in the mail alone.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    /// Organization id, 32 bytes.
    pub org_id: Vec<u8>,
    /// Who, or which channel; 16 bytes.
    pub identity_id: Vec<u8>,
    /// Which kind of notice it mutes; without one it ends the daily digests.
    pub mutes: Option<i16>,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Whether it is a channel's.
    pub to_channel: bool,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
