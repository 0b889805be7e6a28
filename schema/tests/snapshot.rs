//! The tables as each engine has them: what a migration really made, for people to review.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, QueryResult};
use std::fmt::Write as _;

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), sql)).await.unwrap()
}

#[tokio::test]
async fn the_tables_of_sqlite() {
    let db = connect("sqlite::memory:").await;
    keyvawlt_schema::migrate(&db).await.unwrap();
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'seaql%' ORDER BY tbl_name, name";
    let text = rows(&db, sql).await.iter().fold(String::new(), |mut text, row| {
        let sql: String = row.try_get("", "sql").unwrap();
        writeln!(text, "{}\n", sql.replace(", \"", ",\n  \"").replace(", PRIMARY", ",\n  PRIMARY")).unwrap();
        text
    });
    insta::assert_snapshot!(text);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the variable that names the tests' server")]
async fn the_tables_of_postgresql() {
    let Ok(server) = std::env::var("KEYVAWLT_TEST_POSTGRES") else {
        println!("skipped: KEYVAWLT_TEST_POSTGRES names no server");
        return;
    };
    let admin = connect(&server).await;
    let name = format!("keyvawlt_schema_{}", std::process::id());
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    let db = connect(&format!("{server}/{name}")).await;
    keyvawlt_schema::migrate(&db).await.unwrap();
    keyvawlt_schema::migrate(&db).await.unwrap();
    let mut text = String::new();
    let columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
                   WHERE table_schema = 'public' AND table_name NOT LIKE 'seaql%' ORDER BY table_name, ordinal_position";
    for row in rows(&db, columns).await {
        let [table, column, kind, null] =
            ["table_name", "column_name", "data_type", "is_nullable"].map(|name| row.try_get::<String>("", name).unwrap());
        writeln!(text, "{table}.{column} {kind}{}", if null == "YES" { " null" } else { "" }).unwrap();
    }
    let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'seaql%'
                   ORDER BY tablename, indexname";
    for row in rows(&db, indexes).await {
        writeln!(text, "{}", row.try_get::<String>("", "indexdef").unwrap()).unwrap();
    }
    db.close().await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE {name}")).await.unwrap();
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_database_that_a_newer_program_migrated_is_refused() {
    let db = connect("sqlite::memory:").await;
    keyvawlt_schema::migrate(&db).await.unwrap();
    keyvawlt_schema::migrate(&db).await.unwrap();
    db.execute_unprepared("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)").await.unwrap();
    let error = keyvawlt_schema::migrate(&db).await.unwrap_err();
    assert!(error.to_string().contains("m9999_later"), "{error}");
}
