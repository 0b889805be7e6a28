//! The real program, killed with -9 under writes: what was acknowledged is there afterwards, once, and verifies.
//!
//! Between clients and server is a wire that sometimes keeps answers back before the kill, so that changes are durable which no client has heard
//! of: retried under the same request id, they must not happen twice.

mod alerts;
mod program;
mod wire;

use futures::future::join_all;
use keyvawlt_client::ledger::{NsId, OrgId};
use keyvawlt_client::{Account, Client, Error, Options, SecretWrite, StateDir, Vault};
use program::Program;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use sea_orm::{ConnectionTrait as _, Database, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wire::{Clients, Wire};

const KILLS: u32 = 20;
/// Everything but the kills, builds aside: a server that does not come back must not hang the suite.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// A life, a death and a start, on a busy machine.
const TIME_LIMIT_OF_A_KILL: Duration = Duration::from_secs(3);
/// Environments, each with a writer of its own, on a machine of its own.
const ENVIRONMENTS: [(&str, u8); 3] = [("development", 1), ("staging", 2), ("production", 3)];
/// Names that a writer goes round: some secrets with many versions.
const NAMES: u64 = 3;
/// How long a server lives after its first acknowledged write, at most.
const LIFE_MS: u64 = 250;
/// How long answers are kept back, at most: some writes of a debug build.
const SILENCE_MS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_and_no_write_happens_twice() {
    let mut rng = StdRng::seed_from_u64(seed());
    let killing = kills_asked_for(KILLS);
    let mut scene = Scene::start(killing).await;
    let writers = scene.writers().await;
    let kills = async {
        for _ in 0..killing {
            scene.next_acknowledgement().await;
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..LIFE_MS))).await;
            if rng.random_bool(0.5) {
                scene.clients.now(Wire::KeepsAnswers(scene.addr));
                tokio::time::sleep(Duration::from_millis(rng.random_range(1..SILENCE_MS))).await;
            }
            scene.kill().await;
            scene.restart().await;
        }
        scene.next_acknowledgement().await;
        scene.enough.cancel();
    };
    let (written, ()) = tokio::join!(writers, kills);
    scene.kill().await;
    check_file(&scene.data().join("vault.db")).await;
    assert!(program::check(&scene.data(), scene.addr, &scene.origin).await.success());
    scene.restart().await;

    let fresh = scene.account.open(scene.org, &scene.machine("fresh")).await.expect("everything verifies from the beginning");
    let (mut acknowledged, mut unheard) = (0, 0);
    for Written { mut vault, environment, said } in written {
        vault.sync().await.expect("everything verifies from what the writer remembers");
        for reader in [&vault, &fresh] {
            said.check(reader, &environment).await;
        }
        acknowledged += said.acknowledged.len();
        unheard += said.lost.len();
    }
    eprintln!("killed {killing} times while writing: {acknowledged} writes acknowledged, {unheard} unheard");
    assert!(Instant::now() < scene.until, "it took too long");
}

/// Another schedule in each run.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "it is printed, to play it again")]
fn seed() -> u64 {
    let seed = rand::random();
    eprintln!("seed {seed}");
    seed
}

/// `KEYVAWLT_TEST_KILLS`, or as many as in every run.
#[expect(clippy::disallowed_methods, reason = "the variable that asks for a longer run")]
fn kills_asked_for(usual: u32) -> u32 {
    std::env::var("KEYVAWLT_TEST_KILLS").map_or(usual, |text| text.parse().expect("KEYVAWLT_TEST_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_ends_cleanly_while_calls_are_open() {
    let mut scene = Scene::start(1).await;
    let writers = scene.writers().await;
    let stops = async {
        for signal in [Signal::TERM, Signal::INT] {
            // A call that never ends by itself, as load balancers make it.
            let channel = Channel::from_shared(format!("http://{}", scene.addr)).expect("an address").connect().await;
            let mut health = HealthClient::new(channel.expect("a connection"));
            let mut watch = health.watch(HealthCheckRequest::default()).await.expect("a stream").into_inner();
            assert!(watch.message().await.expect("a status").is_some());
            scene.next_acknowledgement().await;
            let status = scene.program.take().expect("it runs").signal(signal).await;
            assert_eq!(status.code(), Some(0), "{signal:?}");
            scene.restart().await;
        }
        scene.next_acknowledgement().await;
        scene.enough.cancel();
    };
    let (written, ()) = tokio::join!(writers, stops);
    for Written { mut vault, environment, said } in written {
        vault.sync().await.expect("everything verifies");
        said.check(&vault, &environment).await;
    }
}

/// One server folder, one account, and the wire to whatever program serves that folder now.
struct Scene {
    until: Instant,
    folder: TempDir,
    clients: Clients,
    origin: String,
    addr: SocketAddr,
    program: Option<Program>,
    account: Account,
    org: OrgId,
    acknowledged: Arc<AtomicU64>,
    enough: CancellationToken,
}

impl Scene {
    async fn start(kills: u32) -> Self {
        let until = Instant::now() + TIME_LIMIT + TIME_LIMIT_OF_A_KILL * kills;
        let folder = TempDir::new().expect("a temporary folder");
        let clients = Clients::listen().await;
        let origin = format!("http://{}", clients.addr);
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let program = Program::start(&folder.path().join("data"), any_port, &origin).await;
        clients.now(Wire::Carries(program.addr));
        let client = Client::new(&origin, Options::default()).expect("an origin");
        let new = client.sign_up("ada@example.com", "correct horse battery staple").await.expect("sign-up");
        let mut account = new.account;
        let state = StateDir::open(folder.path().join("founder")).expect("a state folder");
        let mut vault = account.found("Acme", &state).await.expect("an organization");
        vault.create_project("agents", &ENVIRONMENTS).await.expect("environments");
        let (addr, org) = (program.addr, vault.org_id());
        let (acknowledged, enough) = (Arc::default(), CancellationToken::new());
        Self { until, folder, clients, origin, addr, program: Some(program), account, org, acknowledged, enough }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn machine(&self, name: &str) -> StateDir {
        StateDir::open(self.folder.path().join(name)).expect("a state folder")
    }

    /// One writer per environment; they write while this is awaited, until they are told that it is enough.
    async fn writers(&self) -> impl Future<Output = Vec<Written>> + use<> {
        let mut writers = Vec::new();
        for (name, _) in ENVIRONMENTS {
            let vault = self.account.open(self.org, &self.machine(name)).await.expect("the organization opens");
            let environment = vault.environment("agents", name).expect("an environment").ns_id;
            writers.push(write_on(vault, environment, name, Arc::clone(&self.acknowledged), self.enough.clone()));
        }
        join_all(writers)
    }

    /// Waits until something is acknowledged that was not before.
    async fn next_acknowledgement(&self) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        while self.acknowledged.load(Ordering::SeqCst) == before {
            assert!(Instant::now() < self.until, "the writers do not come back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn kill(&mut self) {
        self.program.take().expect("it runs").kill().await;
        self.clients.now(Wire::Cut);
    }

    /// On the same folder, at the same address.
    async fn restart(&mut self) {
        self.clients.now(Wire::Cut);
        self.program = Some(Program::start(&self.data(), self.addr, &self.origin).await);
        self.clients.now(Wire::Carries(self.addr));
    }
}

/// A writer, when it was told to end.
struct Written {
    vault: Vault,
    environment: NsId,
    said: Said,
}

/// What a writer was told about its writes.
#[derive(Default)]
struct Said {
    /// Acknowledged, by name and version.
    acknowledged: BTreeMap<(String, u64), String>,
    /// Sent, and nothing heard: they may be there or not.
    lost: BTreeSet<String>,
}

/// Writes a different value each time, until told to end.
async fn write_on(mut vault: Vault, environment: NsId, who: &str, acknowledged: Arc<AtomicU64>, enough: CancellationToken) -> Written {
    let mut said = Said::default();
    for n in 0.. {
        if enough.is_cancelled() {
            break;
        }
        let (name, value) = (format!("keys/{}", n % NAMES), format!("{who} {n}"));
        match vault.write(&environment, &[SecretWrite::new(&name, value.as_bytes())]).await {
            Ok(versions) => {
                said.acknowledged.insert((name, versions[0]), value);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(Error::Unreachable { .. }) => {
                said.lost.insert(value);
            }
            Err(error) => panic!("{who}, write {n}: {error}"),
        }
    }
    Written { vault, environment, said }
}

impl Said {
    /// Every acknowledged write is there; whatever else is there was sent, and nothing is there twice.
    async fn check(&self, vault: &Vault, environment: &NsId) {
        let mut found = BTreeMap::new();
        for secret in vault.list(environment).expect("names open") {
            for version in 1..=secret.version {
                let read = vault.read_version(environment, &secret.name, version).await.expect("every version opens");
                found.insert((secret.name.clone(), version), String::from_utf8(read.value.to_vec()).expect("text"));
            }
            let newest = vault.read(environment, &secret.name).expect("it opens").value;
            assert_eq!(found[&(secret.name, secret.version)].as_bytes(), &**newest);
        }
        for (version, value) in &self.acknowledged {
            assert_eq!(found.get(version), Some(value), "{version:?} was acknowledged");
        }
        let values: BTreeSet<&String> = found.values().collect();
        assert_eq!(values.len(), found.len(), "a write happened twice");
        let unheard = values.into_iter().filter(|value| !self.acknowledged.values().any(|known| known == *value));
        assert!(unheard.into_iter().all(|value| self.lost.contains(value)), "something is there that nobody wrote");
    }
}

/// As the last kill left it, before any server touches it again.
async fn check_file(path: &Path) {
    let db = Database::connect(format!("sqlite://{}", path.display())).await.expect("the file opens");
    for (pragma, sound) in [("PRAGMA integrity_check", vec!["ok".to_owned()]), ("PRAGMA foreign_key_check", vec![])] {
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), pragma)).await.expect("an answer");
        let said: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert_eq!(said, sound, "{pragma}");
    }
    db.close().await.expect("the file closes");
}
