//! What a notice costs on its way out: rows that are due, in the store of the real server, become mails at a mail server on this machine.
//!
//! A message goes to one person of one organization, so there are many; notices are raised past the server's door, as its own
//! sweeps raise them, one for each organization and round, and a round ends with its last mail. Relay, queue, claim, reload, words, mail and record
//! are all in it.

use crate::page::{megabytes, ms};
use crate::program::{Programs, Server};
use crate::scene::{Ending, PATIENCE, ending, settle};
use crate::sink::Sink;
use anyhow::{Result, ensure};
use keyvawlt_domain::notices::{self, Audience, Notice, Topic};
use keyvawlt_domain::{Random, Store};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Organizations, and so mails of one round.
const ORGANIZATIONS: usize = 1000;
/// Notices raised in one transaction, as a scan raises them.
const PER_TRANSACTION: usize = 250;
/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(5);
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Between the thresholds of three days and of one.
const ENDS_IN_MS: u64 = 2 * DAY_MS;
const THRESHOLD_DAYS: u16 = 3;

/// What was measured.
pub struct Mailed {
    mails: u64,
    bytes: u64,
    connections: u64,
    took: Duration,
    cpu: Duration,
    resident_before: u64,
    peak: u64,
}

impl Mailed {
    pub fn page(&self) -> Result<String> {
        let mut page = String::new();
        let rate = self.mails as f64 / self.took.as_secs_f64();
        writeln!(page, "| {} notices, each a mail of {} bytes | |\n|---|--:|", self.mails, self.bytes / self.mails.max(1))?;
        writeln!(page, "| rate | {rate:.0} per second |")?;
        writeln!(page, "| processor time of the server, each | {} |", ms(self.cpu / u32::try_from(self.mails)?))?;
        writeln!(
            page,
            "| memory of the server before, and at most | {:.1} MB, {:.1} MB |",
            megabytes(self.resident_before),
            megabytes(self.peak)
        )?;
        writeln!(page, "| connections to the mail server | {} |", self.connections)?;
        Ok(page)
    }
}

/// Sends so many mails, rounded up to whole rounds.
pub async fn measure(programs: &Programs, mails: u64, folder: &Path) -> Result<Mailed> {
    let data = folder.join("data");
    let organizations = usize::try_from(mails)?.clamp(1, ORGANIZATIONS);
    // The notices that this causes by itself are files.
    let secrets = ending(&Server::start(programs, &data)?, &data, folder, organizations, ENDS_IN_MS).await?;
    let sink = Sink::start().await?;
    let url = format!("smtp://{}", sink.address);
    let server =
        Server::start_with(programs, &data, &[("KEYVAWLT_SERVER__WORKER__MAIL", &url), ("KEYVAWLT_SERVER__WORKER__CONCURRENCY", "16")])?;
    let store =
        Store::open(&format!("sqlite://{}", data.join("vault.db").display()), keyvawlt_domain::Clock::System, Random::System).await?;
    settle(&store).await?;

    let (already, bytes, resident_before, cpu) = (sink.mails(), sink.bytes(), server.resident()?, server.cpu()?);
    let began = Instant::now();
    for round in 0..mails.div_ceil(secrets.len() as u64) {
        raise(&store, &secrets, round).await?;
        wait(&sink, already + (round + 1) * secrets.len() as u64).await?;
    }
    let took = began.elapsed();
    settle(&store).await?;
    store.close().await?;
    Ok(Mailed {
        mails: sink.mails() - already,
        bytes: sink.bytes() - bytes,
        connections: sink.connections(),
        took,
        cpu: server.cpu()?.saturating_sub(cpu),
        resident_before,
        peak: server.peak()?,
    })
}

async fn raise(store: &Store, secrets: &[Ending], round: u64) -> Result<()> {
    for some in secrets.chunks(PER_TRANSACTION) {
        let tx = store.write().await?;
        for Ending { org, ns, secret, reader } in some {
            let topic = Topic::Expiry { ns: *ns, secret: *secret, version: 1, threshold_days: THRESHOLD_DAYS };
            let notice =
                Notice { org: *org, topic, audience: Audience::People(vec![*reader]), key: format!("bench/{round}"), urgent: true };
            notices::raise(&tx, &notice).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn wait(sink: &Sink, mails: u64) -> Result<()> {
    let (mut seen, mut since) = (sink.mails(), Instant::now());
    while seen < mails {
        tokio::time::sleep(LOOK).await;
        let now = sink.mails();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < PATIENCE, "{seen} of {mails} mails arrived");
    }
    Ok(())
}
