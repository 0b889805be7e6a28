//! Index of the chain's members, for finding an identity's organizations; the chain itself decides.

use sea_orm::entity::prelude::*;

/// Index of the chain's members, for finding an identity's organizations; the chain itself decides.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// Organization id, 32 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: Vec<u8>,
    /// Who, 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub identity_id: Vec<u8>,
    /// Role number.
    pub role: i16,
    /// Current bundle, 32 bytes.
    pub key_id: Vec<u8>,
    /// The member signed its own way in, or its keys were first seen here: anybody can add anybody else's keys to an organization of theirs.
    pub own: bool,
    /// End of the membership, epoch milliseconds.
    pub expires_ms: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
