//! The client's clock: the system's, or one that tests set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Epoch milliseconds that somebody else sets.
    Fixed(Arc<AtomicU64>),
}

impl Clock {
    /// Epoch milliseconds.
    pub fn now_ms(&self) -> u64 {
        match self {
            Clock::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place where the client reads the clock")]
                let now = SystemTime::now();
                now.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Clock::Fixed(now) => now.load(Ordering::SeqCst),
        }
    }
}
