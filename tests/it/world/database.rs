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
