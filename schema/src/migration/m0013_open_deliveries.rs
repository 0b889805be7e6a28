//! Deliveries that never came to an end are found among those that are open, not among all that were ever sent.

use sea_orm::DbErr;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let mut open = Index::create().name("delivery_lost").table("delivery").and_where(Expr::col("ended_at").is_null()).to_owned();
        m.create_index(open.col("run_at").to_owned()).await
    }
}
