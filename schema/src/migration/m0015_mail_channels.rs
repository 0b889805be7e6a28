//! Channels that are e-mail addresses: proved by a code, and ended by a link.

use super::m0001_vault::table;
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, boolean, integer};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let attempts = integer("code_attempts").default(0).to_owned();
        for column in [big_integer_null("proved_at"), blob_null("code_hash"), big_integer_null("code_expires_at"), attempts] {
            m.alter_table(Table::alter().table("channel").add_column(column).to_owned()).await?;
        }
        let to_channel = boolean("to_channel").default(false).to_owned();
        m.alter_table(Table::alter().table("digest_link").add_column(to_channel).to_owned()).await?;
        table(m, "proof_share", &["org_id"], [blob("org_id"), big_integer("hour"), integer("mailed")]).await
    }
}
