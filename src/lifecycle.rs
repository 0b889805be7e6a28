//! From the first signal to the end: no new calls, running ones answered, events and jobs written, the store closed.

use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long running calls and jobs may take to end: less than the ten seconds after which service managers kill.
pub const DEADLINE: Duration = Duration::from_secs(8);

/// Ends at SIGTERM or SIGINT, and returns the signal's name.
pub fn signalled() -> std::io::Result<impl Future<Output = &'static str>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Stops all tasks and waits for them; says whether they ended in time.
pub async fn stop(tasks: &TaskTracker, stop: &CancellationToken) -> bool {
    stop.cancel();
    tasks.close();
    tokio::time::timeout(DEADLINE, tasks.wait()).await.is_ok()
}
