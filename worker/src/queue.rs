//! The queue: apalis executes. Its payload is a job's id; retries, back-off, priority and dead letters are the table's.
//!
//! Two backends, one behaviour: ids wait in this process, or in a Redis where any worker takes them. A backend holds few ids, for it knows no
//! priority; the rest waits in the table. Whatever a backend loses is found there again.

mod in_memory;
mod in_redis;

use crate::Execution;
use crate::context::Context;
use crate::jobs;
use apalis::prelude::{BoxDynError, Data};
use keyvawlt_domain::jobs::JobId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use in_redis::{RedisQueue, RedisUrlError};

/// Before a queue that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Where ids wait for execution.
#[derive(Clone, Debug, Default)]
pub enum Queue {
    /// In this process.
    #[default]
    Memory,
    /// In a Redis, for all workers.
    Redis(Box<RedisQueue>),
}

impl Queue {
    /// `memory`, or a Redis' URL.
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        if text == "memory" { Ok(Self::Memory) } else { Ok(Self::Redis(Box::new(RedisQueue::parse(text)?))) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct JobRef {
    id: [u8; 16],
}

/// Where ids are pushed.
#[derive(Clone, Debug)]
pub(crate) enum Push {
    Memory(in_memory::Push),
    Redis(Box<in_redis::Push>),
}

impl Push {
    /// How many ids the backend takes now.
    pub(crate) async fn room(&self) -> Result<u64, QueueError> {
        match self {
            Self::Memory(push) => Ok(push.room()),
            Self::Redis(push) => push.room().await,
        }
    }

    /// Pushes ids, the most urgent first, but those that the backend has.
    pub(crate) async fn push(&self, ids: &[JobId]) -> Result<(), QueueError> {
        match self {
            Self::Memory(push) => {
                push.push(ids);
                Ok(())
            }
            Self::Redis(push) => push.push(ids).await,
        }
    }
}

/// Why ids cannot be pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    /// Redis does not answer as it should.
    #[error("the queue's Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// apalis could not push.
    #[error("the queue: {0}")]
    Apalis(#[from] apalis_redis::Error),
}

/// Starts executing.
pub(crate) fn start(execution: &Execution, context: &Arc<Context>, tasks: &TaskTracker, stop: &CancellationToken) -> Push {
    let concurrency = execution.concurrency.max(1);
    let crew = Crew { context: Arc::clone(context), concurrency, tasks: tasks.clone(), stop: stop.clone() };
    match &execution.queue {
        Queue::Memory => Push::Memory(in_memory::start(crew)),
        Queue::Redis(queue) => Push::Redis(Box::new(in_redis::start(queue, crew))),
    }
}

/// What executes.
#[derive(Clone)]
struct Crew {
    context: Arc<Context>,
    concurrency: usize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Crew {
    /// apalis refuses a name that it saw a moment ago.
    fn name(&self, start: u64) -> String {
        format!("{}-{start}", self.context.name)
    }

    /// apalis ends a worker for good at the first error of its backend. Says whether another one takes over, and waits a little before that.
    async fn goes_on(&self, outcome: Result<(), BoxDynError>) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        let error = outcome.err().map_or_else(String::new, |error| error.to_string());
        tracing::error!(error, "the queue ended; it starts again");
        // What it held is in the table still.
        self.context.put_down_all();
        tokio::time::sleep(RESTART_AFTER).await;
        true
    }

    async fn stopped(self) -> std::io::Result<()> {
        self.stop.cancelled().await;
        Ok(())
    }
}

/// In a task of its own: apalis drops what it executes when its backend fails, and a mail half sent is sent twice.
async fn handle(job: JobRef, crew: Data<Crew>) -> Result<(), BoxDynError> {
    let (id, context) = (JobId(job.id), Arc::clone(&crew.context));
    let run = async move {
        jobs::run(&context, id).await;
        context.put_down(id);
    };
    Ok(crew.tasks.spawn(run).await?)
}
