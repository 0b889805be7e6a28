//! The stores a server is measured on, each made for one measurement.

use anyhow::{Context as _, Result};
use keyvawlt_domain::Random;
use sea_orm::{ConnectionTrait as _, Database as Engines, DatabaseConnection};
use std::path::{Path, PathBuf};

/// Which engine keeps it.
#[derive(Clone, Debug)]
pub enum Engine {
    Sqlite,
    /// By the URL of a database whose user may create others.
    Postgres(String),
}

impl Engine {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// One store, and the server's folder beside it.
pub struct Database {
    engine: Engine,
    pub data: PathBuf,
    pub url: String,
}

impl Database {
    pub async fn create(engine: &Engine, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", data.join("vault.db").display()),
            Engine::Postgres(server) => {
                let name = format!("keyvawlt_bench_{}", u64::from_be_bytes(Random::System.bytes()));
                Engines::connect(server).await?.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
                let (server, _) = server.rsplit_once('/').context("the URL ends in a database")?;
                format!("{server}/{name}")
            }
        };
        Ok(Self { engine: engine.clone(), data, url })
    }

    pub async fn connect(&self) -> Result<DatabaseConnection> {
        Ok(Engines::connect(&self.url).await?)
    }

    /// Takes a database away; a file goes with its folder.
    pub async fn drop(self) -> Result<()> {
        if let Engine::Postgres(server) = &self.engine {
            let (_, name) = self.url.rsplit_once('/').context("the URL ends in a database")?;
            Engines::connect(server).await?.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }
}
