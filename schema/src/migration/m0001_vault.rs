//! The first tables.

use sea_orm::{DbBackend, DbErr};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, boolean, integer, small_integer, text, text_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        accounts(m).await?;
        organizations(m).await?;
        namespaces(m).await?;
        secrets(m).await?;
        jobs(m).await?;
        audit(m).await?;
        single_use(m).await
    }
}

async fn accounts(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let account = [
        blob("id"),
        text("email"),
        big_integer_null("email_verified_at"),
        blob("identity_id").unique_key().take(),
        blob("key_id"),
        blob("blob"),
        big_integer("generation"),
        blob_null("pins"),
        blob_null("email_code_hash"),
        big_integer_null("email_code_expires_at"),
        integer("email_code_attempts"),
        big_integer("created_at"),
    ];
    table(m, "account", &["id"], account).await?;
    let slot = [
        blob("account_id"),
        blob("slot_id"),
        small_integer("kind"),
        blob("login_pk"),
        blob("sealed_ak"),
        text("label"),
        big_integer("created_at"),
    ];
    table(m, "slot", &["account_id", "slot_id"], slot).await?;
    let bundle = [blob("key_id"), blob("identity_id"), blob("payload"), blob("sig"), blob("auth_pk")];
    table(m, "bundle", &["key_id"], bundle).await?;
    index(m, "bundle_identity", "bundle", &["identity_id"]).await
}

async fn organizations(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let org = [blob("id"), big_integer("head_seq"), blob("head_hash"), blob("history"), big_integer("change"), big_integer("created_at")];
    table(m, "org", &["id"], org).await?;
    let link =
        [blob("org_id"), big_integer("seq"), small_integer("kind"), big_integer("ts_ms"), blob("payload"), blob("sig"), blob("hash")];
    table(m, "link", &["org_id", "seq"], link).await?;
    clustered(m, "entry", &["org_id", "key"], [blob("org_id"), blob("key"), blob("value")]).await?;
    let member =
        [blob("org_id"), blob("identity_id"), small_integer("role"), blob("key_id"), boolean("own"), big_integer_null("expires_ms")];
    clustered(m, "member", &["org_id", "identity_id"], member).await?;
    index(m, "member_identity", "member", &["identity_id"]).await
}

async fn namespaces(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let namespace = [
        blob("org_id"),
        blob("ns_id"),
        big_integer("mseq"),
        blob("mhash"),
        blob("history"),
        big_integer("anchor_seq"),
        blob("anchor_hash"),
        big_integer("ts_ms"),
        big_integer("epoch"),
        blob("root"),
        big_integer("count"),
        big_integer("live"),
        blob("author_id"),
    ];
    table(m, "namespace", &["org_id", "ns_id"], namespace).await?;
    let manifest_link = [
        blob("org_id"),
        blob("ns_id"),
        big_integer("mseq"),
        blob("payload"),
        blob("sig"),
        blob("hash"),
        big_integer("anchor_seq"),
        big_integer("ts_ms"),
    ];
    table(m, "manifest_link", &["org_id", "ns_id", "mseq"], manifest_link).await?;
    let tree_node = [blob("org_id"), blob("ns_id"), small_integer("level"), big_integer("idx"), blob("hash")];
    clustered(m, "tree_node", &["org_id", "ns_id", "level", "idx"], tree_node).await?;
    let wrap = [
        blob("org_id"),
        blob("ns_id"),
        big_integer("epoch"),
        blob("recipient_id"),
        big_integer("seq"),
        big_integer("position"),
        big_integer("count"),
        boolean("in_root"),
        blob("record"),
        blob("hash"),
    ];
    // With the link in the key: a later wrap for the same reader must not take away a leaf of the set that proves the others.
    table(m, "wrap", &["org_id", "ns_id", "epoch", "recipient_id", "seq"], wrap).await?;
    index(m, "wrap_recipient", "wrap", &["org_id", "recipient_id", "ns_id"]).await
}

async fn secrets(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let secret = [
        blob("org_id"),
        blob("ns_id"),
        blob("secret_id"),
        big_integer("idx"),
        big_integer("version"),
        big_integer("epoch"),
        big_integer("flags"),
        big_integer("mseq"),
        blob("payload_hash"),
        blob("dek_hash"),
        blob("name_hash"),
        blob("facts_hash"),
        blob("name"),
        blob("facts"),
        big_integer_null("expires_at"),
        big_integer("written_at"),
    ];
    table(m, "secret", &["org_id", "ns_id", "secret_id"], secret).await?;
    // The sweep looks at the few that expire, across all organizations.
    let mut due = Index::create().name("secret_expires").table("secret").to_owned();
    due.col("expires_at").and_where(Expr::col("expires_at").is_not_null());
    m.create_index(due).await?;
    // "What did the links after this one write?"
    index(m, "secret_written", "secret", &["org_id", "ns_id", "mseq"]).await?;
    let version = [
        blob("org_id"),
        blob("ns_id"),
        blob("secret_id"),
        big_integer("version"),
        big_integer("epoch"),
        big_integer("mseq"),
        blob("payload"),
        blob("dek"),
    ];
    table(m, "version", &["org_id", "ns_id", "secret_id", "version"], version).await?;
    index(m, "version_written", "version", &["org_id", "ns_id", "mseq"]).await
}

async fn jobs(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let job = [
        blob("id"),
        text("kind"),
        text("payload"),
        small_integer("state"),
        small_integer("priority"),
        integer("attempts"),
        integer("max_attempts"),
        big_integer("run_at"),
        big_integer_null("lease_until"),
        text_null("leased_by"),
        text_null("dedupe_key").unique_key().take(),
        text_null("last_error"),
        big_integer("created_at"),
        big_integer_null("finished_at"),
    ];
    table(m, "job", &["id"], job).await?;
    index(m, "job_due", "job", &["state", "run_at"]).await?;
    let alert = [
        blob("org_id"),
        blob("ns_id"),
        blob("secret_id"),
        big_integer("version"),
        small_integer("kind"),
        blob("recipient_id"),
        big_integer("sent_at"),
    ];
    clustered(m, "alert", &["org_id", "ns_id", "secret_id", "version", "kind", "recipient_id"], alert).await
}

async fn audit(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let event =
        [blob("org_id"), blob("id"), big_integer("at"), text("actor"), text("action"), text("subject"), text("detail"), blob("hash")];
    clustered(m, "audit_event", &["org_id", "id"], event).await
}

async fn single_use(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let request = [text("caller"), blob("request_id"), text("rpc"), blob("response"), big_integer("expires_at")];
    table(m, "request", &["caller", "request_id"], request).await?;
    index(m, "request_expires", "request", &["expires_at"]).await?;
    clustered(m, "jti", &["jti"], [blob("jti"), big_integer("expires_at")]).await?;
    index(m, "jti_expires", "jti", &["expires_at"]).await
}

/// A table.
pub(super) async fn table<const N: usize>(
    m: &SchemaManager<'_>,
    name: &'static str,
    key: &[&'static str],
    columns: [ColumnDef; N],
) -> Result<(), DbErr> {
    m.create_table(definition(name, key, columns)).await
}

/// A table of small rows: SQLite keeps the rows in the key's own tree, instead of the key twice.
pub(super) async fn clustered<const N: usize>(
    m: &SchemaManager<'_>,
    name: &'static str,
    key: &[&'static str],
    columns: [ColumnDef; N],
) -> Result<(), DbErr> {
    let mut table = definition(name, key, columns);
    if m.get_database_backend() == DbBackend::Sqlite {
        table.extra("WITHOUT ROWID");
    }
    m.create_table(table).await
}

fn definition<const N: usize>(name: &'static str, key: &[&'static str], columns: [ColumnDef; N]) -> TableCreateStatement {
    let mut table = Table::create().table(name).to_owned();
    for column in columns {
        table.col(column);
    }
    let mut primary = Index::create();
    for column in key {
        primary.col(*column);
    }
    table.primary_key(&mut primary);
    table
}

/// An index.
pub(super) async fn index(m: &SchemaManager<'_>, name: &'static str, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    m.create_index(index).await
}
