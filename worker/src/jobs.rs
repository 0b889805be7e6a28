//! Running a job: claim it, do it within its time and behind a guard, write down how it ended. One file per job.

mod email_code;
mod expiry_alert;
mod expiry_scan;
mod expiry_sweep;
mod prune;

use crate::context::Context;
use crate::mailer::MailerError;
use futures::FutureExt as _;
use keyvawlt_domain::jobs::{self, Claim, Job, JobId};
use keyvawlt_domain::{Error, Result};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// The longest a job may take: a slow mail server answers within it.
const TIME_LIMIT: Duration = Duration::from_secs(40);
/// A lease outlives the job's time limit, so that two workers have one job only when a clock is wrong.
const LEASE_MS: u64 = 60_000;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Done, or no longer needed.
    Done,
    /// Worth another try.
    Retry(String),
    /// No later attempt could succeed.
    GiveUp(String),
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

impl From<MailerError> for Outcome {
    fn from(error: MailerError) -> Self {
        if error.is_permanent() { Self::GiveUp(error.to_string()) } else { Self::Retry(error.to_string()) }
    }
}

/// Runs one job from claim to ending. Never fails: what cannot be written down now is found again when the lease ends.
pub(crate) async fn run(context: &Context, id: JobId) {
    let claim = match claim(context, id).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%error, job = %id, "a job could not be claimed"),
    };
    let work = AssertUnwindSafe(act(context, &claim)).catch_unwind();
    let outcome = match tokio::time::timeout(TIME_LIMIT, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Retry("it panicked".to_owned()),
        Err(_) => Outcome::Retry("it took too long".to_owned()),
    };
    match write_down(context, &claim, &outcome).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = %id, "a job's lease ended before the job did"),
        Err(error) => tracing::warn!(%error, job = %id, "a job's ending could not be written down"),
    }
}

async fn act(context: &Context, claim: &Claim) -> Outcome {
    match &claim.job {
        Job::EmailCode { account } => email_code::run(context, claim, account).await,
        Job::ExpirySweep => expiry_sweep::run(context).await,
        Job::ExpiryScan { org, ns } => expiry_scan::run(context, *org, *ns).await,
        Job::ExpiryAlert { org, ns, secret, version, recipient } => {
            expiry_alert::run(context, expiry_alert::About { org, ns, secret, version: *version, recipient }).await
        }
        Job::Prune => prune::run(context).await,
    }
}

async fn claim(context: &Context, id: JobId) -> Result<Option<Claim>> {
    let tx = context.store.write().await?;
    let claim = jobs::claim(&tx, id, &context.name, LEASE_MS).await?;
    tx.commit().await?;
    Ok(claim)
}

async fn write_down(context: &Context, claim: &Claim, outcome: &Outcome) -> Result<bool> {
    let (kind, attempt) = (claim.job.kind(), claim.attempt);
    let tx = context.store.write().await?;
    let mine = match outcome {
        Outcome::Done => jobs::finish(&tx, claim).await?,
        Outcome::Retry(why) => {
            tracing::warn!(job = %claim.id, kind, attempt, why, "a job failed and is tried again");
            jobs::retry(&tx, claim, why).await?
        }
        Outcome::GiveUp(why) => {
            tracing::error!(job = %claim.id, kind, attempt, why, "a job was given up");
            jobs::give_up(&tx, claim, why).await?
        }
    };
    tx.commit().await?;
    Ok(mine)
}
