//! A notice that was given, so that none is given twice.

use sea_orm::entity::prelude::*;

/// A notice that was given, so that none is given twice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert")]
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
    /// Which version the notice was about.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// Kind of notice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    /// To whom, identity id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Vec<u8>,
    /// When it was handed to the mailer's queue, epoch milliseconds.
    pub sent_at: i64,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
