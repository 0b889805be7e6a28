//! The links that end a digest, and when it was ended by one.

use super::m0001_vault::{index, table};
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let ended = big_integer_null("digest_ended_at");
        m.alter_table(Table::alter().table("notice_preference").add_column(ended).to_owned()).await?;
        let link = [blob("token_hash"), blob("org_id"), blob("identity_id"), big_integer("created_at")];
        table(m, "digest_link", &["token_hash"], link).await?;
        index(m, "digest_link_created", "digest_link", &["created_at"]).await
    }
}
