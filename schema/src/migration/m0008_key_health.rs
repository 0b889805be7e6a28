//! What was reported of keys.

use super::m0001_vault::{index, table};
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, small_integer, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            blob("org_id"),
            blob("ns_id"),
            blob("secret_id"),
            big_integer("version"),
            small_integer("state"),
            text("provider"),
            blob_null("newest"),
            big_integer_null("newest_at"),
            blob_null("decided"),
            blob_null("failed"),
            big_integer_null("failed_at"),
            big_integer_null("expires_at"),
            big_integer_null("interval"),
            big_integer_null("lease_until"),
            blob_null("leased_by"),
            big_integer_null("stale_at"),
        ];
        table(m, "key_health", &["org_id", "ns_id", "secret_id", "version"], columns).await?;
        // All keys of one provider, when one of them fails.
        index(m, "key_health_provider", "key_health", &["org_id", "provider"]).await?;
        // What nobody reported of in time, for the sweep.
        index(m, "key_health_stale", "key_health", &["stale_at"]).await
    }
}
