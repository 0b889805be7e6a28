//! Servers, workers and a Redis killed with -9 while secrets are written that are about to end: of each that was acknowledged exactly one mail
//! tells. A worker that dies between sending a mail and writing that down sends the same mail again, under the same message id: here both are
//! one file of the outbox.
//!
//! `KEYVAWLT_TEST_KILLS=200` makes a longer run of each; what it did is printed.

use super::program::Program;
use crate::world::{Database, Engine, RedisServer};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Client, Error, FactsInput, Options, SecretWrite, StateDir, Vault};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// On each ground; twenty in all.
const KILLS: u32 = 5;
/// How long what was started lives before the next kill, at most: with the quarter of a minute for which a message gathers, some kills meet it.
const LIFE_MS: u64 = 5_000;
/// A mail shows some twenty secrets and counts the rest: no more than that may come together.
const PAUSE_BETWEEN_WRITES: Duration = Duration::from_millis(900);
/// Leases, gathering and retries after the last kill, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// Ends between two thresholds of alerts: one is due at once, and no other for long.
const ENDS_IN: Duration = Duration::from_hours(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_with_ids_in_memory() {
    play(Ground { engine: Engine::Sqlite, redis: None, workers: 0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_with_ids_in_redis() {
    let Some(redis) = RedisServer::start() else { return };
    play(Ground { engine: Engine::Sqlite, redis: Some(redis), workers: 0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_with_two_workers_and_ids_in_memory() {
    if !Engine::Postgres.is_left_out() {
        play(Ground { engine: Engine::Postgres, redis: None, workers: 2 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_with_two_workers_and_ids_in_redis() {
    let Some(redis) = RedisServer::start() else { return };
    if !Engine::Postgres.is_left_out() {
        play(Ground { engine: Engine::Postgres, redis: Some(redis), workers: 2 }).await;
    }
}

/// What everything stands on.
struct Ground {
    engine: Engine,
    redis: Option<RedisServer>,
    /// None: one process is everything.
    workers: usize,
}

#[expect(clippy::print_stderr, reason = "the seed, to play it again, and the counts of a recorded run")]
async fn play(ground: Ground) {
    #[expect(clippy::disallowed_methods, reason = "another schedule in each run; it is printed, and shown when this fails")]
    let seed = rand::random();
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut scene = Scene::start(ground).await;
    let (vault, environment) = scene.settle().await;
    let enough = CancellationToken::new();
    let writer = write_on(vault, environment, &enough);
    let kills = async {
        let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
        for _ in 0..kills_asked_for() {
            tokio::time::sleep(Duration::from_millis(rng.random_range(50..LIFE_MS))).await;
            *killed.entry(scene.kill_one(&mut rng).await).or_default() += 1;
        }
        enough.cancel();
        killed
    };
    let (written, killed) = tokio::join!(writer, kills);
    scene.hear_of_all(&written.acknowledged).await;
    let mails = scene.told();
    written.check(&mails);
    eprintln!(
        "killed {killed:?}: {} writes acknowledged, {} unheard, {} mails",
        written.acknowledged.len(),
        written.lost.len(),
        mails.len()
    );
    scene.end().await;
}

#[expect(clippy::disallowed_methods, reason = "the variable that asks for a longer run")]
fn kills_asked_for() -> u32 {
    std::env::var("KEYVAWLT_TEST_KILLS").map_or(KILLS, |text| text.parse().expect("KEYVAWLT_TEST_KILLS is a number"))
}

struct Scene {
    folder: TempDir,
    database: Database,
    ground: Ground,
    origin: String,
    addr: SocketAddr,
    server: Option<Program>,
    workers: Vec<Option<Program>>,
}

impl Scene {
    async fn start(ground: Ground) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a data folder");
        let database = Database::create(ground.engine, &data).await;
        // Found once and kept: clients come back to it.
        let addr = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let mut scene = Self { folder, database, ground, origin: format!("http://{addr}"), addr, server: None, workers: Vec::new() };
        scene.server = Some(scene.server().await);
        for _ in 0..scene.ground.workers {
            let worker = scene.worker().await;
            scene.workers.push(Some(worker));
        }
        scene
    }

    async fn server(&self) -> Program {
        self.program(if self.ground.workers > 0 { "api" } else { "all" }).await
    }

    async fn worker(&self) -> Program {
        self.program("worker").await
    }

    async fn program(&self, role: &str) -> Program {
        let queue = self.ground.redis.as_ref().map_or("memory".to_owned(), RedisServer::url);
        let settings = [("STORE__URL", self.database.url.clone()), ("WORKER__QUEUE", queue), ("ROLE", role.to_owned())];
        // What a killed Redis does to its workers is what they say in their logs.
        let settings = [settings.as_slice(), &[("LOG__LEVEL", "off".to_owned())]].concat();
        Program::start_with(&self.data(), self.addr, &self.origin, &settings).await
    }

    /// Ada, who reads what she writes, and hears by mail.
    async fn settle(&self) -> (Vault, NsId) {
        let client = Client::new(&self.origin, Options::default()).expect("an origin");
        let mut account = client.sign_up("ada@example.com", "correct horse battery staple").await.expect("sign-up").account;
        let began = Instant::now();
        let code = loop {
            if let Some(mail) = self.mails().first() {
                break crate::world::code_in(mail);
            }
            assert!(began.elapsed() < PATIENCE, "no code came");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        account.verify_email(&code).await.expect("the mailed code is right");
        let state = StateDir::open(self.folder.path().join("ada")).expect("a state folder");
        let mut vault = account.found("Acme", &state).await.expect("an organization");
        let made = vault.create_project("agents", &[("production", 3)]).await.expect("an environment");
        (vault, made[0])
    }

    /// Kills one of those that run, and starts it again; says what it was.
    async fn kill_one(&mut self, rng: &mut StdRng) -> &'static str {
        let choices = 1 + self.workers.len() + usize::from(self.ground.redis.is_some());
        match rng.random_range(0..choices) {
            0 => {
                self.server.take().expect("it runs").kill().await;
                self.server = Some(self.server().await);
                "server"
            }
            nth if nth <= self.workers.len() => {
                self.workers[nth - 1].take().expect("it runs").kill().await;
                self.workers[nth - 1] = Some(self.worker().await);
                "worker"
            }
            _ => {
                let redis = self.ground.redis.as_mut().expect("there is one");
                redis.kill();
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..LIFE_MS))).await;
                redis.restart();
                "redis"
            }
        }
    }

    /// Waits until every label is told of, and no job is left.
    async fn hear_of_all(&self, labels: &BTreeSet<String>) {
        let began = Instant::now();
        loop {
            let told: BTreeSet<String> = self.told().into_values().flatten().collect();
            let unheard: Vec<&String> = labels.difference(&told).collect();
            let jobs = self.database.leftover_jobs(Self::now_ms()).await;
            if unheard.is_empty() && jobs.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "unheard of: {unheard:?}; jobs left: {jobs:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Of which labels each mail tells, by the name of its file, which is its message id.
    fn told(&self) -> BTreeMap<PathBuf, BTreeSet<String>> {
        let mut told = BTreeMap::new();
        for (path, text) in self.outbox() {
            let labels: BTreeSet<String> = text.split("key-").skip(1).map(|rest| rest.chars().take(6).collect()).collect();
            if !labels.is_empty() {
                told.insert(path, labels);
            }
        }
        told
    }

    fn mails(&self) -> Vec<String> {
        self.outbox().into_values().collect()
    }

    /// Whole mails alone: one that is being written has another ending.
    fn outbox(&self) -> BTreeMap<PathBuf, String> {
        let Ok(files) = std::fs::read_dir(self.data().join("outbox")) else { return BTreeMap::new() };
        let paths = files.map(|file| file.expect("a file").path()).filter(|path| path.extension().is_some_and(|end| end == "eml"));
        paths.map(|path| (path.clone(), unfolded(&path))).collect()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn now_ms() -> u64 {
        keyvawlt_domain::Clock::System.now_ms()
    }

    async fn end(self) {
        for program in self.workers.into_iter().chain([self.server]).flatten() {
            program.kill().await;
        }
        self.database.drop().await;
    }
}

/// Long lines are broken in mails, by an equals sign at their end.
fn unfolded(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a mail is text").replace("=\r\n", "").replace("=\n", "")
}

/// What the writer was told.
#[derive(Default)]
struct Written {
    acknowledged: BTreeSet<String>,
    /// Sent, and nothing heard.
    lost: BTreeSet<String>,
}

async fn write_on(mut vault: Vault, environment: NsId, enough: &CancellationToken) -> Written {
    let mut written = Written::default();
    for n in 0_u32.. {
        if enough.is_cancelled() {
            break;
        }
        let label = format!("{n:06}");
        let expires_ms = Scene::now_ms() + u64::try_from(ENDS_IN.as_millis()).expect("a short time");
        let facts = FactsInput { expires_ms: Some(expires_ms), label: Some(format!("key-{label}")), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), ..SecretWrite::new(format!("keys/{n}"), "value") };
        match vault.write(&environment, &[write]).await {
            Ok(_) => drop(written.acknowledged.insert(label)),
            Err(Error::Unreachable { .. }) => drop(written.lost.insert(label)),
            Err(error) => panic!("write {n}: {error}"),
        }
        tokio::time::sleep(PAUSE_BETWEEN_WRITES).await;
    }
    written
}

impl Written {
    /// Each label in one mail, and none in two.
    fn check(&self, mails: &BTreeMap<PathBuf, BTreeSet<String>>) {
        let mut told: BTreeMap<&String, Vec<&PathBuf>> = BTreeMap::new();
        for (mail, labels) in mails {
            for label in labels {
                told.entry(label).or_default().push(mail);
            }
        }
        for (label, mails) in &told {
            assert!(self.acknowledged.contains(*label) || self.lost.contains(*label), "{label}: nobody wrote it");
            assert_eq!(mails.len(), 1, "{label} is told of twice");
        }
        for label in &self.acknowledged {
            assert!(told.contains_key(label), "{label} is not told of");
        }
    }
}
