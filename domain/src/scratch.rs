//! Scratch stores for this crate's tests: one of each engine, gone afterwards.

pub(crate) mod chain;

use crate::{Clock, Random, Store};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

/// 23 November 2026, 09:00 UTC.
pub(crate) const NOW: u64 = 1_795_424_400_000;

/// Runs a test on a fresh SQLite file, and on a fresh PostgreSQL database when a server is named.
#[expect(clippy::disallowed_methods, reason = "the variable that names the tests' server")]
pub(crate) async fn on_each_engine(test: impl AsyncFn(&Store)) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite://{}", folder.path().join("vault.db").display())).await;
    test(&store).await;
    store.close().await.unwrap();

    let Ok(server) = std::env::var("KEYVAWLT_TEST_POSTGRES") else {
        println!("only on SQLite: KEYVAWLT_TEST_POSTGRES names no server");
        return;
    };
    let name = format!("keyvawlt_domain_{:x}", u64::from_be_bytes(Random::System.bytes()));
    let mut options = ConnectOptions::new(&server);
    options.max_connections(1).sqlx_logging(false);
    let admin = Database::connect(options).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    let store = open(&format!("{server}/{name}")).await;
    test(&store).await;
    store.close().await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE {name}")).await.unwrap();
}

async fn open(url: &str) -> Store {
    Store::open(url, Clock::fixed(NOW), Random::seeded(7)).await.unwrap()
}
