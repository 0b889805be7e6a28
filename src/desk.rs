//! `keyvawlt-server check` and `keyvawlt-server jobs`: what the operator asks of the store, past a server that may be running.

use crate::arguments::{JobsCommand, Listing};
use keyvawlt_domain::jobs::JobId;
use keyvawlt_domain::jobs::desk::{self, Listed};
use keyvawlt_domain::store::Tables;
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_server::config::Config;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Says how the store is; an error when it cannot be used.
pub(crate) async fn check(config: &Config, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    write!(out, "{}", config.effective()?)?;
    let said = match Store::look(&config.store_url()?).await? {
        Tables::Missing => "the store is not there yet; the first start makes it".to_owned(),
        Tables::Behind(missing) => format!("the store opens; the next start brings its tables up to date ({})", missing.join(", ")),
        Tables::Current => "the store opens, and its tables are up to date".to_owned(),
    };
    // Everything before it can be used as a file of settings, and so can this.
    writeln!(out, "\n# {said}")?;
    Ok(ExitCode::SUCCESS)
}

/// Lists jobs, or changes some.
pub(crate) async fn jobs(config: &Config, command: &JobsCommand, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let url = config.store_url()?;
    // Tables are made and changed by a server, and not in passing.
    anyhow::ensure!(Store::look(&url).await? == Tables::Current, "the store was not made by this version: start the server first");
    let store = Store::open(&url, Clock::System, Random::System).await?;
    let done = match command {
        JobsCommand::List(listing) => list(&store, listing, out).await,
        JobsCommand::Retry(ids) => change(&store, ids, Change::RunAgain, out).await,
        JobsCommand::Discard(ids) => change(&store, ids, Change::Discard, out).await,
    };
    store.close().await?;
    done
}

async fn list(store: &Store, listing: &Listing, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let tx = store.read().await?;
    let page = desk::list(&tx, listing.state, listing.before, listing.limit).await?;
    tx.commit().await?;
    for job in &page {
        let line = if listing.json { as_json(job).to_string() } else { as_text(job) };
        writeln!(out, "{line}")?;
    }
    if let Some(last) = page.last().filter(|_| page.len() as u64 == listing.limit) {
        writeln!(std::io::stderr(), "There may be more: --before {}", last.id)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    RunAgain,
    Discard,
}

/// All of them or none: one that cannot be changed stops the rest.
async fn change(store: &Store, ids: &[JobId], change: Change, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let tx = store.write().await?;
    for id in ids {
        let changed = match change {
            Change::RunAgain => desk::run_again(&tx, *id).await?,
            Change::Discard => desk::discard(&tx, *id).await?,
        };
        anyhow::ensure!(changed, "{id}: there is no such job that was given up or waits; nothing was changed");
    }
    tx.commit().await?;
    let what = if change == Change::RunAgain { "due now" } else { "discarded" };
    for id in ids {
        writeln!(out, "{id} {what}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(job: &Listed) -> String {
    let when = match job.finished_at_ms {
        Some(at) => format!("ended {}", moment(at)),
        None => format!("due {}", moment(job.run_at_ms)),
    };
    let tries = format!("{} tries, {} failed, {} crashed", job.attempts, job.failures, job.crashes);
    let worker = job.leased_by.as_ref().map_or_else(String::new, |name| format!("  at {name}"));
    let error = job.last_error.as_ref().map_or_else(String::new, |error| format!("  {}", one_line(error)));
    format!("{}  {:<16} {:<8}  {when}  {tries}{worker}{error}", job.id, job.kind, job.state.name())
}

fn as_json(job: &Listed) -> Value {
    json!({
        "id": job.id.to_string(), "kind": job.kind, "state": job.state.name(), "payload": payload(job),
        "attempts": job.attempts, "failures": job.failures, "crashes": job.crashes,
        "run_at": moment(job.run_at_ms), "created_at": moment(job.created_at_ms), "finished_at": job.finished_at_ms.map(moment),
        "worker": job.leased_by, "last_error": job.last_error,
    })
}

/// A newer program's may be no JSON.
fn payload(job: &Listed) -> Value {
    serde_json::from_str(&job.payload).unwrap_or_else(|_| job.payload.as_str().into())
}

/// What a mail server said may hold anything.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn moment(at_ms: u64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    moment.ok().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| at_ms.to_string())
}
