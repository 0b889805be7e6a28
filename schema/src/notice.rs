//! One happening for one recipient: a person, or a channel of the organization.

use sea_orm::entity::prelude::*;

/// One happening for one recipient: a person, or a channel of the organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// An identity or a channel, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Vec<u8>,
    /// Names the happening: nobody hears of one twice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The message it rides in, 16 bytes.
    pub delivery_id: Vec<u8>,
    /// Of what, as JSON: ids, never content.
    pub topic: String,
    /// Why it is the recipient's: 0 reads the namespace, 1 administers, 2 was named, 3 is a channel.
    pub audience: i16,
    /// 0 waiting, 1 told, 2 dropped.
    pub state: i16,
    /// Why it was dropped.
    pub reason: Option<String>,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
