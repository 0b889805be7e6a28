//! What every job may use, and which jobs this process has in hand.

use crate::mailer::Mailer;
use keyvawlt_domain::Store;
use keyvawlt_domain::jobs::JobId;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) mailer: Mailer,
    /// Stands in the leases.
    pub(crate) name: String,
    /// Pushed and not yet ended: they are not pushed again.
    in_hand: Mutex<HashSet<JobId>>,
    put_down: Notify,
}

impl Context {
    pub(crate) fn new(store: Store, mailer: Mailer, name: String) -> Self {
        Self { store, mailer, name, in_hand: Mutex::default(), put_down: Notify::new() }
    }

    /// Says whether the job was not in hand before.
    pub(crate) fn pick_up(&self, id: JobId) -> bool {
        self.in_hand().insert(id)
    }

    pub(crate) fn put_down(&self, id: JobId) {
        self.in_hand().remove(&id);
        self.put_down.notify_waiters();
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
