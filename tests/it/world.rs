//! A world to play stories in: one server on a temporary folder, and people with machines of their own.

use keyvawlt_client::{Account, Client, Options, StateDir};
use keyvawlt_domain::Clock;
use keyvawlt_server::Server;
use keyvawlt_server::config::Config;
use tempfile::TempDir;

/// A running server.
pub struct World {
    folder: TempDir,
    pub server: keyvawlt_server::Running,
}

/// A person with a machine.
pub struct Person {
    pub account: Account,
    pub state: StateDir,
}

impl World {
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut config = Config::in_folder(&folder.path().join("data")).expect("default settings");
        config.worker.mail = Some("memory:".to_owned());
        let server = Server::start(&config, Clock::System).await.expect("the server starts");
        Self { folder, server }
    }

    pub fn client(&self) -> Client {
        let addr = self.server.addr().expect("an address");
        Client::new(&format!("http://{addr}"), Options::default()).expect("an origin")
    }

    pub fn machine_state(&self, name: &str) -> StateDir {
        StateDir::open(self.folder.path().join(name)).expect("a state folder")
    }

    pub async fn newcomer(&self, name: &str) -> Person {
        let new = self.client().sign_up(&format!("{name}@example.com"), "correct horse battery staple").await.expect("sign-up");
        Person { account: new.account, state: self.machine_state(name) }
    }
}
