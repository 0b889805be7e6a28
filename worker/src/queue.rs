//! The queue: apalis executes, in this process. Its payload is a job's id; retries, back-off and dead letters are the table's.
//!
//! apalis' own memory sink must not be shared with a polling worker, so tasks travel through a bounded channel and the worker only reads.

use crate::context::Context;
use crate::jobs;
use apalis::prelude::{BoxDynError, Data, Task, TaskBuilder, TaskId, WorkerBuilder};
use apalis_core::backend::memory::{MemorySink, MemoryStorage, MemoryStorageError};
use futures::channel::mpsc;
use futures::{Sink, SinkExt, StreamExt};
use keyvawlt_domain::jobs::JobId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Ids waiting in this process; the rest waits in the table.
const WAITING: usize = 64;
/// Before a queue that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct JobRef {
    id: [u8; 16],
}

/// Where ids are pushed.
#[derive(Clone, Debug)]
pub(crate) struct Push(tokio::sync::mpsc::Sender<JobId>);

impl Push {
    /// Waits for room; says whether the queue is there.
    pub(crate) async fn push(&self, id: JobId) -> bool {
        self.0.send(id).await.is_ok()
    }
}

pub(crate) fn start(context: &Arc<Context>, concurrency: usize, tasks: &TaskTracker, stop: &CancellationToken) -> Push {
    let (push, ids) = tokio::sync::mpsc::channel(WAITING);
    tasks.spawn(supervise(Arc::clone(context), concurrency, ids, stop.clone()));
    Push(push)
}

/// apalis ends a worker for good at the first error of its backend: a new one takes over.
async fn supervise(context: Arc<Context>, concurrency: usize, mut ids: tokio::sync::mpsc::Receiver<JobId>, stop: CancellationToken) {
    for start in 0_u64.. {
        let (mut tasks, receiver) = mpsc::channel::<Task<JobRef>>(0);
        // apalis takes whatever it is given at once: it is given no more than may run.
        let room = Arc::new(Semaphore::new(concurrency.max(1)));
        let worker = WorkerBuilder::new(format!("{}-{start}", context.name))
            .backend(reading(receiver))
            .data(Arc::clone(&context))
            .data(Arc::clone(&room))
            .build(handle);
        let stopped = stop.clone();
        let running = worker.run_until(async move {
            stopped.cancelled().await;
            Ok::<(), std::io::Error>(())
        });
        let feeding = async {
            while let (Ok(permit), Some(id)) = (room.acquire().await, ids.recv().await) {
                permit.forget();
                let task = TaskBuilder::new(JobRef { id: id.0 }).task_id(TaskId::from_string(id.to_string())).build();
                if tasks.send(task).await.is_err() {
                    context.put_down(id);
                    break;
                }
            }
        };
        tokio::pin!(running);
        let outcome = tokio::select! {
            outcome = &mut running => outcome,
            () = feeding => running.await,
        };
        if stop.is_cancelled() {
            return;
        }
        tracing::error!(?outcome, "the queue ended; it starts again");
        // What it held is in the table still.
        context.put_down_all();
        tokio::time::sleep(RESTART_AFTER).await;
    }
}

fn reading(receiver: mpsc::Receiver<Task<JobRef>>) -> MemoryStorage<JobRef> {
    type Nowhere = Box<dyn Sink<Task<JobRef>, Error = MemoryStorageError> + Send + Sync + Unpin>;
    let nowhere: Nowhere = Box::new(futures::sink::drain().sink_map_err(|never| match never {}));
    MemoryStorage::new_with(MemorySink::new(Arc::new(futures::lock::Mutex::new(nowhere))), receiver.boxed())
}

async fn handle(job: JobRef, context: Data<Arc<Context>>, room: Data<Arc<Semaphore>>) -> Result<(), BoxDynError> {
    let id = JobId(job.id);
    jobs::run(&context, id).await;
    context.put_down(id);
    room.add_permits(1);
    Ok(())
}
