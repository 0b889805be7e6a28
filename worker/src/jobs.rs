//! Running a job: claim it, do it within its time and behind a guard, write down how it ended. One file per job.

mod channel_code;
mod deliver;
mod email_code;
mod expiry_scan;
mod expiry_sweep;
mod key_health_sweep;
mod monthly_digest;
mod prune;
mod rotation_sweep;
mod work_owed;

use crate::channels::Reception;
use crate::context::Context;
use futures::FutureExt as _;
use keyvawlt_domain::jobs::{self, Claim, Job, JobId};
use keyvawlt_domain::{Error, Result};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_millis(jobs::LEASE_MS);
/// Some renewals may fail before the lease is lost.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// What runs when the process stops may go on for so long; then it is given back. The process waits a little longer than that.
const GRACE: Duration = Duration::from_secs(5);
/// An ending that the store does not take is offered again as long as the lease holds: a mail that was sent is not sent twice for a store that
/// was away for some seconds.
const ENDING_OFFERS: u32 = 12;
const OFFER_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Done, or no longer needed.
    Done,
    /// Worth another try.
    Retry(String),
    /// Worth another try, when the time is over that the other side asked for.
    RetryAfter(String, Duration),
    /// Not begun, for there is no place for it now: no failure.
    PutOff(Duration),
    /// No later attempt could succeed.
    GiveUp(String),
    /// Broken off, for this process stops: somebody else does it.
    GiveBack,
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => error.into(),
        }
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match &error {
            // Its display hides the source on purpose; a job's row is for operators.
            Error::Internal(source) => Self::Retry(format!("internal error: {source}")),
            _ => Self::Retry(error.to_string()),
        }
    }
}

impl From<Reception> for Outcome {
    fn from(reception: Reception) -> Self {
        match reception {
            Reception::Taken | Reception::TakenPlainly { .. } => Self::Done,
            Reception::Later { why, wait: Some(wait) } => Self::RetryAfter(why, wait),
            Reception::Later { why, wait: None } => Self::Retry(why),
            Reception::Refused { why } | Reception::Closed { why } => Self::GiveUp(why),
        }
    }
}

/// Runs one job from claim to ending. Never fails: what cannot be written down now is found again when the lease ends.
pub(crate) async fn run(context: &Context, id: JobId) {
    if context.stop.is_cancelled() {
        return;
    }
    let asked = Instant::now();
    let claim = match claim(context, id).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%error, job = %id, "a job could not be claimed"),
    };
    let Some(outcome) = attend(context, &claim, asked).await else {
        return tracing::warn!(job = %id, "a job was broken off, for its lease ended");
    };
    match offer(context, || write_down(context, &claim, &outcome)).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = %id, "a job's lease ended before the job did"),
        Err(error) => tracing::warn!(%error, job = %id, "a job's ending could not be written down"),
    }
}

/// Does the job within its time and behind a guard; nothing when it is no longer this worker's, who asked for it at that moment.
async fn attend(context: &Context, claim: &Claim, asked: Instant) -> Option<Outcome> {
    let limit = Duration::from_secs(claim.job.kind().time_limit_s);
    let work = AssertUnwindSafe(act(context, claim)).catch_unwind();
    tokio::select! {
        ended = tokio::time::timeout(limit, work) => Some(match ended {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::Retry("it panicked".to_owned()),
            Err(_) => Outcome::Retry("it took too long".to_owned()),
        }),
        () = hold(LEASE, RENEW_EVERY, asked, || renew(context, claim)) => None,
        () = run_out_of_time(context) => Some(Outcome::GiveBack),
    }
}

/// Renews a lease that was asked for then; returns when somebody else has the job, or may have it: the lease ends for others also when the store cannot
/// be told that it is held.
async fn hold<R: Future<Output = Result<bool>>>(lease: Duration, every: Duration, mut asked: Instant, renew: impl Fn() -> R) {
    loop {
        let until = asked + lease;
        tokio::time::sleep_until(until.min(Instant::now() + every)).await;
        let now = Instant::now();
        if now >= until {
            return;
        }
        match tokio::time::timeout_at(until, renew()).await {
            Ok(Ok(true)) => asked = now,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => tracing::warn!(%error, "a job's lease could not be renewed"),
        }
    }
}

async fn run_out_of_time(context: &Context) {
    context.stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

async fn act(context: &Context, claim: &Claim) -> Outcome {
    match &claim.job {
        Job::EmailCode { account } => email_code::run(context, claim, account).await,
        Job::ChannelCode { org, channel } => channel_code::run(context, claim, org, channel).await,
        Job::ExpirySweep => expiry_sweep::run(context).await,
        Job::ExpiryScan { org, ns } => expiry_scan::run(context, *org, *ns).await,
        Job::Deliver { org, delivery } => deliver::run(context, org, delivery).await,
        Job::KeyHealthSweep => key_health_sweep::run(context).await,
        Job::RotationSweep => rotation_sweep::run(context).await,
        Job::WorkOwed { org, ns, epoch, at_ms } => work_owed::run(context, (*org, *ns), *epoch, *at_ms).await,
        Job::MonthlyDigest { month, after } => monthly_digest::run(context, *month, *after).await,
        Job::Prune => prune::run(context).await,
    }
}

async fn claim(context: &Context, id: JobId) -> Result<Option<Claim>> {
    let tx = context.store.write().await?;
    let claim = jobs::claim(&tx, id, &context.name).await?;
    tx.commit().await?;
    Ok(claim)
}

async fn renew(context: &Context, claim: &Claim) -> Result<bool> {
    let tx = context.store.write().await?;
    let mine = jobs::renew(&tx, claim).await?;
    tx.commit().await?;
    Ok(mine)
}

/// Writes down how something ended, again and again while the store does not take it.
async fn offer<T, W: Future<Output = Result<T>>>(context: &Context, write: impl Fn() -> W) -> Result<T> {
    let mut offers = 1;
    loop {
        match write().await {
            Err(error) if offers < ENDING_OFFERS && !context.stop.is_cancelled() => {
                tracing::warn!(%error, "the store does not take a job's ending; it is offered again");
                tokio::time::sleep(OFFER_AGAIN_AFTER).await;
                offers += 1;
            }
            written => return written,
        }
    }
}

async fn write_down(context: &Context, claim: &Claim, outcome: &Outcome) -> Result<bool> {
    let (kind, attempt) = (claim.job.kind().name, claim.attempt);
    let tx = context.store.write().await?;
    let mine = match outcome {
        Outcome::Done => jobs::finish(&tx, claim).await?,
        Outcome::Retry(why) => {
            tracing::warn!(job = %claim.id, kind, attempt, why, "a job failed and is tried again");
            jobs::retry(&tx, claim, why).await?
        }
        Outcome::RetryAfter(why, wait) => {
            tracing::warn!(job = %claim.id, kind, attempt, why, ?wait, "a job was put off and is tried again");
            jobs::retry_after(&tx, claim, why, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)).await?
        }
        Outcome::PutOff(wait) => jobs::put_off(&tx, claim, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)).await?,
        Outcome::GiveUp(why) => {
            tracing::error!(job = %claim.id, kind, attempt, why, "a job was given up");
            jobs::give_up(&tx, claim, why).await?
        }
        Outcome::GiveBack => jobs::give_back(&tx, claim).await?,
    };
    tx.commit().await?;
    Ok(mine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Long beside one renewal, on a busy machine.
    const LEASE: Duration = Duration::from_secs(1);
    const EVERY: Duration = Duration::from_millis(20);
    /// More than any of it takes by itself, on a busy machine.
    const LONG: Duration = Duration::from_secs(20);

    /// How long a lease was held whose renewals end like that.
    async fn held<R: Future<Output = Result<bool>>>(renew: impl Fn(u32) -> R) -> (Duration, u32) {
        let (began, asked) = (Instant::now(), Cell::new(0));
        let renewing = || {
            asked.set(asked.get() + 1);
            renew(asked.get())
        };
        tokio::time::timeout(LONG, hold(LEASE, EVERY, began, renewing)).await.expect("an end");
        (began.elapsed(), asked.get())
    }

    fn unreachable() -> Result<bool> {
        Err(Error::Internal("no store".into()))
    }

    #[tokio::test]
    async fn a_job_is_broken_off_when_somebody_else_has_it() {
        let (_, asked) = held(async |nth| Ok(nth < 3)).await;
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    async fn a_worker_that_cannot_reach_the_store_stops_when_others_may_begin() {
        let (took, asked) = held(async |_| unreachable()).await;
        assert!(took >= LEASE && asked > 1, "{took:?}, {asked}");
        let (took, asked) = held(|_| std::future::pending()).await;
        assert!(took >= LEASE && asked == 1, "{took:?}, {asked}");
    }

    #[tokio::test]
    async fn a_store_that_comes_back_in_time_costs_nothing() {
        let (took, _) = held(async |nth| match nth {
            1..=5 | 7..=11 => unreachable(),
            nth => Ok(nth < 13),
        })
        .await;
        assert!(took >= EVERY * 13, "{took:?}");
    }
}
