//! People at machines of their own, with the real client.

use crate::proxy::{LyingServer, Who};
use crate::scene::{CANARY, CANARY_NAME, DAY_MS, PASSWORD};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Account, Client, DeviceKey, Error, NewInvite, Options, SecretKey, SecretWrite, StateDir, Vault};
use std::path::Path;

/// A person at a machine.
pub struct Person {
    pub name: &'static str,
    pub account: Account,
    pub secret_key: SecretKey,
    /// Opens the account without the password.
    pub device: DeviceKey,
    pub state: StateDir,
    /// `None` before the organization is entered.
    pub vault: Option<Vault>,
}

impl Person {
    /// Signs up, and enrols a machine.
    pub async fn sign_up(server: &LyingServer, folder: &Path, name: &'static str) -> Self {
        let new = connect(server).sign_up(&format!("{name}@example.com"), PASSWORD).await.expect("an account");
        let device = new.account.enrol_device("").await.expect("a device");
        Self { name, account: new.account, secret_key: new.secret_key, device, state: state_of(folder, name), vault: None }
    }

    /// Unlocks an account on a machine that is enrolled, and opens the organization if there is one.
    pub async fn unlock(server: &LyingServer, folder: &Path, name: &'static str, mut device: DeviceKey) -> Self {
        device.origin = server.origin();
        let state = state_of(folder, name);
        let account = connect(server).unlock_device(&device, None).await.expect("an account");
        let vault = match account.organizations() {
            [] => None,
            [org, ..] => Some(account.open(*org, &state).await.expect("an organization")),
        };
        Self { name, account, secret_key: device.secret_key.clone(), device, state, vault }
    }

    pub fn vault(&mut self) -> &mut Vault {
        self.vault.as_mut().expect("a member")
    }

    pub fn who(&self) -> Who {
        Who::Account(self.account.id())
    }

    /// What never leaves this machine.
    pub fn private_keys(&self) -> Vec<Vec<u8>> {
        let identity = self.account.identity();
        let keys = [identity.seed(), identity.kem_seed(), &self.device.key];
        let mut keys: Vec<Vec<u8>> = keys.iter().map(|key| key.expose().to_vec()).collect();
        keys.extend([identity.auth_key().to_bytes().to_vec(), self.device.slot_key().login_key().to_bytes().to_vec()]);
        keys.push(self.secret_key.to_text().as_bytes().to_vec());
        keys
    }

    /// Takes in what is new, and opens every secret of an environment.
    pub async fn read_all(&mut self, environment: &NsId) -> Result<(), Error> {
        let vault = self.vault();
        vault.sync().await?;
        vault.read_all(environment).map(|_| ())
    }

    /// Writes a new version of the first secret.
    pub async fn write(&mut self, environment: &NsId, value: &str) -> Result<(), Error> {
        self.vault().write(environment, &[SecretWrite::new(CANARY_NAME, value)]).await.map(|_| ())
    }

    /// Opens the organization as another machine of this person does, and every secret of an environment.
    pub async fn read_anew(&self, state: &StateDir, environment: &NsId) -> Result<(), Error> {
        let org = self.account.organizations()[0];
        self.account.open(org, state).await?.read_all(environment).map(|_| ())
    }

    /// Writes from that other machine.
    pub async fn write_anew(&self, state: &StateDir, environment: &NsId) -> Result<(), Error> {
        let org = self.account.organizations()[0];
        let mut vault = self.account.open(org, state).await?;
        vault.write(environment, &[SecretWrite::new(CANARY_NAME, CANARY)]).await.map(|_| ())
    }

    /// Invites somebody, who joins, and gives access.
    pub async fn admit(&mut self, newcomer: &mut Person, role: u8, access: &[(NsId, u8)]) {
        let access = access.iter().map(|(ns_id, permissions)| (*ns_id, *permissions, 0)).collect();
        let invite = NewInvite { name: newcomer.name.to_owned(), role, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
        let code = self.vault().invite(&invite).await.expect("an invite");
        let mut vault = newcomer.account.join(&code, &newcomer.state).await.expect("a join");
        self.vault().sync().await.expect("the join verifies");
        let id = newcomer.account.identity().id();
        self.vault().grant_intended(&id).await.expect("access");
        vault.sync().await.expect("access arrives");
        newcomer.vault = Some(vault);
    }
}

/// A connection of one more machine.
pub fn connect(server: &LyingServer) -> Client {
    Client::new(&server.origin(), Options::default()).expect("an origin")
}

fn state_of(folder: &Path, name: &str) -> StateDir {
    StateDir::open(folder.join(name)).expect("a state folder")
}
