//! What the monthly digest counts, found without looking at anything else; and which digests a link ends.

use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::small_integer_null;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let there = |name: &'static str, table: &'static str, last: &'static str, only: SimpleExpr| {
            let mut index = Index::create().name(name).table(table).and_where(only).to_owned();
            index.col("org_id").col("ns_id").col(last).to_owned()
        };
        // With what is asked of each row, or SQLite would rather read the whole table by its key.
        let mut rotate = there("rotation_rotate", "rotation", "rotate_at", Expr::col("rotate_at").is_not_null());
        m.create_index(rotate.col("snoozed_until").to_owned()).await?;
        m.create_index(there("secret_endless", "secret", "flags", Expr::col("expires_at").is_null())).await?;
        m.create_index(there("rotation_owed", "rotation", "owed_at", Expr::col("owed_at").is_not_null())).await?;
        m.create_index(there("incident_open", "incident", "opened_at", Expr::col("resolved_at").is_null())).await?;
        let mutes = small_integer_null("mutes");
        m.alter_table(Table::alter().table("digest_link").add_column(mutes).to_owned()).await
    }
}
