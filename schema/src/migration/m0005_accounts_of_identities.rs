//! Somebody who lost every way into an account begins another one for the same identity: an identity may have several accounts, and acts by the
//! keys that an organization names.

use super::m0001_vault::{index, table};
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, integer, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        if m.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared("ALTER TABLE account DROP CONSTRAINT account_identity_id_key").await?;
        } else {
            // SQLite takes no constraint off a table.
            let columns = [
                blob("id"),
                text("email"),
                big_integer_null("email_verified_at"),
                blob("identity_id"),
                blob("key_id"),
                blob("blob"),
                big_integer("generation"),
                blob_null("pins"),
                blob_null("email_code_hash"),
                big_integer_null("email_code_expires_at"),
                integer("email_code_attempts"),
                big_integer("created_at"),
            ];
            table(m, "account_next", &["id"], columns).await?;
            db.execute_unprepared("INSERT INTO account_next SELECT * FROM account").await?;
            db.execute_unprepared("DROP TABLE account").await?;
            db.execute_unprepared("ALTER TABLE account_next RENAME TO account").await?;
        }
        index(m, "account_identity", "account", &["identity_id"]).await
    }
}
