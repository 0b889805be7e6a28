//! Time, passed in: the real clock, or one that tests move.

use keyvawlt_ledger::limits::MAX_SKEW_MS;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where moments come from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Stands still until it is moved.
    Fixed(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now_ms`.
    pub fn fixed(now_ms: u64) -> Self {
        Self::Fixed(Arc::new(AtomicU64::new(now_ms)))
    }

    /// Milliseconds since the epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the one place of the server that reads the clock")]
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Fixed(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Sets a fixed clock, also back; the real one cannot be moved.
    pub fn set_ms(&self, to_ms: u64) {
        if let Self::Fixed(now) = self {
            now.store(to_ms, Ordering::Relaxed);
        }
    }

    /// Moves a fixed clock forward; the real one cannot be moved.
    pub fn advance_ms(&self, by: u64) {
        if let Self::Fixed(now) = self {
            now.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// Whether what holds for `lasts_ms` from its beginning, and until then, holds now. A clock that was ahead gave nothing that holds for longer.
pub(crate) fn holds(until_ms: u64, lasts_ms: u64, now_ms: u64) -> bool {
    until_ms > now_ms && until_ms <= beyond_ms(now_ms, lasts_ms)
}

/// What is to come within `wait_ms` at the latest, and has a moment after this one, was written by a clock that was ahead and has been set back:
/// nobody waits for it. Two clocks that are right differ by less than statements may.
pub(crate) fn beyond_ms(now_ms: u64, wait_ms: u64) -> u64 {
    now_ms.saturating_add(wait_ms).saturating_add(MAX_SKEW_MS)
}
