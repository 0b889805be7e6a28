//! The round of looks: claims what is due, looks, and writes down in batches how it ended.
//!
//! A claim is a lease: a worker that dies leaves its looks to the next, and a result that comes after its lease is dropped by the rows. Absent:
//! when a monitor is due, which the rows say, spread by chance.

use super::slots::{Claimed, Place, Slots};
use super::{Look, probe};
use crate::context::Context;
use crate::outbound::Target;
use keyvawlt_domain::Result;
use keyvawlt_domain::monitors::{self, Due, ProbeResult};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often to look for what is due and to write down what ended: a look starts at most so late when there is room.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Rows taken or written in one transaction: a quarter second of 10,000 monitors a minute is 42, and the writer is soon free for others.
const BATCH: usize = 128;
/// After this, another worker has what was claimed.
const LEASE: Duration = Duration::from_millis(monitors::LEASE_MS);
/// What runs when the process stops may take so long; the rest is given back. Well within what the process has for stopping.
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// Looks whose writing fails one after another before the store is taken to be away.
const FAILURES_IN_A_ROW: usize = 3;

pub(crate) struct Rounds {
    context: Arc<Context>,
    slots: Slots,
    looks: JoinSet<ProbeResult>,
    running: HashMap<Id, Claimed>,
    /// Ended and not written down, with the moment of the claim.
    results: Vec<(Instant, ProbeResult)>,
    left_out: Vec<Due>,
}

impl Rounds {
    pub(crate) fn new(context: Arc<Context>, at_once: usize) -> Self {
        let slots = Slots::new(at_once);
        Self { context, slots, looks: JoinSet::new(), running: HashMap::new(), results: vec![], left_out: vec![] }
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let context = Arc::clone(&self.context);
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.looks.join_next_with_id() => {
                    self.ended(ended);
                    // A fast target's next look needs no tick, and neither does a full batch.
                    if self.results.len() < BATCH {
                        continue;
                    }
                }
                () = tokio::time::sleep_until(next) => {}
                () = context.looks_wanted() => {}
            }
            next = Instant::now() + LOOK_EVERY;
            if let Err(error) = self.turn().await {
                tracing::warn!(%error, "monitors could not be claimed or written down");
            }
        }
        self.leave().await;
    }

    /// Writes down what ended, and starts what is due.
    async fn turn(&mut self) -> Result<()> {
        self.left_out.extend(self.slots.impatient(Instant::now()));
        self.write_down().await?;
        loop {
            let claimed = self.claim().await?;
            let is_last = claimed.len() < BATCH;
            let at = Instant::now();
            for due in claimed {
                let host = host(&due.url);
                match self.slots.place(Claimed { due, host, at }) {
                    Place::Start(claimed) => self.start(claimed),
                    Place::Wait => {}
                    Place::LeaveOut(due) => self.left_out.push(due),
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Asks before it takes the writer: mostly nothing is due.
    async fn claim(&self) -> Result<Vec<Due>> {
        // What could not be written down counts: while the store does not take results, nothing more is asked for.
        let room = self.slots.room().saturating_sub(self.results.len()).min(BATCH);
        let store = &self.context.store;
        let tx = store.read().await?;
        let is_any_free = room > 0 && monitors::is_any_free(&tx).await?;
        tx.commit().await?;
        if !is_any_free {
            return Ok(vec![]);
        }
        let tx = store.write().await?;
        let claimed = monitors::claim_due(&tx, &self.context.name, room as u64).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    fn start(&mut self, claimed: Claimed) {
        let now_ms = self.context.store.clock().now_ms();
        self.context.lag.note(now_ms.saturating_sub(claimed.due.due_ms));
        let outbound = self.context.outbound.clone();
        let due = claimed.due.clone();
        let look = self.looks.spawn(async move {
            let look = probe(&outbound, &due.url, &due.rules).await;
            result(&due, &look)
        });
        self.running.insert(look.id(), claimed);
    }

    /// Keeps a result, and starts the next that waits.
    fn ended(&mut self, ended: std::result::Result<(Id, ProbeResult), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(claimed) = self.running.remove(&id) else { return };
        self.slots.end(&claimed);
        match ended {
            Ok((_, result)) => self.results.push((claimed.at, result)),
            Err(error) => {
                tracing::error!(%error, monitor = %claimed.due.monitor, "a look ended by itself");
                self.left_out.push(claimed.due);
            }
        }
        while let Some(next) = self.slots.next() {
            self.start(next);
        }
    }

    async fn write_down(&mut self) -> Result<()> {
        if !self.left_out.is_empty() {
            let tx = self.context.store.write().await?;
            monitors::leave_out(&tx, &self.left_out).await?;
            tx.commit().await?;
            tracing::warn!(looks = self.left_out.len(), "looks were left out: too many wait for the same host or organization");
            self.left_out.clear();
        }
        // Whose lease is over, another worker has.
        self.results.retain(|(claimed_at, _)| claimed_at.elapsed() < LEASE);
        while !self.results.is_empty() {
            let batch: Vec<ProbeResult> = self.results.iter().take(BATCH).map(|(_, result)| result.clone()).collect();
            if let Err(error) = self.record(&batch).await {
                tracing::warn!(%error, "monitors could not be written down together");
                return self.write_down_one_by_one(batch.len()).await;
            }
            self.results.drain(..batch.len());
        }
        Ok(())
    }

    /// So that one row that cannot be written does not keep the others from being.
    async fn write_down_one_by_one(&mut self, count: usize) -> Result<()> {
        let mut in_a_row = 0;
        let mut kept = Vec::new();
        for (claimed_at, result) in self.results.drain(..count).collect::<Vec<_>>() {
            if in_a_row < FAILURES_IN_A_ROW && self.record(std::slice::from_ref(&result)).await.is_ok() {
                in_a_row = 0;
            } else {
                in_a_row += 1;
                kept.push((claimed_at, result));
            }
        }
        self.results.append(&mut kept);
        Ok(())
    }

    async fn record(&self, results: &[ProbeResult]) -> Result<()> {
        let tx = self.context.store.write().await?;
        monitors::record(&tx, results).await?;
        tx.commit().await
    }

    /// Lets short looks end, writes them down, and gives the others back.
    async fn leave(mut self) {
        let mut unfinished = self.slots.leave();
        let finished = async {
            while let Some(ended) = self.looks.join_next_with_id().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(STOP_WITHIN, finished).await.is_err() {
            self.looks.abort_all();
        }
        unfinished.extend(self.running.drain().map(|(_, claimed)| claimed.due));
        let written = self.write_down().await;
        if let Err(error) = async { written.and(self.give_back(&unfinished).await) }.await {
            tracing::warn!(%error, "looks could not be given back; their leases end by themselves");
        }
    }

    async fn give_back(&self, unfinished: &[Due]) -> Result<()> {
        let tx = self.context.store.write().await?;
        monitors::give_back(&tx, unfinished).await?;
        tx.commit().await
    }
}

fn result(due: &Due, look: &Look) -> ProbeResult {
    ProbeResult {
        org: due.org,
        monitor: due.monitor,
        round: due.round,
        outcome: look.outcome(),
        latency_ms: millis(look.trace.total),
        certificate_ends_ms: look.trace.certificate_not_after_ms,
    }
}

/// Looks are counted by it; a URL that has none is refused as soon as it is looked at.
fn host(url: &str) -> String {
    Target::parse(url).map_or_else(|_| url.to_owned(), |target| target.host().to_string())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
