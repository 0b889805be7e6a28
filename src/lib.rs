//! The server: joins the parts, and does nothing else.
//!
//! [`Server::start`] is the only assembly: `main` and the tests call it. One process or many differ by `role` and by URLs, not by code.

pub mod config;
mod folder;
pub mod lifecycle;
pub mod telemetry;

use config::{Config, ConfigError, canonical_origin};
use keyvawlt_domain::audit::AuditWriter;
use keyvawlt_domain::namespaces::Revisions;
use keyvawlt_domain::store::OpenError;
use keyvawlt_domain::tokens::{KeyFileError, Tokens};
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_worker::{Execution, Outbox, SettingsError, Worker, WorkerParts};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The store does not open.
    #[error("{0}")]
    Store(#[from] OpenError),
    /// The token keys cannot be read.
    #[error("{0}")]
    Tokens(#[from] KeyFileError),
    /// The worker cannot start.
    #[error("{0}")]
    Worker(#[from] SettingsError),
    /// The address cannot be listened on.
    #[error("api.listen: {addr} cannot be listened on: {source}")]
    Listen {
        /// Which address.
        addr: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
}

/// The server.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    addr: Option<SocketAddr>,
    origins: Vec<String>,
    worker: Option<Worker>,
    outbox: Option<Outbox>,
    store: Store,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// Starts everything the configured role asks for.
    pub async fn start(config: &Config, clock: Clock) -> Result<Running, StartError> {
        folder::prepare(&config.data)?;
        let random = Random::System;
        let store = Store::open(&config.store_url()?, clock, random.clone()).await?.gathering(config.notices.gather_ms());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut running = Running { addr: None, origins: Vec::new(), worker: None, outbox: None, store, tasks, stop };
        match running.start_roles(config, random).await {
            Ok(()) => Ok(running),
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }
}

impl Running {
    /// The address calls are answered on; `None` for a worker.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// The origins this server answers for; clients log in for one of them.
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The worker, where the role has one.
    pub fn worker(&self) -> Option<&Worker> {
        self.worker.as_ref()
    }

    /// The mails, when `worker.mail` is `memory:`.
    pub fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_ref()
    }

    /// Stops: no new calls, running ones end, then the store closes. Says whether all ended in time.
    pub async fn stop(self) -> bool {
        let in_time = lifecycle::stop(&self.tasks, &self.stop).await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the store did not close cleanly");
        }
        in_time
    }

    async fn start_roles(&mut self, config: &Config, random: Random) -> Result<(), StartError> {
        if config.role.answers() {
            self.start_api(config, random.clone()).await?;
        }
        if config.role.works() {
            self.start_worker(config, &random)?;
        }
        Ok(())
    }

    fn start_worker(&mut self, config: &Config, random: &Random) -> Result<(), StartError> {
        let mailer = config.worker.mailer(&config.data)?;
        self.outbox = mailer.outbox().cloned();
        let name = format!("{}-{:x}", std::process::id(), u64::from_be_bytes(random.bytes()));
        let execution = Execution { concurrency: config.worker.concurrency, probes: config.worker.probes, queue: config.worker.queue()? };
        let parts = WorkerParts {
            store: self.store.clone(),
            mailer,
            outbound: config.worker.outbound.outbound().map_err(SettingsError::from)?,
            public_origin: public_origin(&config.api.origins),
            name,
        };
        self.worker = Some(Worker::start(parts, &execution, &self.tasks, &self.stop));
        Ok(())
    }

    async fn start_api(&mut self, config: &Config, random: Random) -> Result<(), StartError> {
        let tokens = Arc::new(Tokens::load(&config.token_key_file(), random)?);
        let listen = config.api.listen;
        let failed = |source| StartError::Listen { addr: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        self.addr = Some(addr);
        self.origins = if config.api.origins.is_empty() { local_origins(addr)? } else { config.api.origins.clone() };
        let parts = keyvawlt_api::ApiParts {
            store: self.store.clone(),
            tokens,
            audit: AuditWriter::start(self.store.clone(), &self.tasks),
            revisions: Revisions::start(self.store.clone(), &self.tasks),
            origins: self.origins.clone().into(),
            restored: config.api.restored,
            counting: Arc::new(config.api.counting()?),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            if let Err(error) = keyvawlt_api::serve(parts, listener, stop.cancelled_owned()).await {
                tracing::error!(%error, "calls are no longer answered");
            }
        });
        Ok(())
    }
}

/// Where people reach this server from anywhere: what mails may link to.
fn public_origin(origins: &[String]) -> Option<String> {
    let public = origins.iter().find(|origin| origin.starts_with("https://"))?;
    Some(public.strip_suffix(":443").unwrap_or(public).to_owned())
}

/// Where a server without configured origins is reached from its own machine.
fn local_origins(addr: SocketAddr) -> Result<Vec<String>, ConfigError> {
    let port = addr.port();
    let host = if addr.ip().is_unspecified() { "127.0.0.1".to_owned() } else { addr.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    [format!("http://{host}:{port}"), format!("http://localhost:{port}")].iter().map(|origin| canonical_origin(origin)).collect()
}
