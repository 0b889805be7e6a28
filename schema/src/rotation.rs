//! What there is to replace of a secret: because its time has come, or because somebody who could read it lost access; and what was replaced and is
//! not yet known to work.

use sea_orm::entity::prelude::*;

/// What there is to replace of a secret. A secret without any reason has no row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rotation")]
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
    /// The version that is to be replaced.
    pub version: i64,
    /// When it gets as old as its owner wanted, epoch milliseconds.
    pub rotate_at: Option<i64>,
    /// Since when somebody may not read it who could, epoch milliseconds.
    pub owed_at: Option<i64>,
    /// Nobody is reminded before, epoch milliseconds.
    pub snoozed_until: Option<i64>,
    /// When the version was written, epoch milliseconds, while its trial goes on: what watches it may turn out bad.
    pub trial_at: Option<i64>,
    /// When it is spoken of next, epoch milliseconds.
    pub remind_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
