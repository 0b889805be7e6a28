//! What those who may decrypt a key reported of one version of it.

use sea_orm::entity::prelude::*;

/// What those who may decrypt a key reported of one version of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_health")]
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
    /// Which version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// Where the state machine stands.
    pub state: i16,
    /// Whose key the owner says it is, in lower case; empty where nothing is said.
    pub provider: String,
    /// The newest report, payload and signature as canonical CBOR; none while a check is only promised.
    pub newest: Option<Vec<u8>>,
    /// Its time, epoch milliseconds.
    pub newest_at: Option<i64>,
    /// The newest report that says whether the key works, where that is another one.
    pub decided: Option<Vec<u8>>,
    /// The first of an unbroken run of invalid ones.
    pub failed: Option<Vec<u8>>,
    /// Its time, epoch milliseconds.
    pub failed_at: Option<i64>,
    /// When the key ends, as its provider says, epoch milliseconds.
    pub expires_at: Option<i64>,
    /// How often somebody promised to check it, milliseconds.
    pub interval: Option<i64>,
    /// Until when it is one runner's to check, epoch milliseconds.
    pub lease_until: Option<i64>,
    /// Whose, identity id, 16 bytes.
    pub leased_by: Option<Vec<u8>>,
    /// From when on it counts as stale, epoch milliseconds.
    pub stale_at: Option<i64>,
}

/// No relations: rows are reached by their keys.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
