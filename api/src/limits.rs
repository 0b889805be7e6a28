//! How often somebody may knock. Bounded: it slows guessing and flooding, and is no accounting.
//!
//! Counted in this process, or in a Redis for all processes together; when that does not answer, in this process again: nobody waits for it,
//! and nobody gets in for its absence who would not have got in anyway. Log-ins count when they fail: whoever holds the key is not guessing.

mod buckets;
mod in_redis;

use buckets::{Buckets, Rate};
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::AccountId;
use keyvawlt_ledger::account::LinkId;
use keyvawlt_ledger::assertion::Subject;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

pub use in_redis::{LimitsUrlError, RedisLimits};

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
/// Digests ended from one address: mail programs do it from the few addresses of whoever runs them.
const UNSUBSCRIBES: Rate = Rate { burst: 500, refill_ms: 1_000 };
/// Organizations created by one account.
const ORGANIZATIONS: Rate = Rate { burst: 50, refill_ms: 60_000 };

/// Where callers are counted.
#[derive(Debug, Default)]
pub enum Counting {
    /// In each process.
    #[default]
    Memory,
    /// In a Redis, for all processes together.
    Redis(Box<RedisLimits>),
}

impl Counting {
    /// `memory`, or a Redis' URL.
    pub fn parse(text: &str) -> Result<Self, LimitsUrlError> {
        if text == "memory" { Ok(Self::Memory) } else { Ok(Self::Redis(Box::new(RedisLimits::parse(text)?))) }
    }
}

/// All limits.
#[derive(Debug)]
pub(crate) struct Limits {
    counting: Arc<Counting>,
    sign_ups: Limit<Option<IpAddr>>,
    failed_log_ins: Limit<(Option<IpAddr>, Option<Subject>)>,
    committed: Limit<Subject>,
    key_health: Limit<Subject>,
    codes: Limit<AccountId>,
    organizations: Limit<AccountId>,
    unsubscribes: Limit<Option<IpAddr>>,
    link_offers: Limit<Option<IpAddr>>,
    link_looks: Limit<(Option<IpAddr>, [u8; LinkId::LEN])>,
}

impl Limits {
    pub(crate) fn new(counting: Arc<Counting>) -> Self {
        Self {
            counting,
            sign_ups: Limit::new("sign-ups", SIGN_UPS),
            failed_log_ins: Limit::new("failed-log-ins", FAILED_LOG_INS),
            committed: Limit::new("committed", COMMITTED_KIB),
            key_health: Limit::new("key-health", KEY_HEALTH),
            codes: Limit::new("codes", CODES),
            organizations: Limit::new("organizations", ORGANIZATIONS),
            unsubscribes: Limit::new("unsubscribes", UNSUBSCRIBES),
            link_offers: Limit::new("link-offers", LINK_OFFERS),
            link_looks: Limit::new("link-looks", LINK_LOOKS),
        }
    }

    pub(crate) async fn sign_up(&self, peer: Option<IpAddr>, now_ms: u64) -> Result<()> {
        self.sign_ups.take(&self.counting, network(peer), 1, now_ms).await
    }

    pub(crate) async fn log_in(&self, peer: Option<IpAddr>, subject: Option<Subject>, now_ms: u64) -> Result<()> {
        self.failed_log_ins.check(&self.counting, (network(peer), subject), now_ms).await
    }

    pub(crate) async fn log_in_failed(&self, peer: Option<IpAddr>, subject: Option<Subject>, now_ms: u64) {
        // The next one hears of it.
        let _ = self.failed_log_ins.take(&self.counting, (network(peer), subject), 1, now_ms).await;
    }

    pub(crate) async fn commit(&self, subject: Subject, bytes: usize, now_ms: u64) -> Result<()> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        self.committed.take(&self.counting, subject, kib, now_ms).await
    }

    pub(crate) async fn key_health(&self, subject: Subject, keys: usize, now_ms: u64) -> Result<()> {
        self.key_health.take(&self.counting, subject, u32::try_from(keys).unwrap_or(u32::MAX), now_ms).await
    }

    pub(crate) async fn code(&self, account: AccountId, now_ms: u64) -> Result<()> {
        self.codes.take(&self.counting, account, 1, now_ms).await
    }

    pub(crate) async fn unsubscribe(&self, peer: Option<IpAddr>, now_ms: u64) -> Result<()> {
        self.unsubscribes.take(&self.counting, network(peer), 1, now_ms).await
    }

    pub(crate) async fn link_offer(&self, peer: Option<IpAddr>, now_ms: u64) -> Result<()> {
        self.link_offers.take(&self.counting, network(peer), 1, now_ms).await
    }

    pub(crate) async fn link_look(&self, peer: Option<IpAddr>, link: &LinkId, now_ms: u64) -> Result<()> {
        self.link_looks.take(&self.counting, (network(peer), link.0), 1, now_ms).await
    }

    pub(crate) async fn organization(&self, account: AccountId, now_ms: u64) -> Result<()> {
        self.organizations.take(&self.counting, account, 1, now_ms).await
    }
}

#[derive(Debug)]
struct Limit<K> {
    name: &'static str,
    here: Buckets<K>,
}

impl<K: Eq + Hash + Clone + Debug> Limit<K> {
    fn new(name: &'static str, rate: Rate) -> Self {
        Self { name, here: Buckets::of(rate) }
    }

    /// Takes so many, if they are there.
    async fn take(&self, counting: &Counting, key: K, count: u32, now_ms: u64) -> Result<()> {
        match self.elsewhere(counting, &key, (count, count), now_ms).await {
            Some(taken) => taken,
            None => self.here.take(key, count, now_ms),
        }
    }

    /// Says whether there is one.
    async fn check(&self, counting: &Counting, key: K, now_ms: u64) -> Result<()> {
        match self.elsewhere(counting, &key, (1, 0), now_ms).await {
            Some(there) => there,
            None => self.here.check(&key, now_ms),
        }
    }

    /// What a Redis says; `None` when there is none, or it does not answer.
    async fn elsewhere(&self, counting: &Counting, key: &K, (needed, taken): (u32, u32), now_ms: u64) -> Option<Result<()>> {
        let Counting::Redis(redis) = counting else { return None };
        let wait_ms = redis.ask(self.name, key, self.here.rate, (needed, taken), now_ms).await?;
        Some(if wait_ms == 0 { Ok(()) } else { Err(Error::RateLimited { retry_after_ms: wait_ms }) })
    }
}

/// One IPv6 customer has a whole /64.
fn network(peer: Option<IpAddr>) -> Option<IpAddr> {
    peer.map(|peer| match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_caller() {
        assert_eq!(network(Some("2001:db8::1".parse().unwrap())), network(Some("2001:db8::2:3".parse().unwrap())));
        assert_ne!(network(Some("192.0.2.1".parse().unwrap())), network(Some("192.0.2.2".parse().unwrap())));
    }
}
