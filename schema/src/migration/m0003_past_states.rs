//! Keeps what a client needs that starts without history: the state before checkpoints, and the trees over chains and manifests.
//!
//! Organizations from before have neither: their clients read the whole chain, as all did.

use super::m0001_vault::clustered;
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, boolean, small_integer};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("org").add_column(boolean("has_past").default(false)).to_owned()).await?;
        m.alter_table(Table::alter().table("entry").add_column(big_integer("since").default(0)).to_owned()).await?;
        let past = [blob("org_id"), blob("key"), big_integer("until"), big_integer("since"), blob("value")];
        clustered(m, "past_entry", &["org_id", "key", "until"], past).await?;
        let node = [blob("org_id"), blob("ns_id"), small_integer("level"), big_integer("idx"), blob("hash")];
        clustered(m, "history_node", &["org_id", "ns_id", "level", "idx"], node).await?;
        let mut order = Index::create().name("secret_order").table("secret").to_owned();
        for column in ["org_id", "ns_id", "idx"] {
            order.col(column);
        }
        m.create_index(order).await
    }
}
