//! Monitors, their incidents and uptime, and the times in which failures are expected.

use super::m0001_vault::{clustered, index, table};
use sea_orm::DbErr;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, boolean, boolean_null, small_integer, text, text_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        monitors(m).await?;
        incidents(m).await?;
        let uptime = [
            blob("org_id"),
            blob("monitor_id"),
            small_integer("span"),
            big_integer("starts_at"),
            big_integer("up"),
            big_integer("down"),
            big_integer("looks"),
            big_integer("failed"),
            big_integer("latency"),
        ];
        clustered(m, "uptime", &["org_id", "monitor_id", "span", "starts_at"], uptime).await?;
        // What is old is forgotten across all organizations.
        index(m, "uptime_age", "uptime", &["span", "starts_at"]).await?;
        let maintenance = [
            blob("org_id"),
            blob("maintenance_id"),
            blob("ns_id"),
            blob_null("monitor_id"),
            text("schedule"),
            text("reason"),
            big_integer_null("ends_at"),
            big_integer("created_at"),
        ];
        table(m, "maintenance", &["org_id", "maintenance_id"], maintenance).await
    }
}

async fn monitors(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let monitor = [
        blob("org_id"),
        blob("monitor_id"),
        blob("ns_id"),
        text("name"),
        text("url"),
        text("host"),
        text("rules"),
        big_integer("interval"),
        small_integer("state"),
        big_integer("since"),
        text("memory"),
        blob_null("incident_id"),
        big_integer_null("next_at"),
        big_integer_null("lease_until"),
        text_null("leased_by"),
        big_integer("round"),
        big_integer_null("checked_at"),
        boolean_null("passed"),
        big_integer_null("latency"),
        text_null("problem"),
        big_integer_null("certificate_ends_at"),
        big_integer("revision"),
        big_integer("created_at"),
    ];
    Box::pin(table(m, "monitor", &["org_id", "monitor_id"], monitor)).await?;
    let mut name = Index::create().name("monitor_name").table("monitor").unique().to_owned();
    m.create_index(name.col("org_id").col("ns_id").col("name").to_owned()).await?;
    // Whoever looks takes the few whose time has come, across all organizations.
    let mut due = Index::create().name("monitor_due").table("monitor").to_owned();
    due.col("next_at").and_where(Expr::col("next_at").is_not_null());
    m.create_index(due).await
}

async fn incidents(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let incident = [
        blob("org_id"),
        blob("incident_id"),
        blob("ns_id"),
        blob("monitor_id"),
        blob("leader_id"),
        boolean("flapping"),
        text("cause"),
        big_integer("opened_at"),
        big_integer_null("acknowledged_at"),
        blob_null("acknowledged_by"),
        big_integer_null("reminded_at"),
        big_integer_null("resolved_at"),
    ];
    table(m, "incident", &["org_id", "incident_id"], incident).await?;
    index(m, "incident_monitor", "incident", &["org_id", "monitor_id", "incident_id"]).await?;
    index(m, "incident_leader", "incident", &["org_id", "leader_id"]).await?;
    index(m, "incident_resolved", "incident", &["resolved_at"]).await?;
    let event = [blob("org_id"), blob("incident_id"), blob("event_id"), small_integer("kind"), big_integer("at"), text("detail")];
    clustered(m, "incident_event", &["org_id", "incident_id", "event_id"], event).await
}
