//! Of what one person wants to hear in one organization, and when.

use sea_orm::entity::prelude::*;

/// Of what one person wants to hear in one organization, and when.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice_preference")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Who, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub identity_id: Vec<u8>,
    /// One bit for each kind that is not wanted.
    pub muted: i64,
    /// The namespaces of interest, themselves or above: JSON. Empty for all.
    pub namespaces: String,
    /// The hour of the daily digest; without one, what is not muted comes at once.
    pub digest_hour: Option<i16>,
    /// When quiet hours begin, minute of the day.
    pub quiet_from: Option<i16>,
    /// When they end, minute of the day.
    pub quiet_to: Option<i16>,
    /// IANA time zone.
    pub zone: String,
    /// Epoch milliseconds.
    pub updated_at: i64,
    /// When a digest's link ended the digests, epoch milliseconds; preferences that are set anew begin them again.
    pub digest_ended_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
