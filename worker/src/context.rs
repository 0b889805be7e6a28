//! What every job may use, and which jobs this process has in hand.

use crate::WorkerParts;
use crate::channels::mail::Mailer;
use crate::outbound::Outbound;
use crate::posts::Posts;
use crate::probe::Lag;
use keyvawlt_domain::Store;
use keyvawlt_domain::jobs::JobId;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The relay looks again when so many jobs ended since it looked: before the queue runs dry.
const REFILL_AFTER: u64 = 8;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) mailer: Mailer,
    pub(crate) outbound: Outbound,
    /// Whose receivers take their time.
    pub(crate) posts: Posts,
    /// Where digests are ended by a link.
    pub(crate) public_origin: Option<String>,
    /// Stands in the leases.
    pub(crate) name: String,
    /// How late monitors are looked at.
    pub(crate) lag: Lag,
    look_now: Notify,
    /// The process stops.
    pub(crate) stop: CancellationToken,
    /// Pushed and not yet ended: they are not pushed again.
    in_hand: Mutex<HashSet<JobId>>,
    put_down: Notify,
    ended: AtomicU64,
    refill: Notify,
}

impl Context {
    pub(crate) fn new(parts: WorkerParts, concurrency: usize, stop: CancellationToken) -> Self {
        let WorkerParts { store, mailer, outbound, public_origin, name } = parts;
        Self {
            store,
            mailer,
            outbound,
            posts: Posts::of(concurrency),
            public_origin,
            name,
            lag: Lag::default(),
            look_now: Notify::new(),
            stop,
            in_hand: Mutex::default(),
            put_down: Notify::new(),
            ended: AtomicU64::default(),
            refill: Notify::new(),
        }
    }

    /// Has monitors looked at now rather than at the next tick.
    pub(crate) fn look_now(&self) {
        self.look_now.notify_one();
    }

    /// Returns when somebody wants monitors looked at.
    pub(crate) async fn looks_wanted(&self) {
        self.look_now.notified().await;
    }

    /// Says whether the job was not in hand before.
    pub(crate) fn pick_up(&self, id: JobId) -> bool {
        self.in_hand().insert(id)
    }

    pub(crate) fn put_down(&self, id: JobId) {
        self.in_hand().remove(&id);
        self.put_down.notify_waiters();
        if self.ended.fetch_add(1, Ordering::Relaxed) + 1 >= REFILL_AFTER {
            self.ended.store(0, Ordering::Relaxed);
            self.refill.notify_one();
        }
    }

    /// How many are in hand.
    pub(crate) fn carried(&self) -> usize {
        self.in_hand().len()
    }

    /// Returns when many jobs ended since it last did.
    pub(crate) async fn wants_more(&self) {
        self.refill.notified().await;
    }

    pub(crate) fn put_down_all(&self) {
        self.in_hand().clear();
        self.put_down.notify_waiters();
    }

    /// Returns when nothing is in hand.
    pub(crate) async fn idle(&self) {
        loop {
            let changed = self.put_down.notified();
            if self.in_hand().is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
