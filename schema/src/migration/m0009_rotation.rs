//! What is to be replaced, and when it is spoken of next: a table beside the secrets, of the few that have a reason.

use super::m0001_vault::clustered;
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let rotation = [
            blob("org_id"),
            blob("ns_id"),
            blob("secret_id"),
            big_integer("version"),
            big_integer_null("rotate_at"),
            big_integer_null("owed_at"),
            big_integer_null("snoozed_until"),
            big_integer_null("remind_at"),
        ];
        clustered(m, "rotation", &["org_id", "ns_id", "secret_id"], rotation).await?;
        // The sweep looks at the few that are due, across all organizations.
        let mut due = Index::create().name("rotation_remind").table("rotation").to_owned();
        due.col("remind_at").and_where(Expr::col("remind_at").is_not_null());
        m.create_index(due).await
    }
}
