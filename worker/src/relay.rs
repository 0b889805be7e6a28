//! The relay: looks for due jobs and pushes their ids to the queue. In every worker; two that push one id harm nothing, for the claim decides.

use crate::context::Context;
use crate::queue::Push;
use keyvawlt_domain::{Result, jobs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to look for what other processes wrote and for what became due; this process's own jobs wake the relay.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Ids taken up at a look: a few rounds of the queue.
const PAGE: u64 = 64;
/// How often to look for leases that ran out: with a lease, less than half a minute.
const EXPIRE_LEASES_EVERY_MS: u64 = 5_000;

#[derive(Clone, Debug)]
pub(crate) struct Relay {
    context: Arc<Context>,
    push: Push,
    leases_expired_at: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) fn new(context: Arc<Context>, push: Push) -> Self {
        Self { context, push, leases_expired_at: Arc::default() }
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
        let tx = self.context.store.read().await?;
        let due = jobs::due(&tx, PAGE).await?;
        tx.commit().await?;
        for id in due {
            if self.context.pick_up(id) && !self.push.push(id).await {
                self.context.put_down(id);
            }
        }
        Ok(())
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
