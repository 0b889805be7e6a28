//! One line of an incident's timeline.

use sea_orm::entity::prelude::*;

/// One line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incident_event")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Which incident, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub incident_id: Vec<u8>,
    /// 16 bytes, ordered by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Vec<u8>,
    /// 1 opened, 2 acknowledged, 3 failing otherwise, 4 flapping, 5 steady again, 6 reminded, 7 resolved, 8 ended by maintenance, 9 ended by a pause.
    pub kind: i16,
    /// Epoch milliseconds.
    pub at: i64,
    /// More: why, or who.
    #[sea_orm(column_type = "Text")]
    pub detail: String,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
