//! Notices, the messages they ride in, and who wants to hear of what. Secrets carry the moment they are spoken of next, so that a sweep reads
//! what is due and nothing else; it takes the place of the list of alerts that were given.

use super::m0001_vault::{clustered, index, table};
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, integer, small_integer, small_integer_null, text, text_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        notices(m).await?;
        wishes(m).await?;
        reminders(m).await
    }
}

async fn notices(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let notice = [
        blob("org_id"),
        blob("recipient_id"),
        text("key"),
        blob("delivery_id"),
        text("topic"),
        small_integer("audience"),
        small_integer("state"),
        text_null("reason"),
        big_integer("created_at"),
    ];
    clustered(m, "notice", &["org_id", "recipient_id", "key"], notice).await?;
    index(m, "notice_delivery", "notice", &["org_id", "delivery_id"]).await?;
    let delivery = [
        blob("org_id"),
        blob("id"),
        blob("recipient_id"),
        boolean("to_channel"),
        text_null("gathers"),
        boolean("digest"),
        small_integer("state"),
        integer("attempts"),
        big_integer("run_at"),
        text_null("last_error"),
        big_integer("created_at"),
        big_integer_null("ended_at"),
    ];
    table(m, "delivery", &["org_id", "id"], delivery).await?;
    index(m, "delivery_recipient", "delivery", &["org_id", "recipient_id", "id"]).await?;
    index(m, "delivery_created", "delivery", &["created_at"]).await?;
    // One open message of a kind for each recipient: what happens meanwhile joins it. Ended ones have none, and nulls are not alike.
    let mut open = Index::create().name("delivery_open").table("delivery").unique().to_owned();
    open.col("org_id").col("recipient_id").col("gathers");
    m.create_index(open).await
}

async fn wishes(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let channel = [
        blob("org_id"),
        blob("id"),
        small_integer("form"),
        text("name"),
        text("target"),
        blob_null("secret"),
        big_integer("kinds"),
        text("namespaces"),
        big_integer_null("paused_at"),
        big_integer_null("failing_since"),
        big_integer("created_at"),
    ];
    table(m, "channel", &["org_id", "id"], channel).await?;
    let preference = [
        blob("org_id"),
        blob("identity_id"),
        big_integer("muted"),
        text("namespaces"),
        small_integer_null("digest_hour"),
        small_integer_null("quiet_from"),
        small_integer_null("quiet_to"),
        text("zone"),
        big_integer("updated_at"),
    ];
    table(m, "notice_preference", &["org_id", "identity_id"], preference).await?;
    table(m, "notice_setting", &["org_id"], [blob("org_id"), text("thresholds"), big_integer("updated_at")]).await
}

async fn reminders(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = m.get_connection();
    db.execute_unprepared("ALTER TABLE secret ADD COLUMN remind_at bigint").await?;
    // Due at once: the first sweep sorts out when each is spoken of.
    db.execute_unprepared("UPDATE secret SET remind_at = 0 WHERE expires_at IS NOT NULL").await?;
    db.execute_unprepared("DROP INDEX secret_expires").await?;
    let partial = |name: &'static str, columns: &[&'static str], of: &'static str| {
        let mut index = Index::create().name(name).table("secret").and_where(Expr::col(of).is_not_null()).to_owned();
        for column in columns {
            index.col(*column);
        }
        index
    };
    // The sweep looks at the few that are due, across all organizations.
    m.create_index(partial("secret_remind", &["remind_at", "org_id", "ns_id"], "remind_at")).await?;
    // And at the few of one namespace.
    m.create_index(partial("secret_remind_there", &["org_id", "ns_id", "remind_at"], "remind_at")).await?;
    // What an organization's digest counts.
    m.create_index(partial("secret_expires", &["org_id", "ns_id", "expires_at"], "expires_at")).await?;
    m.drop_table(Table::drop().table("alert").to_owned()).await
}
