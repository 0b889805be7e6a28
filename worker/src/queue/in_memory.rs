//! Ids wait in this process.
//!
//! apalis' own memory sink must not be shared with a polling worker, so tasks travel through a bounded channel and the worker only reads.

use super::{Crew, JobRef, handle};
use apalis::prelude::{BoxDynError, Data, Task, TaskBuilder, TaskId, WorkerBuilder};
use apalis_core::backend::memory::{MemorySink, MemoryStorage, MemoryStorageError};
use futures::channel::mpsc;
use futures::{Sink, SinkExt, StreamExt};
use keyvawlt_domain::jobs::JobId;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Ids in this process for each that may run: a few rounds, so that nothing urgent waits behind many.
const ROUNDS: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Push {
    ids: Sender<JobId>,
    context: Arc<crate::context::Context>,
    capacity: usize,
}

impl Push {
    pub(super) fn room(&self) -> u64 {
        // Together with what runs: it looks the same from the table until it is claimed.
        if self.context.carried() < self.capacity { self.capacity as u64 } else { 0 }
    }

    pub(super) fn push(&self, ids: &[JobId]) {
        for id in ids {
            if self.context.pick_up(*id) && self.ids.try_send(*id).is_err() {
                // Full, or the process ends; the relay looks again.
                self.context.put_down(*id);
                return;
            }
        }
    }
}

pub(super) fn start(crew: Crew) -> Push {
    let capacity = crew.concurrency * ROUNDS;
    let (push, ids) = channel(capacity);
    let context = Arc::clone(&crew.context);
    crew.tasks.clone().spawn(supervise(crew, ids));
    Push { ids: push, context, capacity }
}

async fn supervise(crew: Crew, mut ids: Receiver<JobId>) {
    for start in 0.. {
        let outcome = work(&crew, crew.name(start), &mut ids).await;
        if !crew.goes_on(outcome).await {
            return;
        }
    }
}

async fn work(crew: &Crew, name: String, ids: &mut Receiver<JobId>) -> Result<(), BoxDynError> {
    let (mut tasks, receiver) = mpsc::channel::<Task<JobRef>>(0);
    // apalis takes whatever it is given at once: it is given no more than may run.
    let room = Arc::new(Semaphore::new(crew.concurrency));
    let worker = WorkerBuilder::new(name).backend(reading(receiver)).data(crew.clone()).data(Arc::clone(&room)).build(take);
    let running = worker.run_until(crew.clone().stopped());
    let feeding = async {
        while let (Ok(permit), Some(id)) = (room.acquire().await, ids.recv().await) {
            permit.forget();
            let task = TaskBuilder::new(JobRef { id: id.0 }).task_id(TaskId::from_string(id.to_string())).build();
            if tasks.send(task).await.is_err() {
                crew.context.put_down(id);
                break;
            }
        }
    };
    tokio::pin!(running);
    tokio::select! {
        outcome = &mut running => Ok(outcome?),
        () = feeding => Ok(running.await?),
    }
}

fn reading(receiver: mpsc::Receiver<Task<JobRef>>) -> MemoryStorage<JobRef> {
    type Nowhere = Box<dyn Sink<Task<JobRef>, Error = MemoryStorageError> + Send + Sync + Unpin>;
    let nowhere: Nowhere = Box::new(futures::sink::drain().sink_map_err(|never| match never {}));
    MemoryStorage::new_with(MemorySink::new(Arc::new(futures::lock::Mutex::new(nowhere))), receiver.boxed())
}

async fn take(job: JobRef, crew: Data<Crew>, room: Data<Arc<Semaphore>>) -> Result<(), BoxDynError> {
    let outcome = handle(job, crew).await;
    room.add_permits(1);
    outcome
}
