//! What a large team costs: removing somebody from many environments, a new key for a thousand readers, checking signatures, and the memory
//! of a client that holds a full environment.
//!
//! Signatures are checked one by one: ed25519-dalek's batch check is not the strict one of the protocol (it accepts what strict verification
//! refuses, keys and points of small order among them), and one statement accepted by some clients and refused by others would split them.

use crate::page::{megabytes, ms};
use crate::program::own_cpu;
use crate::scene::{DEVELOPMENT, Person, admit, secrets};
use anyhow::{Context as _, Result, ensure};
use keyvawlt_client::ledger::bundle::kind;
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::ledger::{Domain, NsId};
use keyvawlt_client::{Client, Clock, MachineToken, Options, StateDir, Vault};
use keyvawlt_crypto::Identity;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Environments that somebody is removed from.
const ENVIRONMENTS: usize = 50;
/// Readers of each.
const READERS: usize = 100;
/// Readers of one environment, its author among them: the protocol's limit.
const MOST_READERS: usize = 1_000;
/// Secrets of one environment: the protocol's limit.
const MOST_SECRETS: usize = 50_000;
/// Statements whose signatures are checked.
const STATEMENTS: usize = 10_000;
/// The argument with which this program becomes a client whose memory is looked at.
pub const HOLD: &str = "--hold";

/// Everything measured.
pub struct Team {
    removal: Removed,
    epoch: Removed,
    /// Checking [`STATEMENTS`] signatures.
    signatures: Duration,
    memory: Memory,
}

/// A removal.
struct Removed {
    took: Duration,
    cpu: Duration,
    bytes: usize,
    rekeyed: usize,
}

/// Resident memory of a client that holds [`MOST_SECRETS`].
struct Memory {
    /// Before anything is read.
    bare: u64,
    /// After everything was read from the server, and listed.
    cold: u64,
    /// After everything was read from this machine's files, and listed.
    warm: u64,
}

/// Measures all of it.
pub async fn measure(person: &mut Person, folder: &Path) -> Result<Team> {
    let removal = removal(person, "removal", ENVIRONMENTS, READERS).await?;
    let epoch = removal_from_one(person).await?;
    let signatures = signatures()?;
    let memory = memory(person, folder).await?;
    Ok(Team { removal, epoch, signatures, memory })
}

async fn removal_from_one(person: &mut Person) -> Result<Removed> {
    removal(person, "epoch", 1, MOST_READERS).await
}

/// Environments of so many readers, the author and machines; one of those is removed from all.
async fn removal(person: &mut Person, name: &str, environments: usize, readers: usize) -> Result<Removed> {
    let mut vault = person.found(name).await?;
    let names: Vec<String> = (0..environments).map(|n| format!("environment-{n}")).collect();
    let all: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), DEVELOPMENT)).collect();
    let environments = vault.create_project("agents", &all).await?;
    let mut last = None;
    for _ in 1..readers {
        last = Some(admit(&mut vault, &environments, permission::READ).await?.identity().id());
    }
    let leaving = [last.context("a reader")?];
    let (_, bytes) = vault.rehearse_offboarding(&leaving).await?;
    let (began, cpu) = (Instant::now(), own_cpu()?);
    let removal = vault.remove_member(&leaving[0]).await?;
    let (took, cpu) = (began.elapsed(), own_cpu()?.saturating_sub(cpu));
    ensure!(removal.rekeyed.len() == environments.len() && removal.owed.is_empty(), "every environment has a new key");
    Ok(Removed { took, cpu, bytes, rekeyed: removal.rekeyed.len() })
}

fn signatures() -> Result<Duration> {
    let author = Identity::make(kind::PERSON, Clock::System.now_ms(), &mut rand::rng());
    let statements: Vec<_> = (0..STATEMENTS).map(|n| author.sign(Domain::OrgLink, format!("{n:0400}").into_bytes())).collect();
    let sign_pk = author.bundle().sign_pk;
    let cpu = own_cpu()?;
    for statement in &statements {
        statement.verify(&sign_pk, Domain::OrgLink)?;
    }
    Ok(own_cpu()?.saturating_sub(cpu))
}

async fn memory(person: &mut Person, folder: &Path) -> Result<Memory> {
    let mut vault = person.found("memory").await?;
    vault.create_project("agents", &[("development", DEVELOPMENT)]).await?;
    let environment = vault.environment("agents", "development")?.ns_id;
    vault.write(&environment, &secrets(MOST_SECRETS)).await?;
    let token = admit(&mut vault, &[environment], permission::READ).await?;
    drop(vault);
    let (token_file, state) = (folder.join("hold.token"), folder.join("hold"));
    std::fs::write(&token_file, token.encode()?.as_bytes())?;
    let held = || -> Result<Vec<u64>> {
        let output = Command::new(std::env::current_exe()?).arg(HOLD).arg(&token_file).arg(&state).output()?;
        ensure!(output.status.success(), "the client ended: {}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout)?;
        Ok(told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    };
    let (cold, warm) = (held()?, held()?);
    let told = |said: &[u64], nth: usize| said.get(nth).copied().context("two numbers");
    Ok(Memory { bare: told(&cold, 0)?, cold: told(&cold, 1)?, warm: told(&warm, 1)? })
}

/// A client that opens and lists what its token lets it read, and says how much memory is resident before and after.
pub async fn hold(token_file: &str, state: &str) -> Result<()> {
    let token = MachineToken::parse(std::fs::read_to_string(token_file)?.trim())?;
    let client = Client::new(&token.origin, Options::default())?;
    let state = StateDir::open(state)?;
    let bare = resident()?;
    let vault = client.machine(&token, &state).await?;
    let listed = list(&vault)?;
    println!("{bare} {}", resident()?);
    ensure!(listed == MOST_SECRETS, "{listed} secrets are held");
    Ok(())
}

fn list(vault: &Vault) -> Result<usize> {
    let environments: Vec<NsId> = vault.environments()?.iter().map(|environment| environment.ns_id).collect();
    let mut listed = 0;
    for environment in environments {
        listed += vault.list(&environment)?.len();
    }
    Ok(listed)
}

/// Resident memory of this process, bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

impl Team {
    /// The section of the page.
    pub fn page(&self) -> Result<String> {
        let mut page = String::from("## A large team\n\n| | |\n|---|--:|\n");
        for (what, removed) in [
            (format!("remove a reader of {ENVIRONMENTS} environments with {READERS} readers each"), &self.removal),
            (format!("remove a reader of one environment with {MOST_READERS}"), &self.epoch),
        ] {
            let Removed { took, cpu, bytes, rekeyed } = removed;
            let keys = if *rekeyed == 1 { "1 new key".to_owned() } else { format!("{rekeyed} new keys") };
            writeln!(page, "| {what}: {keys}, sent and committed | {} (CPU {}) |", ms(*took), ms(*cpu))?;
            writeln!(page, "| the same in bytes | {:.2} MB |", megabytes(*bytes as u64))?;
        }
        let rate = STATEMENTS as f64 / self.signatures.as_secs_f64();
        writeln!(page, "| signatures checked one by one, per second of CPU | {rate:.0} |")?;
        let Memory { bare, cold, warm } = &self.memory;
        writeln!(page, "| memory of a client before it opens anything | {:.1} MB |", megabytes(*bare))?;
        writeln!(page, "| after it read and listed {MOST_SECRETS} secrets from the server | {:.1} MB |", megabytes(*cold))?;
        writeln!(page, "| after it listed them from this machine's files | {:.1} MB |", megabytes(*warm))?;
        writeln!(
            page,
            "\nSignatures are checked one by one, also of long chains: the batch check of ed25519-dalek accepts some that strict verification refuses.\n"
        )?;
        Ok(page)
    }
}
