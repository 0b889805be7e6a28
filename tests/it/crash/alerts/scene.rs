//! The programs of one ground, their mail server, and three readers: Ada, who writes, Bob, and Carl, whose mailbox was closed after he came.

use super::told::Told;
use super::{Ground, LIFE_MS};
use crate::crash::program::Program;
use crate::world::{Database, MailServer, PASSWORD, RedisServer, Trap, Weather, code_in};
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::ledger::{IdentityId, NsId};
use keyvawlt_client::{Account, Client, NewInvite, Options, StateDir, Vault};
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a worker waits for the mail server here.
pub(super) const PATIENCE_MS: u64 = 2_000;
/// Leases, gathering and retries, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// After the last kill: in a long run a message may have met many bad days, and waits for longer and longer.
const PATIENCE_AT_THE_END: Duration = Duration::from_mins(12);
/// Whom the mail server knows no more.
const CLOSED: &str = "carl@example.com";
/// Whoever is to hear of everything.
pub(super) const HEARERS: [&str; 2] = ["ada@example.com", "bob@example.com"];
const READ: u8 = 1;
const HOUR_MS: u64 = 3600 * 1000;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strike {
    /// Whatever answers calls, at any moment.
    Server,
    /// One of the workers, at any moment.
    Worker,
    /// The Redis; it comes back empty.
    Redis,
    /// The Redis is emptied under its workers, and lives.
    Flush,
    /// A sender of mails, by the mail server, before it hears that a mail was taken.
    Unheard,
    /// The same, right after it was told.
    Heard,
}

impl Strike {
    /// Whether a mail must come for it to happen.
    pub(super) fn is_trap(self) -> bool {
        matches!(self, Self::Unheard | Self::Heard)
    }
}

/// A program that runs, and the name by which its mails are known.
struct Incarnation {
    name: String,
    program: Program,
}

pub(super) struct Scene {
    folder: TempDir,
    database: Database,
    ground: Ground,
    pub(super) mail: MailServer,
    origin: String,
    addr: SocketAddr,
    server: Option<Incarnation>,
    workers: Vec<Option<Incarnation>>,
    /// When which incarnation was killed.
    ended: BTreeMap<String, Instant>,
    started: u32,
    carl: Option<IdentityId>,
    away: u32,
}

impl Scene {
    pub(super) async fn start(ground: Ground) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a data folder");
        std::fs::write(folder.path().join("smtp-password"), "any").expect("a file");
        let database = Database::create(ground.engine, &data).await;
        // Found once and kept: clients come back to it.
        let addr = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let (mail, origin) = (MailServer::open(), format!("http://{addr}"));
        let (server, workers, ended) = (None, Vec::new(), BTreeMap::new());
        let mut scene = Self { folder, database, ground, mail, origin, addr, server, workers, ended, started: 0, carl: None, away: 0 };
        scene.server = Some(scene.begin_server().await);
        for _ in 0..scene.ground.workers {
            let worker = scene.begin("worker").await;
            scene.workers.push(Some(worker));
        }
        scene
    }

    async fn begin_server(&mut self) -> Incarnation {
        self.begin(if self.ground.workers > 0 { "api" } else { "all" }).await
    }

    async fn begin(&mut self, role: &str) -> Incarnation {
        self.started += 1;
        let name = format!("{role}-{}", self.started);
        let settings = [
            ("ROLE", role.to_owned()),
            ("STORE__URL", self.database.url.clone()),
            ("NOTICES__GATHER_SECONDS", "1".to_owned()),
            ("WORKER__QUEUE", self.ground.redis.as_ref().map_or("memory".to_owned(), RedisServer::url)),
            ("WORKER__MAIL", self.mail.url()),
            ("WORKER__SMTP__USER", name.clone()),
            ("WORKER__SMTP__PASSWORD_FILE", self.folder.path().join("smtp-password").display().to_string()),
            ("WORKER__SMTP__PATIENCE_SECONDS", (PATIENCE_MS / 1000).to_string()),
            // What a killed Redis does to its workers is what they say in their logs.
            ("LOG__LEVEL", "off".to_owned()),
        ];
        let program = Program::start_with(&self.folder.path().join("data"), self.addr, &self.origin, &settings).await;
        Incarnation { name, program }
    }

    /// Three people who read one environment in each organization. Gives what Ada writes with.
    pub(super) async fn settle(&mut self, organizations: u32) -> Vec<(Vault, NsId)> {
        let [mut ada, mut bob, mut carl] = [self.resident("ada").await, self.resident("bob").await, self.resident("carl").await];
        let mut settled = Vec::new();
        for _ in 0..organizations {
            settled.push(self.found(&mut ada, [("bob", &mut bob), ("carl", &mut carl)]).await);
        }
        self.carl = Some(carl.identity().id());
        self.mail.refuses(CLOSED);
        settled
    }

    async fn found(&self, ada: &mut Account, others: [(&str, &mut Account); 2]) -> (Vault, NsId) {
        let mut vault = ada.found("Acme", &self.machine("ada")).await.expect("an organization");
        let environment = vault.create_project("agents", &[("production", 3)]).await.expect("an environment")[0];
        for (name, account) in others {
            let invite = NewInvite {
                name: name.to_owned(),
                role: role::MEMBER,
                access: vec![(environment, READ, 0)],
                ttl_ms: HOUR_MS,
                member_expires_ms: 0,
                carry_keys: false,
            };
            let code = vault.invite(&invite).await.expect("an invite");
            account.join(&code, &self.machine(name)).await.expect("a join");
            vault.sync().await.expect("news");
            vault.grant_intended(&account.identity().id()).await.expect("access");
        }
        (vault, environment)
    }

    async fn resident(&self, name: &str) -> Account {
        let client = Client::new(&self.origin, Options::default()).expect("an origin");
        let address = format!("{name}@example.com");
        let mut account = client.sign_up(&address, PASSWORD).await.expect("sign-up").account;
        let began = Instant::now();
        let mail = loop {
            if let Some(mail) = self.mail.taken().into_iter().find(|mail| mail.to == address) {
                break mail;
            }
            assert!(began.elapsed() < PATIENCE, "no code came");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        account.verify_email(&code_in(&mail.text)).await.expect("the mailed code is right");
        account
    }

    fn machine(&self, name: &str) -> StateDir {
        StateDir::open(self.folder.path().join(name)).expect("a state folder")
    }

    /// All that can be struck here, the mail server's own kill aside, which begins each round.
    pub(super) fn strikes(&self) -> Vec<Strike> {
        let mut strikes = vec![Strike::Heard, Strike::Server];
        if self.ground.workers > 0 {
            strikes.push(Strike::Worker);
        }
        if self.ground.redis.is_some() {
            strikes.extend([Strike::Redis, Strike::Flush]);
        }
        strikes
    }

    /// Kills, and starts again.
    pub(super) async fn strike(&mut self, strike: Strike, rng: &mut StdRng) {
        match strike {
            Strike::Server => {
                let server = self.server.take().expect("it runs");
                self.kill(server).await;
                self.server = Some(self.begin_server().await);
            }
            Strike::Worker => {
                let nth = rng.random_range(0..self.workers.len());
                let worker = self.workers[nth].take().expect("it runs");
                self.kill(worker).await;
                self.workers[nth] = Some(self.begin("worker").await);
            }
            Strike::Redis => {
                let redis = self.ground.redis.as_mut().expect("there is one");
                redis.kill();
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..2 * LIFE_MS))).await;
                redis.restart();
            }
            Strike::Flush => {
                let url = self.ground.redis.as_ref().expect("there is one").url();
                let client = redis::Client::open(url).expect("a URL");
                let mut redis = client.get_multiplexed_async_connection().await.expect("it runs");
                redis::cmd("FLUSHALL").query_async::<()>(&mut redis).await.expect("it is emptied");
            }
            Strike::Unheard | Strike::Heard => self.trap(strike == Strike::Unheard, rng).await,
        }
    }

    async fn kill(&mut self, incarnation: Incarnation) {
        incarnation.program.kill().await;
        self.ended.insert(incarnation.name, Instant::now());
    }

    /// Has the mail server kill whoever brings it the next mail, of one that sends.
    async fn trap(&mut self, before_the_answer: bool, rng: &mut StdRng) {
        let nth = (!self.workers.is_empty()).then(|| rng.random_range(0..self.workers.len()));
        let place = match nth {
            Some(nth) => &mut self.workers[nth],
            None => &mut self.server,
        };
        let mut sender = place.take().expect("it runs");
        self.mail.sets(Trap { sender: sender.name.clone(), pid: sender.program.pid(), before_the_answer });
        assert!(sender.program.is_killed_within(PATIENCE).await, "{} brought no mail", sender.name);
        self.ended.insert(sender.name, Instant::now());
        match nth {
            Some(nth) => self.workers[nth] = Some(self.begin("worker").await),
            None => self.server = Some(self.begin_server().await),
        }
    }

    /// Waits until somebody has met the weather.
    pub(super) async fn meets(&mut self, weather: Weather) {
        let began = Instant::now();
        while !self.is_met(weather).await {
            assert!(began.elapsed() < PATIENCE, "nobody met {weather:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.away += u32::from(weather == Weather::Away);
    }

    async fn is_met(&self, weather: Weather) -> bool {
        match weather {
            Weather::Away => self.is_somebody_turned_away().await,
            Weather::Fair | Weather::Grey | Weather::Slow(_) => self.mail.is_met(),
        }
    }

    async fn is_somebody_turned_away(&self) -> bool {
        !self.database.rows("SELECT last_error FROM delivery WHERE last_error LIKE '%connecting%'", 1).await.is_empty()
    }

    /// Waits until all have heard of every label, and no job is left but those that the mail server refused.
    pub(super) async fn hear_of_all(&self, labels: &BTreeSet<String>) {
        let began = Instant::now();
        loop {
            let told = self.told();
            let unheard: Vec<(&str, Vec<&String>)> = HEARERS.into_iter().map(|to| (to, told.unheard(to, labels))).collect();
            let mut jobs = self.database.leftover_jobs(Self::now_ms()).await;
            jobs.retain(|job| !job.contains("5.1.1 no such user"));
            if unheard.iter().all(|(_, labels)| labels.is_empty()) && jobs.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE_AT_THE_END, "unheard of: {unheard:?}; jobs left: {jobs:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What admins see: what was for Carl was refused, and all else was sent.
    pub(super) async fn check_record(&self, vault: &Vault) {
        let (mut page, mut refused, mut sent) = (String::new(), 0, 0);
        loop {
            let (deliveries, next) = vault.notice_deliveries(true, &page).await.expect("the record is read");
            for delivery in deliveries.iter().filter(|delivery| delivery.kinds.iter().any(|kind| kind == "expiry")) {
                let to_carl = self.carl.is_some_and(|carl| carl.0 == *delivery.recipient_id);
                assert_eq!(delivery.state, if to_carl { "refused" } else { "sent" }, "{delivery:?}");
                assert_eq!(delivery.error.contains("5.1.1"), to_carl, "{delivery:?}");
                *(if to_carl { &mut refused } else { &mut sent }) += 1;
            }
            if next.is_empty() {
                break;
            }
            page = next;
        }
        assert!(refused > 0 && sent > 0, "{refused} were refused, {sent} sent");
    }

    pub(super) fn told(&self) -> Told {
        Told::of(self.mail.taken())
    }

    /// When which sender was killed.
    pub(super) fn ended(&self) -> BTreeMap<String, Instant> {
        self.ended.clone()
    }

    pub(super) fn weather_met(&self) -> String {
        let met = self.mail.met();
        format!("away {} times, slow to {} mails, sent {} away to come again, refused {}", self.away, met.slow, met.grey, met.refused)
    }

    pub(super) fn now_ms() -> u64 {
        keyvawlt_domain::Clock::System.now_ms()
    }

    pub(super) async fn end(self) {
        for incarnation in self.workers.into_iter().chain([self.server]).flatten() {
            incarnation.program.kill().await;
        }
        self.database.drop().await;
    }
}
