//! Migrations: they only add, and later remove; each runs on both engines.
//!
//! A database that a newer program has migrated is refused: an older one would not know what its rows mean.

mod m0001_vault;
mod m0002_account_keys;
mod m0003_past_states;
mod m0004_device_links;
mod m0005_accounts_of_identities;
mod m0006_notices;
mod m0007_monitors;
mod m0008_key_health;
mod m0009_rotation;
mod m0010_jobs;
mod m0011_digest_links;
mod m0012_monthly_digest;
mod m0013_open_deliveries;
mod m0014_trials;
mod m0015_mail_channels;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use std::collections::BTreeSet;
use std::fmt;

/// Any number, always the same one: replicas that start together migrate one after the other.
const MIGRATION_LOCK: i64 = 0x4b56_4d49_4752_4154;

const MIGRATION_TABLE: &str = "seaql_migrations";

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Self::all().into_iter().map(|migration| Box::new(Whole(migration)) as _).collect()
    }
}

/// A migration in one transaction: SQLite would otherwise keep half of one that failed.
struct Whole(Box<dyn MigrationTrait>);

impl MigrationName for Whole {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Whole {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }
}

impl Migrator {
    fn all() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_vault::Migration),
            Box::new(m0002_account_keys::Migration),
            Box::new(m0003_past_states::Migration),
            Box::new(m0004_device_links::Migration),
            Box::new(m0005_accounts_of_identities::Migration),
            Box::new(m0006_notices::Migration),
            Box::new(m0007_monitors::Migration),
            Box::new(m0008_key_health::Migration),
            Box::new(m0009_rotation::Migration),
            Box::new(m0010_jobs::Migration),
            Box::new(m0011_digest_links::Migration),
            Box::new(m0012_monthly_digest::Migration),
            Box::new(m0013_open_deliveries::Migration),
            Box::new(m0014_trials::Migration),
            Box::new(m0015_mail_channels::Migration),
        ]
    }
}

/// Why the tables could not be brought up to date.
#[derive(Debug)]
pub enum MigrateError {
    /// A newer program was here: these migrations are unknown to this one.
    Newer(Vec<String>),
    /// The database refused.
    Database(DbErr),
}

impl From<DbErr> for MigrateError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(unknown) => {
                write!(f, "the database was written by a newer version of this program (unknown migrations: {})", unknown.join(", "))
            }
            Self::Database(error) => write!(f, "the tables could not be brought up to date: {error}"),
        }
    }
}

impl std::error::Error for MigrateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Newer(_) => None,
            Self::Database(error) => Some(error),
        }
    }
}

/// Brings the tables up to date. `db` must hold exactly one connection: the lock belongs to it.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let shared = db.get_database_backend() == DbBackend::Postgres;
    if shared {
        db.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    }
    let outcome = migrate_alone(db).await;
    if shared {
        db.execute_unprepared(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")).await?;
    }
    outcome
}

/// The names of the migrations that these tables lack; changes nothing.
pub async fn missing(db: &DatabaseConnection) -> Result<Vec<String>, MigrateError> {
    let all = Migrator::migrations().into_iter().map(|migration| migration.name().to_owned());
    if is_empty(db).await? {
        return Ok(all.collect());
    }
    let applied = applied(db).await?;
    Ok(all.filter(|name| !applied.contains(name)).collect())
}

/// Whether no program of ours was here.
pub async fn is_empty(db: &DatabaseConnection) -> Result<bool, MigrateError> {
    Ok(!SchemaManager::new(db).has_table(MIGRATION_TABLE).await?)
}

/// Refuses a newer program's tables.
async fn applied(db: &DatabaseConnection) -> Result<BTreeSet<String>, MigrateError> {
    let known: BTreeSet<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let applied: BTreeSet<String> = Migrator::get_migration_models(db).await?.into_iter().map(|row| row.version).collect();
    let unknown: Vec<String> = applied.difference(&known).cloned().collect();
    if unknown.is_empty() { Ok(applied) } else { Err(MigrateError::Newer(unknown)) }
}

async fn migrate_alone(db: &DatabaseConnection) -> Result<(), MigrateError> {
    if !is_empty(db).await? {
        applied(db).await?;
    }
    Ok(Migrator::up(db, None).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::Database;
    use sea_orm_migration::prelude::*;
    use sea_orm_migration::schema::blob;

    #[derive(DeriveMigrationName)]
    struct BreaksOff;

    #[async_trait::async_trait]
    impl MigrationTrait for BreaksOff {
        async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
            m.create_table(Table::create().table("half").col(blob("id")).to_owned()).await?;
            Err(DbErr::Custom("the disk is full".to_owned()))
        }
    }

    struct Broken;

    #[async_trait::async_trait]
    impl MigratorTrait for Broken {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            vec![Box::new(Whole(Box::new(BreaksOff)))]
        }
    }

    #[tokio::test]
    async fn a_migration_that_breaks_off_leaves_nothing() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        assert!(Broken::up(&db, None).await.unwrap_err().to_string().contains("the disk is full"));
        assert!(!SchemaManager::new(&db).has_table("half").await.unwrap());
    }
}
