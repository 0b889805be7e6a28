//! The ticker: writes the jobs that come by themselves. Each tick has a key, so any number of workers make one job.

use crate::context::Context;
use keyvawlt_domain::jobs::{self, Job};
use keyvawlt_domain::{Result, notices, set_back};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to see whether a tick is due: starting late by this much does not matter to hourly work.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const HOUR_MS: u64 = 60 * 60 * 1000;

/// What comes by itself, and how often. An expiry is heard of days ahead: an hour more or less is nothing.
const SCHEDULE: [(Job, u64); 4] =
    [(Job::ExpirySweep, HOUR_MS), (Job::KeyHealthSweep, HOUR_MS), (Job::RotationSweep, HOUR_MS), (Job::Prune, HOUR_MS)];

pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    loop {
        if let Err(error) = tick(&context).await {
            tracing::warn!(%error, "the ticker could not write its jobs");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

pub(crate) async fn tick(context: &Context) -> Result<()> {
    recover(context).await?;
    let tx = context.store.write().await?;
    for (job, every_ms) in &SCHEDULE {
        let key = format!("{}@{}", job.kind().name, tx.now_ms() / every_ms);
        jobs::enqueue(&tx, job, tx.now_ms(), Some(key)).await?;
    }
    notices::begin_month(&tx).await?;
    tx.commit().await
}

/// Before the ticks: what was written by a clock that was ahead keeps nothing waiting for longer than until the next look.
async fn recover(context: &Context) -> Result<()> {
    let tx = context.store.write().await?;
    let called_back = set_back::recover(&tx).await?;
    tx.commit().await?;
    if called_back > 0 {
        tracing::warn!(called_back, "the clock was ahead, or is behind: what waited for a moment far away is due now");
    }
    Ok(())
}
