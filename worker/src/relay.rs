//! The relay: looks for due jobs and pushes their ids to the queue, the most urgent first, and no more than it holds. In every worker; two that
//! push one id harm nothing, for the claim decides.

use crate::context::Context;
use crate::queue::{Push, QueueError};
use keyvawlt_domain::{Result, jobs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to look for what other processes wrote and for what became due; this process's own jobs wake the relay.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often to look for leases that ran out: with a lease, less than half a minute.
const EXPIRE_LEASES_EVERY_MS: u64 = 5_000;

#[derive(Clone, Debug)]
pub(crate) struct Relay {
    context: Arc<Context>,
    push: Push,
    leases_expired_at: Arc<AtomicU64>,
    queue_lost: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Refusal {
    Queue(QueueError),
    Store(keyvawlt_domain::Error),
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<keyvawlt_domain::Error> for Refusal {
    fn from(error: keyvawlt_domain::Error) -> Self {
        Self::Store(error)
    }
}

impl Relay {
    pub(crate) fn new(context: Arc<Context>, push: Push) -> Self {
        Self { context, push, leases_expired_at: Arc::default(), queue_lost: Arc::default() }
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.context.store.job_written() => {}
                () = self.context.wants_more() => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                outcome = self.once() => if let Err(error) = outcome {
                    tracing::warn!(%error, "the relay could not look for jobs");
                }
            }
        }
    }

    /// Looks once, and pushes what is due.
    pub(crate) async fn once(&self) -> Result<()> {
        self.expire_leases().await?;
        match self.fill().await {
            // The store was asked, and is what callers wait for; a queue that is away is tried again at the next look.
            Err(Refusal::Queue(error)) => {
                self.complain(&error);
                Ok(())
            }
            Err(Refusal::Store(error)) => Err(error),
            Ok(()) => {
                self.queue_lost.store(false, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    async fn fill(&self) -> Result<(), Refusal> {
        let room = self.push.room().await?;
        if room == 0 {
            return Ok(());
        }
        let tx = self.context.store.read().await?;
        let due = jobs::due(&tx, room).await?;
        tx.commit().await?;
        Ok(self.push.push(&due).await?)
    }

    /// Once for each time that the queue goes away.
    fn complain(&self, error: &QueueError) {
        if !self.queue_lost.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "jobs wait in the table until the queue is back");
        }
    }

    async fn expire_leases(&self) -> Result<()> {
        let now = self.context.store.clock().now_ms();
        let last = self.leases_expired_at.load(Ordering::Relaxed);
        // A clock that was set back does not keep it from looking.
        if (last..last.saturating_add(EXPIRE_LEASES_EVERY_MS)).contains(&now) {
            return Ok(());
        }
        let tx = self.context.store.write().await?;
        let again = jobs::expire_leases(&tx).await?;
        tx.commit().await?;
        self.leases_expired_at.store(now, Ordering::Relaxed);
        if again > 0 {
            tracing::warn!(jobs = again, "jobs were left unfinished by a worker and are due again");
        }
        Ok(())
    }
}
