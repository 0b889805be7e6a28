//! Jobs count their failures and their crashes apart, and are found by kind.

use super::m0001_vault::index;
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::integer;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in ["failures", "crashes"] {
            m.alter_table(Table::alter().table("job").add_column(integer(column).default(0)).to_owned()).await?;
        }
        m.drop_index(Index::drop().name("job_due").table("job").to_owned()).await?;
        index(m, "job_due", "job", &["state", "kind", "run_at"]).await?;
        index(m, "job_ended", "job", &["state", "finished_at"]).await
    }
}
