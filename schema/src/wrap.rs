//! A namespace key, encrypted to one identity.

use sea_orm::entity::prelude::*;

/// A namespace key, encrypted to one identity.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wrap")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Namespace id, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ns_id: Vec<u8>,
    /// Epoch of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub epoch: i64,
    /// To whom, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Vec<u8>,
    /// The org link that carries it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Its leaf in that link's wrap set.
    pub position: i64,
    /// Leaves of that wrap set.
    pub count: i64,
    /// Whether that link signs a wraps root.
    pub in_root: bool,
    /// The wrap record.
    pub record: Vec<u8>,
    /// Wrap hash, 32 bytes.
    pub hash: Vec<u8>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
