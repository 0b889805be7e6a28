//! What a notice costs on its way out: rows that are due, in the store of the real server, become mails at a mail server on this machine.
//!
//! One person founds organizations, for a message goes to one person of one organization; notices are raised past the server's door, as its own
//! sweeps raise them, one for each organization and round, and a round ends with its last mail. Relay, queue, claim, reload, words, mail and record
//! are all in it.

use crate::page::{megabytes, ms};
use crate::program::{Programs, Server};
use crate::scene::{DEVELOPMENT, PATIENCE, Person, settle};
use crate::sink::Sink;
use anyhow::{Context as _, Result, ensure};
use keyvawlt_client::ledger::{NsId, OrgId, SecretId};
use keyvawlt_client::{Clock, FactsInput, SecretWrite};
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
    let secrets = prepare(programs, &data, usize::try_from(mails)?.clamp(1, ORGANIZATIONS), folder).await?;
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

/// A secret that ends in two days, where the bench's person reads it.
struct Ending {
    org: OrgId,
    ns: NsId,
    secret: SecretId,
    reader: keyvawlt_client::ledger::IdentityId,
}

/// Organizations with such a secret each, founded by one person with a proved address. The notices that this causes by itself are files.
async fn prepare(programs: &Programs, data: &Path, organizations: usize, folder: &Path) -> Result<Vec<Ending>> {
    let server = Server::start(programs, data)?;
    let mut person = Person::sign_up(&server.origin, folder.join("person")).await?;
    person.prove_address(&data.join("outbox")).await?;
    let reader = person.account.identity().id();
    let mut secrets = Vec::new();
    for nth in 0..organizations {
        let mut vault = person.found(&format!("org-{nth}")).await?;
        let ns = vault.create_project("shop", &[("development", DEVELOPMENT)]).await?[0];
        let ends = FactsInput {
            expires_ms: Some(Clock::System.now_ms() + ENDS_IN_MS),
            label: Some(format!("Key {nth}")),
            ..FactsInput::default()
        };
        vault.write(&ns, &[SecretWrite { facts: Some(ends), ..SecretWrite::new("KEY", "value") }]).await?;
        let secret = vault.list(&ns)?.first().context("the secret")?.secret_id;
        secrets.push(Ending { org: vault.org_id(), ns, secret, reader });
    }
    Ok(secrets)
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
