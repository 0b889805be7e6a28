//! The tour: KeyVawlt's main story in a few seconds, with a real server, real clients and real cryptography, in a temporary folder.
//!
//!     cargo run --release --example tour
//!
//! Everything printed is what happened: values that are compared are compared here, and a step that does not hold ends the tour with an error.

mod agent;
mod database;
mod leaving;
mod people;
mod proofs;
mod reminder;
mod secrets;
mod stage;

use anyhow::Context as _;
use database::Database;
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Client, Options, StateDir};
use keyvawlt_domain::Clock;
use keyvawlt_server::config::Config;
use keyvawlt_server::{Running, Server};
use keyvawlt_worker::SentMail;
use stage::Stage;
use std::sync::PoisonError;
use std::time::Instant;
use tempfile::TempDir;

/// How long messages wait for company here: nobody who looks on wants to wait for a quarter of a minute.
const GATHER_SECONDS: u64 = 1;

/// Where the story plays: one server, the machines of the people beside it.
struct World {
    folder: TempDir,
    config: Config,
    server: Running,
    database: Database,
}

/// The environments of the story.
#[derive(Clone, Copy)]
struct Places {
    development: NsId,
    production: NsId,
}

fn main() -> anyhow::Result<()> {
    match tokio::runtime::Runtime::new()?.block_on(tour()) {
        Err(error) if stage::is_audience_gone(&error) => Ok(()),
        outcome => outcome,
    }
}

async fn tour() -> anyhow::Result<()> {
    let began = Instant::now();
    let mut stage = Stage::open()?;
    let world = World::start(&mut stage).await?;

    let mut ada = people::sign_up(&mut stage, &world).await?;
    let (mut vault, places) = people::found(&mut stage, &world, &mut ada).await?;
    let value = secrets::write(&mut stage, &mut vault, places).await?;
    secrets::show_stored(&mut stage, &world, &vault, places, &value).await?;
    let mut bobs = people::invite(&mut stage, &world, &mut vault, places).await?;
    let agent = agent::admit(&mut stage, &world, &mut vault, places).await?;
    agent::refuse(&mut stage, &world, &vault, &agent, places).await?;
    let cleos = leaving::join(&mut stage, &world, &mut vault, places).await?;
    reminder::send(&mut stage, &world, &mut vault, places).await?;
    proofs::show_audit(&mut stage, &vault).await?;
    leaving::remove(&mut stage, &world, (&mut vault, &mut bobs, cleos), places).await?;
    proofs::show_chains(&mut stage, (&mut vault, &mut bobs))?;
    let world = proofs::catch_a_liar(&mut stage, world, (&ada, &vault), places).await?;

    anyhow::ensure!(world.server.stop().await, "the server did not stop in time");
    stage.end(began.elapsed())
}

impl World {
    async fn start(stage: &mut Stage) -> anyhow::Result<Self> {
        stage.step(
            "The server starts",
            "One process with everything in it: the API, the worker that reminds, and an embedded database. Nothing else has to be installed.",
        )?;
        let folder = tempfile::Builder::new().prefix("keyvawlt-tour-").tempdir()?;
        let mut config = Config::in_folder(&folder.path().join("server"))?;
        config.worker.mail = Some("memory:".to_owned());
        config.notices.gather_seconds = GATHER_SECONDS;
        let began = Instant::now();
        let server = Server::start(&config, Clock::System).await?;
        let took = began.elapsed();
        // Started again, it is found where it was.
        config.api.listen = server.addr().context("an address")?;
        let file = config.data.join("vault.db");
        stage.show("listens on", format!("http://{}", server.addr().context("an address")?))?;
        stage.show("keeps data in", file.display())?;
        stage.show("ready in", format!("{} ms", took.as_millis()))?;
        let database = Database::open(&file).await?;
        Ok(Self { folder, config, server, database })
    }

    /// Stops the server and starts it again.
    async fn restart(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.server.stop().await, "the server did not stop in time");
        Ok(Self { server: Server::start(&self.config, Clock::System).await?, ..self })
    }

    /// A client of this server, as any machine would have one.
    fn client(&self) -> anyhow::Result<Client> {
        let addr = self.server.addr().context("the server answers calls")?;
        Ok(Client::new(&format!("http://{addr}"), Options::default())?)
    }

    /// What one machine remembers between commands.
    fn machine(&self, name: &str) -> anyhow::Result<StateDir> {
        Ok(StateDir::open(self.folder.path().join(name))?)
    }

    /// Lets the worker finish what is due, and returns all mails sent so far.
    async fn mails(&self) -> anyhow::Result<Vec<SentMail>> {
        self.server.worker().context("a worker")?.drain().await?;
        let outbox = self.server.outbox().context("an outbox in memory")?;
        Ok(outbox.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
