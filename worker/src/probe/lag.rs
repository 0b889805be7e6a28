//! How late looks start: a histogram of fixed size, for operators and for the benchmark.

use std::sync::atomic::{AtomicU64, Ordering};

/// Four to an octave, from 4 ms to nearly half an hour; what is later counts in the last.
const BUCKETS: usize = 72;

/// Counts of looks by their lateness.
#[derive(Debug)]
pub(crate) struct Lag([AtomicU64; BUCKETS]);

/// How late looks started since the worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagSeen {
    /// How many looks.
    pub looks: u64,
    /// Half of them started at most so late, milliseconds.
    pub p50_ms: u64,
    /// 99 of 100.
    pub p99_ms: u64,
    /// All of them.
    pub max_ms: u64,
}

impl Default for Lag {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Lag {
    pub(crate) fn note(&self, late_ms: u64) {
        let bucket = (0..BUCKETS - 1).find(|bucket| late_ms <= bound(*bucket)).unwrap_or(BUCKETS - 1);
        self.0[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn seen(&self) -> LagSeen {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let looks: u64 = counts.iter().sum();
        let at = |share: u64| {
            let mut sum = 0;
            let wanted = (looks * share).div_ceil(100);
            let bucket = counts.iter().position(|count| {
                sum += count;
                sum >= wanted
            });
            bound(bucket.unwrap_or(BUCKETS - 1))
        };
        if looks == 0 { LagSeen::default() } else { LagSeen { looks, p50_ms: at(50), p99_ms: at(99), max_ms: at(100) } }
    }
}

/// The bucket's upper end.
fn bound(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, (bucket % 4) as u64);
    (4 + quarter) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_upper_bounds_within_a_quarter() {
        let lag = Lag::default();
        assert_eq!(lag.seen(), LagSeen::default());
        (1..=1_000).for_each(|late| lag.note(late));
        let seen = lag.seen();
        assert_eq!(seen.looks, 1_000);
        for (found, exact) in [(seen.p50_ms, 500), (seen.p99_ms, 990), (seen.max_ms, 1_000)] {
            assert!((exact..=exact * 5 / 4).contains(&found), "{found} for {exact}");
        }
        lag.note(u64::MAX);
        assert_eq!(lag.seen().looks, 1_001);
    }
}
