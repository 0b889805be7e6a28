//! Buckets in a Redis: the same arithmetic as in memory, as one step there. Who is counted stands in it as a hash.

use super::buckets::Rate;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use sha2::{Digest as _, Sha256};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Redis answers in under a millisecond; a call is not held up for longer than this.
const PATIENCE: Duration = Duration::from_millis(150);
/// A Redis that did not answer is not asked again for so long.
const LEFT_ALONE: Duration = Duration::from_secs(2);
/// What keys begin with, unless the URL names something else.
const NAMESPACE: &str = "keyvawlt";
/// Of a caller's hash, so much: nobody collides by chance.
const HASH_BYTES: usize = 16;

/// How long to wait, in milliseconds; 0 when it was granted. A bucket is kept until it would be full again. Clocks of several processes differ a
/// little: one that is behind refills nothing.
const TAKE: &str = r"
local burst, refill, needed, taken, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local kept = redis.call('HMGET', KEYS[1], 'left', 'since')
local left, since = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
local refilled = math.max(0, math.floor((now - since) / refill))
left, since = math.min(burst, left + refilled), since + refilled * refill
local wait = 0
if left < needed then wait = math.max(1, since + (needed - left) * refill - now) else left = left - taken end
redis.call('HSET', KEYS[1], 'left', left, 'since', string.format('%.0f', since))
redis.call('PEXPIRE', KEYS[1], (burst - left + 1) * refill)
return wait
";

/// A Redis that counts for all processes.
#[derive(Debug)]
pub struct RedisLimits {
    client: redis::Client,
    namespace: String,
    take: redis::Script,
    connection: OnceCell<ConnectionManager>,
    left_alone_until: Mutex<Option<Instant>>,
}

/// A URL that names no Redis.
#[derive(Debug, thiserror::Error)]
pub enum LimitsUrlError {
    /// Another scheme.
    #[error("use \"memory\", redis://host[:port][/database] or rediss:// (TLS), with #name to share a Redis with other installations")]
    Scheme,
    /// The rest is wrong.
    #[error("{0}")]
    Url(#[from] redis::RedisError),
}

impl RedisLimits {
    /// `redis://[user:password@]host[:port][/database][#name]`; `rediss://` is TLS.
    pub fn parse(url: &str) -> Result<Self, LimitsUrlError> {
        let (address, namespace) = url.split_once('#').unwrap_or((url, NAMESPACE));
        if !(address.starts_with("redis://") || address.starts_with("rediss://")) || namespace.is_empty() {
            return Err(LimitsUrlError::Scheme);
        }
        Ok(Self {
            client: redis::Client::open(address)?,
            namespace: namespace.to_owned(),
            take: redis::Script::new(TAKE),
            connection: OnceCell::new(),
            left_alone_until: Mutex::default(),
        })
    }

    /// Takes `taken` if `needed` are there; says how long to wait otherwise. `None` when nobody answers.
    pub(super) async fn ask(&self, limit: &str, key: &impl Debug, rate: Rate, (needed, taken): (u32, u32), now_ms: u64) -> Option<u64> {
        if self.is_left_alone() {
            return None;
        }
        let hash = Sha256::digest(format!("{key:?}"));
        let key = format!("{}:limits:{limit}:{}", self.namespace, hex::encode(&hash[..HASH_BYTES]));
        let mut ask = self.take.key(key);
        ask.arg(rate.burst).arg(rate.refill_ms).arg(needed).arg(taken).arg(now_ms);
        let answer = async { ask.invoke_async::<u64>(&mut self.connection().await?).await };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(wait_ms)) => Some(wait_ms),
            Ok(Err(error)) => self.leave_alone(&error.to_string()),
            Err(_) => self.leave_alone("it did not answer in time"),
        }
    }

    async fn connection(&self) -> Result<ConnectionManager, redis::RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        self.connection.get_or_try_init(async || self.client.get_connection_manager_lazy(config)).await.cloned()
    }

    fn is_left_alone(&self) -> bool {
        let until = self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn leave_alone(&self, error: &str) -> Option<u64> {
        tracing::warn!(error, "the Redis of api.shared does not answer; callers are counted in this process");
        *self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + LEFT_ALONE);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counting, Limits};
    use super::*;
    use keyvawlt_domain::Error;
    use keyvawlt_ledger::AccountId;
    use std::sync::Arc;

    const NOW: u64 = 1_795_424_400_000;
    const ADA: AccountId = AccountId([1; 16]);

    async fn used_up(limits: &Limits, others: &Limits) {
        for _ in 0..10 {
            limits.code(ADA, NOW).await.unwrap();
            others.code(ADA, NOW).await.unwrap();
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the variable that names the tests' Redis")]
    async fn two_processes_count_together() {
        let Ok(redis) = std::env::var("KEYVAWLT_TEST_REDIS") else {
            println!("skipped: KEYVAWLT_TEST_REDIS names no Redis");
            return;
        };
        let name = format!("{redis}#limits_{:x}", u64::from_be_bytes(keyvawlt_domain::Random::System.bytes()));
        let process = || Limits::new(Arc::new(Counting::parse(&name).unwrap()));
        let (one, other) = (process(), process());
        used_up(&one, &other).await;
        for limits in [&one, &other] {
            assert!(matches!(limits.code(ADA, NOW + 1).await, Err(Error::RateLimited { retry_after_ms: 59_999 })));
        }
        assert!(one.code(AccountId([2; 16]), NOW).await.is_ok(), "somebody else");
        assert!(other.code(ADA, NOW + 60_000).await.is_ok() && one.code(ADA, NOW + 60_000).await.is_err());
        for _ in 0..60 {
            one.log_in(None, None, NOW).await.unwrap();
            other.log_in_failed(None, None, NOW).await;
        }
        assert!(one.log_in(None, None, NOW).await.is_err() && one.log_in(None, None, NOW + 1_000).await.is_ok());
    }

    #[tokio::test]
    async fn a_redis_that_is_away_delays_nobody_and_lets_nobody_guess() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for away in [nobody, silent.local_addr().unwrap()] {
            let limits = Limits::new(Arc::new(Counting::parse(&format!("redis://{away}/0")).unwrap()));
            let began = Instant::now();
            for _ in 0..20 {
                limits.code(ADA, NOW).await.unwrap();
            }
            assert!(matches!(limits.code(ADA, NOW).await, Err(Error::RateLimited { retry_after_ms: 60_000 })));
            assert!(began.elapsed() < LEFT_ALONE, "asked once");
        }
    }

    #[test]
    fn a_url_names_a_redis_or_is_refused() {
        for wrong in ["", "rabbits", "http://a", "redis://a#", "redis://"] {
            assert!(Counting::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["memory", "redis://a", "rediss://u:p@a:1/2#b"] {
            assert!(Counting::parse(right).is_ok(), "{right}");
        }
    }
}
