//! Where an attack plays: a real server behind the lying one, an owner, a member, an environment, and a canary in it.
//!
//! What every play begins with is made once in a process, and then only copied: signing up takes a good part of a second by design.

use crate::files::Files;
use crate::person::{Person, connect};
use crate::proxy::{Audience, Call, LyingServer, Who};
use crate::rpcs;
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::{Replica, class, permission, role};
use keyvawlt_client::{Client, DeviceKey, MachineToken, NewMachine, SecretWrite, StateDir};
use keyvawlt_domain::Clock;
use keyvawlt_server::config::Config;
use keyvawlt_server::{Running, Server};
use sea_orm::{ConnectionTrait as _, Database};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A value that only clients may know.
pub const CANARY: &str = "canary-value-5b1d0c9e7f";
/// A name that only clients may know.
pub const CANARY_NAME: &str = "canary_name_83fa21/key";
/// Another secret beside it.
pub const OTHER_NAME: &str = "stripe/canary_other_4e";
/// How long invites, machines and the like last in these plays.
pub const DAY_MS: u64 = 24 * 3600 * 1000;
/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// Where the server keeps its data in a play's folder.
const DATA: &str = "data";

/// A play in progress.
pub struct Scene {
    pub server: LyingServer,
    /// The owner.
    pub ada: Person,
    /// A member who writes in production.
    pub bob: Person,
    pub production: NsId,
    /// People with accounts who are in no organization.
    strangers: Vec<(&'static str, DeviceKey)>,
    honest: Option<Running>,
    twins: Vec<Running>,
    folders: u32,
    folder: TempDir,
}

/// What a server stored at some moment.
pub struct Backup(Files);

/// What every play begins with.
struct Beginning {
    files: Files,
    calls: Vec<Call>,
    people: Vec<(&'static str, DeviceKey)>,
    production: NsId,
}

impl Scene {
    pub async fn start() -> Self {
        static BEGINNING: OnceCell<Beginning> = OnceCell::const_new();
        let beginning = BEGINNING.get_or_init(Beginning::make).await;
        let folder = TempDir::new().expect("a temporary folder");
        beginning.files.write(folder.path());
        let server = LyingServer::start().await;
        server.remember(&beginning.calls);
        let honest = boot(&folder.path().join(DATA), &server).await;
        server.pass_to(honest.addr().expect("an address"));
        let mut people = beginning.people.iter().cloned();
        let mut next = || people.next().expect("two members");
        let ((ada, adas), (bob, bobs)) = (next(), next());
        let ada = Person::unlock(&server, folder.path(), ada, adas).await;
        let bob = Person::unlock(&server, folder.path(), bob, bobs).await;
        let strangers = people.collect();
        Self { server, ada, bob, production: beginning.production, strangers, honest: Some(honest), twins: vec![], folders: 0, folder }
    }

    /// A person with an account, in no organization yet.
    pub async fn stranger(&mut self) -> Person {
        let (name, device) = self.strangers.pop().expect("few strangers are needed");
        Person::unlock(&self.server, self.folder.path(), name, device).await
    }

    /// One more member, with a role and access.
    pub async fn newcomer(&mut self, role: u8, access: &[(NsId, u8)]) -> Person {
        let mut person = self.stranger().await;
        self.ada.admit(&mut person, role, access).await;
        person
    }

    /// The token of a job that reads production, and the machine it runs on.
    pub async fn job(&mut self) -> (MachineToken, StateDir) {
        let new = NewMachine { name: "ci".to_owned(), access: vec![(self.production, permission::READ)], ttl_ms: DAY_MS };
        (self.ada.vault().create_machine(&new).await.expect("a machine"), self.empty_state())
    }

    /// The chain as Ada has verified it.
    pub fn chain(&self) -> &Replica {
        self.ada.vault.as_ref().expect("a member").chain()
    }

    /// A machine that remembers nothing.
    pub fn empty_state(&mut self) -> StateDir {
        StateDir::open(self.new_folder()).expect("a state folder")
    }

    /// Its connection.
    pub fn client(&self) -> Client {
        connect(&self.server)
    }

    /// Where the real server listens.
    pub fn honest(&self) -> SocketAddr {
        self.honest.as_ref().and_then(Running::addr).expect("a running server")
    }

    /// Writes into the server's database, as whoever runs it can; the server is started again, and goes on with what is then there.
    pub async fn write_database(&mut self, sql: &str) -> u64 {
        self.stop().await;
        let url = format!("sqlite://{}", self.data().join("vault.db").display());
        let database = Database::connect(url).await.expect("the database");
        let done = database.execute_unprepared(sql).await.expect("a statement");
        database.close().await.expect("an end");
        self.boot().await;
        done.rows_affected()
    }

    /// Keeps what the server has stored so far, as whoever runs it can.
    pub async fn backup(&mut self) -> Backup {
        self.stop().await;
        let backup = Backup(Files::read(&self.data()));
        self.boot().await;
        backup
    }

    /// Goes on from a backup, and says so: the real server is one whose operator restored it.
    pub async fn restore(&mut self, backup: &Backup) {
        self.stop().await;
        let data = self.new_folder();
        backup.0.write(&data);
        let honest = boot_with(&data, &self.server, |config| config.api.restored = true).await;
        self.server.pass_to(honest.addr().expect("an address"));
        self.honest = Some(honest);
    }

    /// Lets clients talk to a second server, made from a backup.
    pub async fn divert(&mut self, audience: Audience, backup: &Backup) {
        let data = self.new_folder();
        backup.0.write(&data);
        let twin = boot(&data, &self.server).await;
        self.twins.push(twin);
        self.divert_more(audience);
    }

    /// Lets more clients talk to the second server made last.
    pub fn divert_more(&self, audience: Audience) {
        let twin = self.twins.last().expect("a second server");
        self.server.divert(audience, twin.addr().expect("an address"));
    }

    /// While one is lied to, the others work on as if nothing were.
    pub async fn others_go_on(&mut self, victim: Who) {
        let production = self.production;
        for person in [&mut self.ada, &mut self.bob].into_iter().filter(|person| person.who() != victim) {
            if person.read_all(&production).await.is_ok() {
                person.write(&production, CANARY).await.expect("who is not lied to writes on");
                return;
            }
        }
        panic!("nobody hears the truth");
    }

    /// Ends the play: no canary was sent, and the servers stop.
    pub async fn end(mut self) {
        let calls = self.server.calls();
        let sent = |bytes: &[u8]| calls.iter().any(|call| contains(&call.message, bytes) || contains(call.headers.as_bytes(), bytes));
        assert!(sent(b"ada@example.com"), "what is sent in clear must be found, or the canaries prove nothing");
        assert!(calls.iter().any(|call| rpcs::writes(&call.path)), "writes must be counted");
        for canary in [CANARY, CANARY_NAME, OTHER_NAME, PASSWORD] {
            assert!(!sent(canary.as_bytes()), "{canary:?} was sent to the server");
            assert!(!sent(hex::encode(canary).as_bytes()), "{canary:?} was sent to the server as hexadecimal");
        }
        for key in self.ada.private_keys().into_iter().chain(self.bob.private_keys()) {
            assert!(!sent(&key) && !sent(hex::encode(&key).as_bytes()), "a key was sent to the server");
        }
        self.server.repent();
        self.stop().await;
        for twin in self.twins {
            twin.stop().await;
        }
    }

    async fn boot(&mut self) {
        let honest = boot(&self.data(), &self.server).await;
        self.server.pass_to(honest.addr().expect("an address"));
        self.honest = Some(honest);
    }

    async fn stop(&mut self) {
        let running = self.honest.take().expect("a running server");
        assert!(running.stop().await, "the server stops in time");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(DATA)
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("folder-{}", self.folders))
    }
}

impl Beginning {
    /// Founds an organization with an environment and two people in it.
    async fn make() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let server = LyingServer::start().await;
        let honest = boot(&folder.path().join(DATA), &server).await;
        server.pass_to(honest.addr().expect("an address"));
        let mut people = Vec::new();
        for name in ["ada", "bob", "carol", "dave"] {
            people.push(Person::sign_up(&server, folder.path(), name).await);
        }
        let [ada, bob, ..] = people.as_mut_slice() else { panic!("two people") };
        let mut vault = ada.account.found("Acme", &ada.state).await.expect("an organization");
        let made = vault.create_project("agents", &[("development", class::DEVELOPMENT), ("production", class::PRODUCTION)]).await;
        let production = made.expect("environments")[1];
        ada.vault = Some(vault);
        ada.write(&production, CANARY).await.expect("a first secret");
        let other = SecretWrite::new(OTHER_NAME, format!("{CANARY} as well"));
        ada.vault().write(&production, &[other]).await.expect("a second secret");
        ada.admit(bob, role::MEMBER, &[(production, permission::READ | permission::WRITE)]).await;
        let devices = people.into_iter().map(|person| (person.name, person.device)).collect();
        assert!(honest.stop().await, "the server stops in time");
        Self { files: Files::read(folder.path()), calls: server.calls(), people: devices, production }
    }
}

async fn boot(data: &Path, server: &LyingServer) -> Running {
    boot_with(data, server, |_| {}).await
}

async fn boot_with(data: &Path, server: &LyingServer, change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::in_folder(data).expect("default settings");
    config.worker.mail = Some("memory:".to_owned());
    config.api.origins = vec![server.origin()];
    change(&mut config);
    Server::start(&config, Clock::System).await.expect("the server starts")
}

/// Whether bytes contain others.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
