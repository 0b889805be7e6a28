//! What is measured on: organizations founded through the client library, and a machine in each that calls the server directly.

use crate::manifest::Manifest;
use crate::program::Server;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use keyvawlt_client::ledger::assertion::{self, Subject};
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::ledger::{IdentityId, NsId, OrgId, SecretId};
use keyvawlt_client::{Account, Client, Clock, FactsInput, MachineToken, NewMachine, Options, SecretWrite, StateDir, Vault};
use keyvawlt_crypto::Identity;
use keyvawlt_domain::{Store, jobs};
use keyvawlt_proto::v1;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Secrets of a read: what an environment of a real project holds.
pub const SECRETS: usize = 100;
/// Environments whose spans take more than twice of what a server remembers: a hundred secrets take about 100 KB there.
const MANY: usize = 160;
/// Development: many machines may write there.
pub const DEVELOPMENT: u8 = 1;
/// Organizations of one founder: below what a server lets one account create at once.
const FOUNDED_BY_ONE: usize = 40;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// How long nothing may happen before something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(100);

/// A person on this machine.
pub struct Person {
    pub account: Account,
    folder: PathBuf,
}

/// A machine, and what it holds of its organization.
#[derive(Clone)]
pub struct Agent {
    pub identity: Arc<Identity>,
    pub token: Arc<MachineToken>,
    pub org: OrgId,
    pub origin: String,
    pub next_seq: u64,
    /// Each with its newest manifest link.
    pub environments: Vec<(NsId, u64)>,
}

impl Person {
    pub async fn sign_up(origin: &str, folder: PathBuf) -> Result<Self> {
        let client = Client::new(origin, Options::default())?;
        let name = folder.file_name().and_then(|name| name.to_str()).context("a folder of somebody's name")?;
        let new = client.sign_up(&format!("{name}@example.com"), "correct horse battery staple").await?;
        Ok(Self { account: new.account, folder })
    }

    pub fn state(&self, name: &str) -> Result<StateDir> {
        Ok(StateDir::open(self.folder.join(name))?)
    }

    pub async fn found(&mut self, name: &str) -> Result<Vault> {
        let state = self.state(name)?;
        Ok(self.account.found(name, &state).await?)
    }

    /// Proves the address with the code that the server put into its outbox.
    async fn prove_address(&mut self, outbox: &Path) -> Result<()> {
        let name = self.folder.file_name().and_then(|name| name.to_str()).context("a folder of somebody's name")?;
        Ok(self.account.verify_email(&mailed_code(outbox, &format!("{name}@example.com")).await?).await?)
    }
}

/// A secret that ends, where its organization's founder reads it.
pub struct Ending {
    pub org: OrgId,
    pub ns: NsId,
    pub secret: SecretId,
    pub reader: IdentityId,
}

/// Organizations with such a secret each, in an environment of their own. Nobody may found as many as are asked for: several people with proved
/// addresses do.
pub async fn ending(server: &Server, data: &Path, folder: &Path, organizations: usize, ends_in_ms: u64) -> Result<Vec<Ending>> {
    let mut secrets = Vec::with_capacity(organizations);
    let mut person = None;
    for nth in 0..organizations {
        if nth % FOUNDED_BY_ONE == 0 {
            let mut next = Person::sign_up(&server.origin, folder.join(format!("founder-{nth}"))).await?;
            next.prove_address(&data.join("outbox")).await?;
            person = Some(next);
        }
        let person = person.as_mut().context("a founder")?;
        let mut vault = person.found(&format!("org-{nth}")).await?;
        let ns = vault.create_project("shop", &[("development", DEVELOPMENT)]).await?[0];
        let facts = FactsInput {
            expires_ms: Some(Clock::System.now_ms() + ends_in_ms),
            label: Some(format!("Key {nth}")),
            ..FactsInput::default()
        };
        vault.write(&ns, &[SecretWrite { facts: Some(facts), ..SecretWrite::new("KEY", "value") }]).await?;
        let secret = vault.list(&ns)?.first().context("the secret")?.secret_id;
        secrets.push(Ending { org: vault.org_id(), ns, secret, reader: person.account.identity().id() });
    }
    Ok(secrets)
}

async fn mailed_code(outbox: &Path, address: &str) -> Result<String> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let files = std::fs::read_dir(outbox).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "eml")) {
            let text = std::fs::read_to_string(file)?;
            let is_code = |line: &&str| line.len() == 9 && line.split_once('-').is_some_and(|(a, b)| (a.len(), b.len()) == (4, 4));
            if let Some(code) = text.lines().map(str::trim).find(is_code).filter(|_| text.contains(address)) {
                return Ok(code.to_owned());
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("no code was mailed")
}

/// Waits until no job is left but what comes by the hour.
pub async fn settle(store: &Store) -> Result<()> {
    let began = Instant::now();
    loop {
        let tx = store.read().await?;
        let counts = jobs::counts(&tx).await?;
        tx.commit().await?;
        if counts.due == 0 && counts.running == 0 && counts.later == 0 {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "jobs are left: {counts:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// An organization with one environment of a hundred secrets, imported at once or grown one by one, and an agent that reads it.
pub async fn read_scene(person: &mut Person, name: &str, one_by_one: bool) -> Result<Agent> {
    let mut vault = person.found(name).await?;
    vault.create_project("agents", &[("development", DEVELOPMENT)]).await?;
    let environment = vault.environment("agents", "development")?.ns_id;
    let writes = secrets(SECRETS);
    for some in writes.chunks(if one_by_one { 1 } else { SECRETS }) {
        vault.write(&environment, some).await?;
    }
    let mseq = if one_by_one { SECRETS as u64 } else { 1 };
    let token = admit(&mut vault, &[environment], permission::READ).await?;
    agent(&mut vault, token, vec![(environment, mseq)]).await
}

/// An organization with so many environments of a hundred secrets each that a server, which remembers 8 MiB of what it read, has forgotten each
/// one before it is read again.
pub async fn many_scene(person: &mut Person) -> Result<Agent> {
    let mut vault = person.found("many").await?;
    let names: Vec<String> = (0..MANY).map(|n| format!("environment-{n}")).collect();
    let environments: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), DEVELOPMENT)).collect();
    let environments = vault.create_project("agents", &environments).await?;
    for ns in &environments {
        vault.write(ns, &secrets(SECRETS)).await?;
    }
    let token = admit(&mut vault, &environments, permission::READ).await?;
    agent(&mut vault, token, environments.iter().map(|ns| (*ns, 1)).collect()).await
}

/// An organization with an environment per writer, and an agent that may write in all.
pub async fn write_scene(person: &mut Person, writers: usize) -> Result<(Agent, Vec<Manifest>)> {
    let mut vault = person.found("writers").await?;
    let names: Vec<String> = (0..writers).map(|n| format!("environment-{n}")).collect();
    let environments: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), DEVELOPMENT)).collect();
    let environments = vault.create_project("agents", &environments).await?;
    let token = admit(&mut vault, &environments, permission::READ | permission::WRITE).await?;
    let agent = agent(&mut vault, token, environments.iter().map(|ns| (*ns, 0)).collect()).await?;
    let manifests = environments.iter().map(|ns| Manifest::begin(&vault, &agent, *ns)).collect::<Result<_>>()?;
    Ok((agent, manifests))
}

/// Values as people keep them: tokens of some 40 bytes.
pub fn secrets(count: usize) -> Vec<SecretWrite> {
    (0..count).map(|n| SecretWrite::new(format!("service-{}/token-{n}", n % 20), format!("sbp_{n:036}"))).collect()
}

/// A machine with access to these environments.
pub async fn admit(vault: &mut Vault, environments: &[NsId], permissions: u8) -> Result<MachineToken> {
    let access = environments.iter().map(|ns| (*ns, permissions)).collect();
    Ok(vault.create_machine(&NewMachine { name: "agent".to_owned(), access, ttl_ms: DAY_MS }).await?)
}

async fn agent(vault: &mut Vault, token: MachineToken, environments: Vec<(NsId, u64)>) -> Result<Agent> {
    vault.sync().await?;
    Ok(Agent {
        identity: Arc::new(token.identity()),
        org: vault.org_id(),
        origin: token.origin.clone(),
        next_seq: vault.chain().tip().next_seq(),
        token: Arc::new(token),
        environments,
    })
}

impl Agent {
    /// An assertion that nobody has used.
    pub fn assertion(&self) -> Result<String> {
        let subject = Subject::Identity(self.identity.id(), self.identity.key_id());
        Ok(assertion::make(subject, &self.origin, Clock::System.now_ms() / 1000, rand::random(), self.identity.auth_key())?)
    }

    /// "What changed?", by somebody who has everything.
    pub fn warm_question(&self) -> Result<v1::ReadChangesRequest> {
        let (ns, mseq) = *self.environments.first().context("an environment")?;
        Ok(self.question(self.next_seq, ns, mseq, false))
    }

    /// "Everything", by somebody who has nothing.
    pub fn full_question(&self) -> Result<v1::ReadChangesRequest> {
        let (ns, _) = *self.environments.first().context("an environment")?;
        Ok(self.question(0, ns, 0, true))
    }

    /// "Everything in this environment", of the many in turn, by somebody who has the chain.
    pub fn question_about(&self, turn: usize) -> Result<v1::ReadChangesRequest> {
        let (ns, _) = *self.environments.get(turn % self.environments.len()).context("an environment")?;
        Ok(self.question(self.next_seq, ns, 0, false))
    }

    fn question(&self, from_seq: u64, ns: NsId, mseq: u64, all_wraps: bool) -> v1::ReadChangesRequest {
        let head = v1::ManifestHead { ns_id: Bytes::copy_from_slice(&ns.0), mseq };
        v1::ReadChangesRequest { org_id: Bytes::copy_from_slice(&self.org.0), from_seq, namespaces: vec![head], all_wraps }
    }
}
