//! A world to play stories in: the production server on a store of its own, one clock for everybody, mails in memory, and people with machines.
//!
//! Time stands still unless the story moves it. A world is ended by [`World::stop`], which fails when a job is left over.

mod database;
mod mail_server;
mod receiver;
mod redis;

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{Account, Client, NewInvite, Options, SecretKey, StateDir, Vault};
use keyvawlt_domain::Clock;
use keyvawlt_server::config::Config;
use keyvawlt_server::{Running, Server};
use keyvawlt_worker::SentMail;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub use database::{Database, Engine};
pub use mail_server::{MailServer, Register, Taken, Trap, Weather};
pub use receiver::{Received, Receiver};
pub use redis::{RedisServer, place as redis_place};

/// 23 November 2026, 09:00 UTC.
const BEGINNING: u64 = 1_795_424_400_000;
/// Longer than any newcomer here takes.
const INVITE_TTL_MS: u64 = 24 * 3600 * 1000;
/// What every person here signs up with.
pub const PASSWORD: &str = "correct horse battery staple";

/// The same story on each store: `on_each_store!(story)` makes the tests `story::on::sqlite` and `story::on::postgresql` of `async fn story(World)`.
macro_rules! on_each_store {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            use crate::world::{Engine, World};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$story(World::on(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgresql() {
                if !Engine::Postgres.is_left_out() {
                    super::$story(World::on(Engine::Postgres).await).await;
                }
            }
        }
    )+};
}
pub(crate) use on_each_store;

/// The same for stories told in commands, which read the machine's own clock.
macro_rules! in_real_time_on_each_store {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            use crate::world::{Engine, World};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$story(World::in_real_time(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgresql() {
                if !Engine::Postgres.is_left_out() {
                    super::$story(World::in_real_time(Engine::Postgres).await).await;
                }
            }
        }
    )+};
}
pub(crate) use in_real_time_on_each_store;

/// A running server, and everything around it.
pub struct World {
    pub server: Running,
    pub config: Config,
    pub database: Database,
    pub folder: TempDir,
    clock: Clock,
    /// Mails of servers that were stopped.
    earlier_mails: Vec<SentMail>,
}

/// A person with a machine.
pub struct Person {
    pub account: Account,
    pub secret_key: SecretKey,
    pub state: StateDir,
}

impl World {
    /// A world on SQLite.
    pub async fn start() -> Self {
        Self::on(Engine::Sqlite).await
    }

    /// A world on the given engine.
    pub async fn on(engine: Engine) -> Self {
        Self::with(engine, |_| {}).await
    }

    /// A world with other settings.
    pub async fn with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Clock::fixed(BEGINNING), engine, change).await
    }

    /// A world whose time is the machine's, for programs that read the clock themselves. It cannot be moved.
    pub async fn in_real_time(engine: Engine) -> Self {
        Self::at(Clock::System, engine, |_| {}).await
    }

    async fn at(clock: Clock, engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a data folder");
        let database = Database::create(engine, &data).await;
        let mut config = Config::in_folder(&data).expect("default settings");
        config.store.url = Some(database.url.clone());
        config.worker.mail = Some("memory:".to_owned());
        // Nothing leaves this machine, whatever a story asks for; one that needs a target lists its address.
        config.worker.outbound.public = false;
        change(&mut config);
        let server = start(&mut config, clock.clone()).await;
        Self { server, config, database, folder, clock, earlier_mails: Vec::new() }
    }

    /// Stops the server and starts it again on the same store, where clients find it.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.earlier_mails = self.mails();
        assert!(self.server.stop().await, "the server ends in time");
        change(&mut self.config);
        self.server = start(&mut self.config, self.clock.clone()).await;
        self
    }

    /// Runs what is due, and ends the world. Every job must be done, or wait for a later time without ever having failed.
    pub async fn stop(self) {
        self.drain().await;
        let leftover = self.database.leftover_jobs(self.now_ms()).await;
        assert!(leftover.is_empty(), "jobs are left over:\n  {}", leftover.join("\n  "));
        assert!(self.server.stop().await, "the server ends in time");
        self.database.drop().await;
    }

    /// Everybody's clock, epoch milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The same clock as the server has it.
    pub fn server_clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Lets time pass, for the server and all clients.
    pub fn pass(&self, time: Duration) {
        self.clock.advance_ms(u64::try_from(time.as_millis()).expect("a short time"));
    }

    /// Writes the jobs of the present hour and runs everything that is due.
    pub async fn tick(&self) {
        self.server.worker().expect("a worker").tick().await.expect("the ticker writes");
        self.drain().await;
    }

    /// Runs everything that is due, and what that causes.
    pub async fn drain(&self) {
        self.server.worker().expect("a worker").drain().await.expect("the worker runs");
    }

    /// All mails so far, in order.
    pub fn mails(&self) -> Vec<SentMail> {
        let outbox = self.server.outbox().map(|outbox| outbox.lock().expect("the outbox").clone());
        [self.earlier_mails.clone(), outbox.unwrap_or_default()].concat()
    }

    /// All mails so far to one person.
    pub fn mails_to(&self, email: &str) -> Vec<SentMail> {
        self.mails().into_iter().filter(|mail| mail.to == email).collect()
    }

    /// A client that shares the world's clock.
    pub fn client(&self) -> Client {
        self.client_of(&self.origin())
    }

    /// Where the server is found.
    pub fn origin(&self) -> String {
        format!("http://{}", self.server.addr().expect("an address"))
    }

    /// The same, for a server behind something.
    pub fn client_of(&self, origin: &str) -> Client {
        let clock = match &self.clock {
            Clock::System => keyvawlt_client::Clock::System,
            Clock::Fixed(now) => keyvawlt_client::Clock::Fixed(Arc::clone(now)),
        };
        Client::new(origin, Options { clock, ..Options::default() }).expect("an origin")
    }

    /// A machine's state folder.
    pub fn machine_state(&self, name: &str) -> StateDir {
        StateDir::open(self.folder.path().join(name)).expect("a state folder")
    }

    /// Somebody who has just signed up as `name@example.com`.
    pub async fn newcomer(&self, name: &str) -> Person {
        let new = self.client().sign_up(&format!("{name}@example.com"), PASSWORD).await.expect("sign-up");
        Person { account: new.account, secret_key: new.secret_key, state: self.machine_state(name) }
    }

    /// Somebody who has signed up and confirmed the address.
    pub async fn resident(&self, name: &str) -> Person {
        let mut person = self.newcomer(name).await;
        let code = self.newest_code(person.account.email()).await;
        person.account.verify_email(&code).await.expect("the mailed code is right");
        person
    }

    /// Has somebody join by an invite, and gives what the invite intended: where, and which permissions.
    pub async fn admit(&self, vault: &mut Vault, newcomer: &mut Person, name: &str, access: &[(NsId, u8)]) -> Vault {
        let access = access.iter().map(|(ns, permissions)| (*ns, *permissions, 0)).collect();
        let (name, ttl_ms) = (name.to_owned(), INVITE_TTL_MS);
        let invite = NewInvite { name, role: role::MEMBER, access, ttl_ms, member_expires_ms: 0, carry_keys: false };
        let code = vault.invite(&invite).await.expect("an invite");
        let mut theirs = newcomer.account.join(&code, &newcomer.state).await.expect("a join");
        vault.sync().await.expect("news");
        vault.grant_intended(&newcomer.account.identity().id()).await.expect("access");
        theirs.sync().await.expect("news");
        theirs
    }

    /// The code of the newest mail to an address.
    pub async fn newest_code(&self, email: &str) -> String {
        self.drain().await;
        code_in(&self.mails_to(email).last().expect("a mail").text)
    }
}

/// The code that a mail carries on a line of its own: `0123-4567`.
pub fn code_in(text: &str) -> String {
    let is_code = |line: &&str| line.len() == 9 && line.split('-').all(|half| half.len() == 4 && half.bytes().all(|b| b.is_ascii_digit()));
    text.lines().map(str::trim).find(is_code).expect("a code in the mail").to_owned()
}

async fn start(config: &mut Config, clock: Clock) -> Running {
    let server = Server::start(config, clock).await.expect("the server starts");
    // A restarted server is found where the first one was.
    config.api.listen = server.addr().expect("an address");
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "jobs are left over")]
async fn a_world_with_a_job_that_failed_does_not_end_well() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::start().await.restart_with(|config| config.worker.mail = Some(format!("smtp://{nobody}"))).await;
    world.newcomer("ada").await;
    world.stop().await;
}
