//! Where an organization's notices go besides to people: a route.

use sea_orm::entity::prelude::*;

/// Where an organization's notices go besides to people: a route.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// 1 e-mail, 2 webhook, 3 Slack.
    pub form: i16,
    /// What people call it.
    pub name: String,
    /// A URL, which may be a secret itself and stands in no log and no answer; or an e-mail address.
    pub target: String,
    /// The key that signs what a webhook gets.
    pub secret: Option<Vec<u8>>,
    /// One bit for each kind of notice that goes there.
    pub kinds: i64,
    /// The namespaces whose notices go there, themselves or above: JSON. Empty for all.
    pub namespaces: String,
    /// Since when nothing is sent there, epoch milliseconds.
    pub paused_at: Option<i64>,
    /// Since when every message failed, epoch milliseconds.
    pub failing_since: Option<i64>,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// When an e-mail address was proved, epoch milliseconds; empty while only codes are sent there.
    pub proved_at: Option<i64>,
    /// Hash of the newest code that was mailed to it.
    pub code_hash: Option<Vec<u8>>,
    /// Until when that is good, epoch milliseconds.
    pub code_expires_at: Option<i64>,
    /// Wrong guesses at it.
    pub code_attempts: i32,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
