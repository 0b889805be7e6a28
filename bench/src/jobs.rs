//! From a committed job row to the job's start: what the way through relay, queue and claim takes, with ids in memory and in a Redis.
//!
//! Each write of a secret that will end writes a job. Its row says when the transaction that wrote it began, and when the one that ended the job
//! began: both ends lie outside of what is asked, so what is shown is more than the start took.

use crate::program::{Programs, Server};
use crate::scene::{DEVELOPMENT, Person};
use anyhow::{Context as _, Result, ensure};
use keyvawlt_client::{Clock, FactsInput, SecretWrite};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes, and jobs.
const WRITES: usize = 500;
/// Between them: a job at a time, as people write.
const PAUSE: Duration = Duration::from_millis(20);
/// The job that such a write makes.
const KIND: &str = "expiry_scan";
/// Ends between two thresholds of alerts: people are spoken to at once, so there is a job.
const ENDS_IN_MS: u64 = 60 * 3600 * 1000;

/// How long jobs waited.
pub struct Waits {
    pub jobs: usize,
    pub median_ms: i128,
    pub p99_ms: i128,
    pub longest_ms: i128,
}

/// Starts a server whose ids wait at `queue`, writes, and reads from the rows how long jobs waited.
pub async fn measure(programs: &Programs, folder: &Path, queue: &str) -> Result<Waits> {
    let data = folder.join("data");
    let server = Server::start_with(programs, &data, &[("KEYVAWLT_SERVER__WORKER__QUEUE", queue)])?;
    let mut person = Person::sign_up(&server.origin, folder.join("person")).await?;
    let mut vault = person.found("jobs").await?;
    let environment = vault.create_project("agents", &[("development", DEVELOPMENT)]).await?[0];
    for n in 0..WRITES {
        let facts = FactsInput { expires_ms: Some(Clock::System.now_ms() + ENDS_IN_MS), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), ..SecretWrite::new(format!("key-{}", n % 20), "value") };
        vault.write(&environment, &[write]).await?;
        tokio::time::sleep(PAUSE).await;
    }
    // The last one's job, too.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut waits = waits(programs, &data)?;
    drop(server);
    ensure!(waits.len() >= WRITES / 2, "{} jobs of {WRITES} writes were done", waits.len());
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    Ok(Waits { jobs: waits.len(), median_ms: at(50), p99_ms: at(99), longest_ms: at(100) })
}

fn waits(programs: &Programs, data: &Path) -> Result<Vec<i128>> {
    let mut list = Command::new(&programs.server);
    list.env("KEYVAWLT_SERVER__DATA", data).args(["jobs", "list", "--state", "done", "--limit", "1000", "--json"]);
    let listed = list.output()?;
    ensure!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let mut waits = Vec::new();
    for line in String::from_utf8(listed.stdout)?.lines() {
        let job: serde_json::Value = serde_json::from_str(line)?;
        let moment = |key: &str| -> Result<OffsetDateTime> { Ok(OffsetDateTime::parse(job[key].as_str().context("a moment")?, &Rfc3339)?) };
        if job["kind"] == KIND {
            waits.push((moment("finished_at")? - moment("created_at")?).whole_milliseconds());
        }
    }
    Ok(waits)
}
