//! Randomness, passed in: the system's, or a seeded one for tests that compare bytes.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng as _, TryRng as _};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where random bytes come from.
#[derive(Clone)]
pub enum Random {
    /// The operating system.
    System,
    /// The same bytes in every run.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A generator for tests.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness: nothing can be done safely then.
    #[expect(clippy::expect_used, reason = "no randomness, no server")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::System => SysRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes"),
            Self::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes),
        }
        bytes
    }

    /// Sixteen bytes that sort by time: 48 bits of milliseconds, then randomness.
    pub fn ordered_id(&self, now_ms: u64) -> [u8; 16] {
        let mut id = self.bytes::<16>();
        let [_, _, time @ ..] = now_ms.to_be_bytes();
        id[..6].copy_from_slice(&time);
        id
    }

    /// Evenly from `0..limit`; 0 when the limit is 0. The tiny bias of the remainder does not matter for jitter and codes.
    pub fn below(&self, limit: u64) -> u64 {
        u64::from_be_bytes(self.bytes()).checked_rem(limit).unwrap_or(0)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
