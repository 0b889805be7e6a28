//! Relays between a new device and an enrolled one.

use super::m0001_vault::{index, table};
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, blob_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let columns = [blob("link_id"), blob("kem_pk"), blob_null("sealed"), big_integer("expires_at")];
        table(m, "device_link", &["link_id"], columns).await?;
        index(m, "device_link_expires", "device_link", &["expires_at"]).await
    }
}
