//! The stores a world can stand on, each made for one world, and a look into their tables past the server.

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database as Engines, DatabaseConnection, Statement};
use std::io::Write as _;
use std::path::Path;

/// Which engine keeps a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Whether this run does without it: `tests/run --embedded` says so once, and each test says it again.
    #[expect(clippy::disallowed_methods, reason = "the variable by which tests/run leaves PostgreSQL out")]
    pub fn is_left_out(self) -> bool {
        let left_out = self == Self::Postgres && std::env::var_os("KEYVAWLT_TEST_EMBEDDED").is_some();
        if left_out {
            // Past the test runner, which hides what passing tests print.
            let said = writeln!(std::io::stderr(), "LEFT OUT: a story on PostgreSQL (KEYVAWLT_TEST_EMBEDDED)");
            said.expect("stderr takes a line");
        }
        left_out
    }
}

/// One world's store.
#[derive(Debug)]
pub struct Database {
    pub engine: Engine,
    pub url: String,
}

impl Database {
    /// A new one: a file in `folder`, or a database of its own on the tests' server.
    pub async fn create(engine: Engine, folder: &Path) -> Self {
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.join("vault.db").display()),
            Engine::Postgres => {
                let name = format!("keyvawlt_it_{}", hex::encode(keyvawlt_domain::Random::System.bytes::<8>()));
                run(&server(), &format!("CREATE DATABASE {name}")).await;
                let server = server();
                let (server, _) = server.rsplit_once('/').expect("the URL ends in a database");
                format!("{server}/{name}")
            }
        };
        Self { engine, url }
    }

    /// Takes a database away; a failed test leaves its own to look at.
    pub async fn drop(self) {
        if self.engine == Engine::Postgres {
            let (_, name) = self.url.rsplit_once('/').expect("the URL ends in a database");
            run(&server(), &format!("DROP DATABASE {name}")).await;
        }
    }

    /// The first columns of all rows, as text.
    pub async fn rows(&self, sql: &str, columns: usize) -> Vec<Vec<String>> {
        let db = connect(&self.url).await;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("the query runs");
        let texts = |row: &sea_orm::QueryResult| (0..columns).map(|at| row.try_get_by_index(at).expect("a text")).collect();
        let texts = rows.iter().map(texts).collect();
        db.close().await.expect("the connection ends");
        texts
    }

    /// Changes something past the server.
    pub async fn execute(&self, sql: &str) {
        run(&self.url, sql).await;
    }

    /// Every table there is, as the engine's own catalogue has it, with its columns: how each is read as bytes.
    async fn catalogue(&self) -> Vec<(String, Vec<(String, String)>)> {
        let sql = match self.engine {
            Engine::Sqlite => {
                "SELECT t.name, c.name, 'CAST(\"' || c.name || '\" AS BLOB)' FROM sqlite_master t JOIN pragma_table_info(t.name) c
                 WHERE t.type = 'table' ORDER BY t.name, c.cid"
            }
            Engine::Postgres => {
                "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name), column_name::text,
                        CASE data_type WHEN 'bytea' THEN quote_ident(column_name)
                                       ELSE 'convert_to(' || quote_ident(column_name) || '::text, ''UTF8'')' END
                 FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
                 WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
                 ORDER BY table_schema, table_name, ordinal_position"
            }
        };
        let mut tables: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for row in self.rows(sql, 3).await {
            let [table, column, as_bytes] = row.try_into().expect("three columns");
            match tables.last_mut().filter(|(last, _)| *last == table) {
                Some((_, columns)) => columns.push((column, as_bytes)),
                None => tables.push((table, vec![(column, as_bytes)])),
            }
        }
        tables
    }

    /// Every cell of every row of every table, as `table.column` and its bytes. A table without a row is an error: whoever looks at all
    /// tables wants to have seen each in use.
    pub async fn cells(&self) -> Vec<(String, Vec<u8>)> {
        let db = connect(&self.url).await;
        let mut cells = Vec::new();
        for (table, columns) in self.catalogue().await {
            let selected = columns.iter().map(|(_, as_bytes)| as_bytes.as_str()).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT {selected} FROM {table}");
            let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("the table is read");
            assert!(!rows.is_empty(), "the table {table} is empty: let the story fill it");
            for row in &rows {
                for (at, (column, _)) in columns.iter().enumerate() {
                    let bytes: Option<Vec<u8>> = row.try_get_by_index(at).expect("bytes");
                    cells.push((format!("{}.{column}", table.trim_start_matches("public.")), bytes.unwrap_or_default()));
                }
            }
        }
        db.close().await.expect("the connection ends");
        cells
    }

    /// What no world may leave behind: jobs that failed, were given up, are running or are due. As sentences.
    pub async fn leftover_jobs(&self, now_ms: u64) -> Vec<String> {
        let sql = format!(
            "SELECT kind || ': state ' || state || ', attempts ' || attempts || ', ' || coalesce(last_error, 'no error')
             FROM job WHERE state NOT IN (0, 2) OR state = 0 AND (attempts > 0 OR run_at <= {now_ms})"
        );
        self.rows(&sql, 1).await.concat()
    }
}

#[expect(clippy::disallowed_methods, reason = "the variable that names the tests' server")]
fn server() -> String {
    std::env::var("KEYVAWLT_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "KEYVAWLT_TEST_POSTGRES names no PostgreSQL server: `tests/run --exec cargo test -p keyvawlt-server --test it` starts one, \
             and `tests/run --embedded` leaves these tests out"
        )
    })
}

async fn run(url: &str, sql: &str) {
    let db = connect(url).await;
    db.execute_unprepared(sql).await.expect("the statement runs");
    db.close().await.expect("the connection ends");
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Engines::connect(options).await.expect("the database answers")
}
