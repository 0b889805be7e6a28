//! Buckets in this process' memory: two generations of callers, so that they stay bounded.

use keyvawlt_domain::{Error, Result};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Callers remembered in each of two generations. Whoever is forgotten starts anew: with that many others around, nothing is gained.
const GENERATION: usize = 8192;

/// So many at once, and one more after each pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) refill_ms: u64,
}

#[derive(Debug)]
pub(super) struct Buckets<K> {
    pub(super) rate: Rate,
    generations: Mutex<Generations<K>>,
}

#[derive(Debug)]
struct Generations<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    since_ms: u64,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub(super) fn of(rate: Rate) -> Self {
        Self { rate, generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// Takes so many, if they are there.
    pub(super) fn take(&self, key: K, count: u32, now_ms: u64) -> Result<()> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = self.present(&generations, &key, now_ms);
        let taken = if bucket.left < count {
            Err(self.wait(bucket, count, now_ms))
        } else {
            bucket.left -= count;
            Ok(())
        };
        if generations.young.len() >= GENERATION && !generations.young.contains_key(&key) {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, bucket);
        taken
    }

    /// Says whether there is one.
    pub(super) fn check(&self, key: &K, now_ms: u64) -> Result<()> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = self.present(&generations, key, now_ms);
        if bucket.left == 0 { Err(self.wait(bucket, 1, now_ms)) } else { Ok(()) }
    }

    fn present(&self, generations: &Generations<K>, key: &K, now_ms: u64) -> Bucket {
        let kept = generations.young.get(key).or_else(|| generations.old.get(key)).copied();
        let Some(mut bucket) = kept else { return Bucket { left: self.rate.burst, since_ms: now_ms } };
        let refilled = now_ms.saturating_sub(bucket.since_ms) / self.rate.refill_ms;
        bucket.left = bucket.left.saturating_add(u32::try_from(refilled).unwrap_or(u32::MAX)).min(self.rate.burst);
        bucket.since_ms += refilled * self.rate.refill_ms;
        bucket
    }

    fn wait(&self, bucket: Bucket, count: u32, now_ms: u64) -> Error {
        let missing = u64::from(count.saturating_sub(bucket.left));
        Error::RateLimited { retry_after_ms: (bucket.since_ms + missing * self.rate.refill_ms).saturating_sub(now_ms).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_one_after_each_pause() {
        let buckets = Buckets::of(Rate { burst: 2, refill_ms: 100 });
        assert!(buckets.take("a", 1, 0).is_ok() && buckets.take("a", 1, 10).is_ok());
        assert!(matches!(buckets.take("a", 1, 50), Err(Error::RateLimited { retry_after_ms: 50 })));
        assert!(buckets.take("b", 1, 50).is_ok());
        assert!(buckets.check(&"a", 100).is_ok() && buckets.take("a", 1, 100).is_ok() && buckets.take("a", 1, 150).is_err());
        assert!(buckets.take("a", 1, 1000).is_ok() && buckets.take("a", 1, 1000).is_ok() && buckets.take("a", 1, 1000).is_err());
    }
}
