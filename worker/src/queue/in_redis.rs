//! Ids wait in a Redis, where any worker takes them. A Redis that is killed, emptied or away loses nothing: the relays push again what the
//! table says is due.
//!
//! apalis-redis is used for what it does well, carrying ids; measured traps decide the rest. Tasks are fetched one by one (a batch that waits
//! behind a slow job is run twice), a worker's name is used once, each id is in the backend at most once while its key lives, and what
//! apalis keeps for ever about tasks that ended is swept.

use super::{Crew, JobRef, QueueError, handle};
use apalis::prelude::{BackendExt as _, BoxDynError, Data, TaskBuilder, WorkerBuilder, WorkerBuilderExt as _};
use apalis_core::backend::Vacuum as _;
use apalis_redis::{Config, RedisStorage, RedisTask, queries};
use keyvawlt_domain::jobs::JobId;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Ids in the backend, all workers together: a few rounds of a few workers, so that nothing urgent waits behind many.
const WAITING: u64 = 64;
/// How often a worker with nothing to do looks: a fraction of the second within which a job should begin.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// A worker that is silent for three of these has died; the relays give its ids to others.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MISSED_HEARTBEATS: usize = 3;
/// How long an id that was pushed is not pushed again, unless it ends: after that its worker, or the whole Redis, is thought lost.
const PUSHED_FOR: Duration = Duration::from_secs(10);
/// How often what ended is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// A worker's description outlives it by this much.
const DESCRIPTION_KEPT_S: i64 = 3600;
/// Redis answers in under a millisecond; a connection that does not for this long is dead.
const PATIENCE: Duration = Duration::from_secs(2);
/// What keys begin with, unless the URL names something else.
const NAMESPACE: &str = "keyvawlt";

/// A Redis, and this installation's place in it.
#[derive(Clone, Debug)]
pub struct RedisQueue {
    client: redis::Client,
    namespace: String,
    connection: Arc<OnceCell<ConnectionManager>>,
}

/// A URL that names no Redis.
#[derive(Debug, thiserror::Error)]
pub enum RedisUrlError {
    /// Another scheme.
    #[error("use \"memory\", redis://host[:port][/database] or rediss:// (TLS), with #name to share a Redis with other installations")]
    Scheme,
    /// The rest is wrong.
    #[error("{0}")]
    Url(#[from] redis::RedisError),
}

impl RedisQueue {
    /// `redis://[user:password@]host[:port][/database][#name]`; `rediss://` is TLS.
    pub fn parse(url: &str) -> Result<Self, RedisUrlError> {
        let (address, namespace) = url.split_once('#').unwrap_or((url, NAMESPACE));
        if !(address.starts_with("redis://") || address.starts_with("rediss://")) || namespace.is_empty() {
            return Err(RedisUrlError::Scheme);
        }
        Ok(Self { client: redis::Client::open(address)?, namespace: namespace.to_owned(), connection: Arc::default() })
    }

    fn config(&self) -> Config {
        // Leases are the table's; acknowledgements ("results") are what takes an id out of the backend.
        Config { idempotency_ttl: Some(PUSHED_FOR), ..Config::default() }
            .queue(format!("{}:jobs", self.namespace))
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false)
            .emit_events(false)
    }

    /// Connects when it is used, and again when the connection is lost: a worker starts without its Redis, too.
    async fn connection(&self) -> Result<ConnectionManager, redis::RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        self.connection.get_or_try_init(async || self.client.get_connection_manager_lazy(config)).await.cloned()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Push(RedisQueue);

impl Push {
    pub(super) async fn room(&self) -> Result<u64, QueueError> {
        let config = self.0.config();
        let mut counts = redis::pipe();
        // apalis lets every id through its list of later ones.
        counts.llen(config.active_jobs_list()).zcard(config.scheduled_jobs_set());
        let (waiting, coming): (u64, u64) = counts.query_async(&mut self.0.connection().await?).await?;
        Ok(WAITING.saturating_sub(waiting + coming))
    }

    pub(super) async fn push(&self, ids: &[JobId]) -> Result<(), QueueError> {
        let tasks: Vec<RedisTask> = ids.iter().map(|id| task(*id)).collect::<Result<_, _>>()?;
        queries::push_tasks(&mut self.0.connection().await?, &self.0.config(), &tasks).await?;
        Ok(())
    }
}

fn task(id: JobId) -> Result<RedisTask, QueueError> {
    let payload = serde_json::to_vec(&JobRef { id: id.0 }).map_err(apalis_redis::Error::Json)?;
    Ok(TaskBuilder::new(payload).idempotency_key(id.to_string()).build())
}

pub(super) fn start(queue: &RedisQueue, crew: Crew) -> Push {
    crew.tasks.clone().spawn(supervise(crew, queue.clone()));
    Push(queue.clone())
}

async fn supervise(crew: Crew, queue: RedisQueue) {
    for start in 0.. {
        let outcome = work(&crew, &queue, crew.name(start)).await;
        if !crew.goes_on(outcome).await {
            return;
        }
    }
}

async fn work(crew: &Crew, queue: &RedisQueue, name: String) -> Result<(), BoxDynError> {
    let redis = queue.connection().await?;
    let storage = RedisStorage::<JobRef>::new(redis.clone()).with_config(queue.config());
    let worker = WorkerBuilder::new(name.as_str())
        .backend(storage.clone().poll_with_interval(POLL_EVERY))
        .data(crew.clone())
        .data(Pushed { redis: redis.clone(), prefix: queue.config().idempotency_key_set() })
        .concurrency(crew.concurrency)
        .build(take);
    let description = format!("{}:workers:metadata:{name}", queue.config().queue.as_ref());
    tokio::select! {
        outcome = worker.run_until(crew.clone().stopped()) => Ok(outcome?),
        error = sweep(storage, redis, description) => Err(error.into()),
    }
}

/// Forgets what apalis keeps for ever: what ended, and descriptions of workers that are gone.
async fn sweep(mut storage: RedisStorage<JobRef>, mut redis: ConnectionManager, description: String) -> apalis_redis::Error {
    let config = storage.get_config().clone();
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let mut ended = redis::pipe();
        ended.unlink((config.done_jobs_set(), config.dead_jobs_set())).ignore();
        ended.expire(&description, DESCRIPTION_KEPT_S).ignore();
        let swept = match storage.vacuum().await {
            Ok(_) => ended.query_async::<()>(&mut redis).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            return error;
        }
    }
}

/// What says that an id is in the backend.
#[derive(Clone)]
struct Pushed {
    redis: ConnectionManager,
    prefix: String,
}

async fn take(job: JobRef, crew: Data<Crew>, pushed: Data<Pushed>) -> Result<(), BoxDynError> {
    let id = JobId(job.id);
    let outcome = handle(job, crew).await;
    // It may be due again, and need not wait for the key to end by itself.
    let forgotten: Result<(), _> = redis::cmd("UNLINK").arg(format!("{}:{id}", pushed.prefix)).query_async(&mut pushed.redis.clone()).await;
    if let Err(error) = forgotten {
        tracing::debug!(%error, job = %id, "an id stays marked as pushed for some seconds");
    }
    outcome
}
