//! Remembers every key of an account, where there was only the newest.

use super::m0001_vault::clustered;
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::blob;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        clustered(m, "account_key", &["account_id", "key_id"], [blob("account_id"), blob("key_id")]).await?;
        let present = "INSERT INTO account_key (account_id, key_id) SELECT id, key_id FROM account";
        m.get_connection().execute_unprepared(present).await.map(drop)
    }
}
