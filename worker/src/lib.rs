//! What happens later: the relay that finds due jobs, the queue that runs them, the ticker, and mail.
//!
//! The `job` table is the truth. Whatever is lost here (a queue, a process) is found there again; whatever runs twice leaves one effect. Knows
//! no gRPC and no table.

mod channels;
mod context;
mod jobs;
mod message;
pub mod outbound;
mod posts;
pub mod probe;
mod queue;
mod relay;
mod roots;
mod settings;
mod ticker;
mod words;

use crate::outbound::Outbound;
use crate::probe::LagSeen;
use crate::probe::rounds::Rounds;
use context::Context;
use keyvawlt_domain::{Result, Store, jobs as rows, monitors};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use channels::mail::{MailTransport, Mailer, MailerError, Outbox, SentMail, SmtpError, SmtpOptions};
pub use queue::{Queue, RedisQueue, RedisUrlError};
pub use settings::{Settings, SettingsError, SmtpSettings};

/// Jobs of one process that run at once: they wait for the store and for mail servers, not for the processor.
pub const DEFAULT_CONCURRENCY: usize = 4;

/// Looks of one process at once: 10,000 monitors a minute of which one in ten does not answer within ten seconds take 170. One organization
/// has at most half of them.
pub const DEFAULT_PROBES: usize = 256;

/// What a worker works with.
#[derive(Debug)]
pub struct WorkerParts {
    /// Where the jobs are.
    pub store: Store,
    /// The way of mails.
    pub mailer: Mailer,
    /// The way of everything else.
    pub outbound: Outbound,
    /// Where this server answers people outside, `https://…`: digests link there. Without one they cannot be ended by a link.
    pub public_origin: Option<String>,
    /// Stands in leases: unique among the processes of one store.
    pub name: String,
}

/// How it does so.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Jobs at once.
    pub concurrency: usize,
    /// Looks at monitors at once.
    pub probes: usize,
    /// Where ids wait.
    pub queue: Queue,
}

/// A running worker.
#[derive(Clone, Debug)]
pub struct Worker {
    context: Arc<Context>,
    relay: relay::Relay,
}

impl Worker {
    /// Starts the worker's tasks; they end when `stop` is cancelled, a running job first coming to its end or being given back.
    pub fn start(parts: WorkerParts, execution: &Execution, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let context = Arc::new(Context::new(parts, execution.concurrency, stop.clone()));
        let push = queue::start(execution, &context, tasks, stop);
        let relay = relay::Relay::new(Arc::clone(&context), push);
        tasks.spawn(relay.clone().run(stop.clone()));
        tasks.spawn(ticker::run(Arc::clone(&context), stop.clone()));
        tasks.spawn(Rounds::new(Arc::clone(&context), execution.probes).run(stop.clone()));
        Self { context, relay }
    }

    /// Writes the jobs of the present tick, unless they were written.
    pub async fn tick(&self) -> Result<()> {
        ticker::tick(&self.context).await
    }

    /// How late monitors were looked at, since the worker started.
    pub fn lag(&self) -> LagSeen {
        self.context.lag.seen()
    }

    /// Runs everything that is due, looks at the monitors whose time has come, and runs what that causes, until nothing is left; then says what
    /// waits for later and what was given up. For tests, which stop the clock.
    pub async fn drain(&self) -> Result<rows::Counts> {
        loop {
            self.relay.once().await?;
            self.context.idle().await;
            let tx = self.context.store.read().await?;
            let counts = rows::counts(&tx).await?;
            let looks = monitors::count_due(&tx).await?;
            tx.commit().await?;
            if counts.due == 0 && counts.running == 0 && looks == 0 {
                return Ok(counts);
            }
            if looks > 0 {
                self.context.look_now();
            }
            // Another process may hold one.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
