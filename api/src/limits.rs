//! How often somebody may knock. In memory and bounded: it slows guessing and flooding, and is no accounting.
//!
//! Log-ins count when they fail: whoever holds the key is not guessing.

use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::AccountId;
use keyvawlt_ledger::account::LinkId;
use keyvawlt_ledger::assertion::Subject;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Sign-ups of one address: an office behind one address on its first day, and then one every ten seconds.
const SIGN_UPS: Rate = Rate { burst: 500, refill_ms: 10_000 };
/// Failed log-ins of one subject from one address. Not of an address alone: behind a proxy all have the same, and one would lock out all.
const FAILED_LOG_INS: Rate = Rate { burst: 60, refill_ms: 1_000 };
/// KiB committed by one subject: 128 MiB at once, which is the largest import in whole batches, and then 1 MiB a second.
const COMMITTED_KIB: Rate = Rate { burst: 128 * 1024, refill_ms: 1 };
/// E-mail codes tried by one account; each code has its own few tries besides.
const CODES: Rate = Rate { burst: 20, refill_ms: 60_000 };
/// Device links offered from one address: as many as sign-ups.
const LINK_OFFERS: Rate = Rate { burst: 500, refill_ms: 10_000 };
/// Looks for the answer to one device link: a device looks every other second for ten minutes.
const LINK_LOOKS: Rate = Rate { burst: 60, refill_ms: 1_000 };
/// Findings about keys of one subject, and keys asked for: a round of a thousand with both versions, and then one a second.
const KEY_HEALTH: Rate = Rate { burst: 4_000, refill_ms: 1_000 };
/// Organizations created by one account.
const ORGANIZATIONS: Rate = Rate { burst: 50, refill_ms: 60_000 };
/// Callers remembered in each of two generations. Whoever is forgotten starts anew: with that many others around, nothing is gained.
const GENERATION: usize = 8192;

/// All limits.
#[derive(Debug)]
pub(crate) struct Limits {
    sign_ups: Buckets<Option<IpAddr>>,
    failed_log_ins: Buckets<(Option<IpAddr>, Option<Subject>)>,
    committed: Buckets<Subject>,
    key_health: Buckets<Subject>,
    codes: Buckets<AccountId>,
    organizations: Buckets<AccountId>,
    link_offers: Buckets<Option<IpAddr>>,
    link_looks: Buckets<(Option<IpAddr>, [u8; LinkId::LEN])>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_ups: Buckets::of(SIGN_UPS),
            failed_log_ins: Buckets::of(FAILED_LOG_INS),
            committed: Buckets::of(COMMITTED_KIB),
            key_health: Buckets::of(KEY_HEALTH),
            codes: Buckets::of(CODES),
            organizations: Buckets::of(ORGANIZATIONS),
            link_offers: Buckets::of(LINK_OFFERS),
            link_looks: Buckets::of(LINK_LOOKS),
        }
    }
}

impl Limits {
    pub(crate) fn sign_up(&self, peer: Option<IpAddr>, now_ms: u64) -> Result<()> {
        self.sign_ups.take(network(peer), 1, now_ms)
    }

    pub(crate) fn log_in(&self, peer: Option<IpAddr>, subject: Option<Subject>, now_ms: u64) -> Result<()> {
        self.failed_log_ins.check(&(network(peer), subject), now_ms)
    }

    pub(crate) fn log_in_failed(&self, peer: Option<IpAddr>, subject: Option<Subject>, now_ms: u64) {
        // The next one hears of it.
        let _ = self.failed_log_ins.take((network(peer), subject), 1, now_ms);
    }

    pub(crate) fn commit(&self, subject: Subject, bytes: usize, now_ms: u64) -> Result<()> {
        self.committed.take(subject, u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX), now_ms)
    }

    pub(crate) fn key_health(&self, subject: Subject, keys: usize, now_ms: u64) -> Result<()> {
        self.key_health.take(subject, u32::try_from(keys).unwrap_or(u32::MAX), now_ms)
    }

    pub(crate) fn code(&self, account: AccountId, now_ms: u64) -> Result<()> {
        self.codes.take(account, 1, now_ms)
    }

    pub(crate) fn link_offer(&self, peer: Option<IpAddr>, now_ms: u64) -> Result<()> {
        self.link_offers.take(network(peer), 1, now_ms)
    }

    pub(crate) fn link_look(&self, peer: Option<IpAddr>, link: &LinkId, now_ms: u64) -> Result<()> {
        self.link_looks.take((network(peer), link.0), 1, now_ms)
    }

    pub(crate) fn organization(&self, account: AccountId, now_ms: u64) -> Result<()> {
        self.organizations.take(account, 1, now_ms)
    }
}

/// One IPv6 customer has a whole /64.
fn network(peer: Option<IpAddr>) -> Option<IpAddr> {
    peer.map(|peer| match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    })
}

/// So many at once, and one more after each pause.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    refill_ms: u64,
}

#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
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
    fn of(rate: Rate) -> Self {
        Self { rate, generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// Takes so many, if they are there.
    fn take(&self, key: K, count: u32, now_ms: u64) -> Result<()> {
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
    fn check(&self, key: &K, now_ms: u64) -> Result<()> {
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

    #[test]
    fn an_ipv6_network_is_one_caller() {
        assert_eq!(network(Some("2001:db8::1".parse().unwrap())), network(Some("2001:db8::2:3".parse().unwrap())));
        assert_ne!(network(Some("192.0.2.1".parse().unwrap())), network(Some("192.0.2.2".parse().unwrap())));
    }
}
