//! Opening the store: connections, settings, migrations, and what to say when it does not work.

use keyvawlt_schema::MigrateError;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Readers of the SQLite file: about the number of cores of a small machine; more made reads slower, not faster.
const SQLITE_READERS: u32 = 2;
/// How long a caller waits for the writer or a reader before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process (a backup, a second server) to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// PostgreSQL connections of one process: servers allow some hundreds, replicas share them.
pub(super) const POSTGRES_CONNECTIONS: u32 = 16;
/// No statement of ours takes longer, unless something is wrong.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection idle for longer is tried before it is used.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The scheme names no store.
    #[error("store.url must begin with sqlite:// or postgres://")]
    Url,
    /// The folder of the file is missing.
    #[error("the folder {} does not exist: create it, or set another data folder", .0.display())]
    FolderMissing(PathBuf),
    /// The file or its folder cannot be written.
    #[error("{} cannot be written: give this user write access to the folder and its files, or set another data folder", .0.display())]
    ReadOnly(PathBuf),
    /// The file cannot be used for another reason.
    #[error("{} cannot be opened: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A newer program was here.
    #[error("the database was written by a newer version of KeyVawlt: run that version or a later one (unknown here: {})", .0.join(", "))]
    Newer(Vec<String>),
    /// Nothing answers.
    #[error("the database does not answer: check store.url, and that the database runs")]
    Unreachable,
    /// The database refuses.
    #[error("the database cannot be used: {0}")]
    Database(#[from] DbErr),
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Newer(unknown) => Self::Newer(unknown),
            MigrateError::Database(error) => Self::Database(error),
        }
    }
}

pub(super) struct Connections {
    pub(super) reader: DatabaseConnection,
    pub(super) writer: DatabaseConnection,
}

/// How a store is that nobody opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tables {
    /// There is no file, or nothing in it or in the database.
    Missing,
    /// These migrations are not applied.
    Behind(Vec<String>),
    /// As this program needs them.
    Current,
}

/// Looks, and changes nothing.
pub(super) async fn look(url: &str) -> Result<Tables, OpenError> {
    let options = match url.strip_prefix("sqlite://").map(Path::new) {
        Some(path) if !path.exists() => return Ok(Tables::Missing),
        Some(path) => sqlite(path, 1, true),
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => postgres(url, 1),
        None => return Err(OpenError::Url),
    };
    let db = Database::connect(options).await.map_err(unreachable)?;
    let missing = keyvawlt_schema::missing(&db).await;
    let empty = keyvawlt_schema::is_empty(&db).await;
    db.close().await?;
    let missing = missing?;
    Ok(if empty? {
        Tables::Missing
    } else if missing.is_empty() {
        Tables::Current
    } else {
        Tables::Behind(missing)
    })
}

pub(super) async fn open(url: &str) -> Result<Connections, OpenError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        open_sqlite(Path::new(path)).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url).await
    } else {
        Err(OpenError::Url)
    }
}

async fn open_sqlite(path: &Path) -> Result<Connections, OpenError> {
    prepare_file(path)?;
    let read_only = |error: DbErr| if is_read_only(&error) { OpenError::ReadOnly(path.to_owned()) } else { error.into() };
    let writer = Database::connect(sqlite(path, 1, false)).await.map_err(read_only)?;
    match keyvawlt_schema::migrate(&writer).await {
        Err(MigrateError::Database(error)) => return Err(read_only(error)),
        outcome => outcome?,
    }
    let reader = Database::connect(sqlite(path, SQLITE_READERS, true)).await.map_err(read_only)?;
    Ok(Connections { reader, writer })
}

fn sqlite(path: &Path, connections: u32, query_only: bool) -> ConnectOptions {
    let path = path.to_owned();
    // The path is set below: in a URL its special characters would mean something else.
    let mut options = ConnectOptions::new("sqlite://vault.db");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                // An acknowledged change survives a power cut.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .statement_cache_capacity(256)
                .pragma("temp_store", "MEMORY")
                // 16 MiB of pages per connection; the system's page cache holds the rest.
                .pragma("cache_size", "-16000")
                // After a burst the log shrinks to this again, bytes.
                .pragma("journal_size_limit", "67108864")
                .pragma("query_only", if query_only { "ON" } else { "OFF" })
        });
    options
}

/// The file is made before SQLite makes it: with the right mode, and with errors that say what is wrong.
fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(OpenError::FolderMissing(folder.to_owned()));
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly(path.to_owned()),
        _ => OpenError::File { path: path.to_owned(), source },
    })
}

/// SQLite's READONLY and CANTOPEN (it cannot make its log beside the file).
fn is_read_only(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains("readonly database") || text.contains("unable to open database file")
}

async fn open_postgres(url: &str) -> Result<Connections, OpenError> {
    let single = Database::connect(postgres(url, 1)).await.map_err(unreachable)?;
    let migrated = keyvawlt_schema::migrate(&single).await;
    single.close().await?;
    migrated?;
    let pool = Database::connect(postgres(url, POSTGRES_CONNECTIONS)).await?;
    Ok(Connections { reader: pool.clone(), writer: pool })
}

/// The pool tries until its time is over, and then knows no reason.
fn unreachable(error: DbErr) -> OpenError {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(source)) if matches!(*source, sea_orm::sqlx::Error::PoolTimedOut) => OpenError::Unreachable,
        DbErr::ConnectionAcquire(_) => OpenError::Unreachable,
        other => other.into(),
    }
}

fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(STALE_AFTER)
        .set_application_name("keyvawlt")
        .statement_timeout(STATEMENT_TIMEOUT)
        .sqlx_logging(false);
    options
}
