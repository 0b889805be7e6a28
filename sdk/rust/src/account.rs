//! People: signing up, unlocking, and the account's sealed blob.
//!
//! Login and unlock never create keys: an account that is missing or does not open is an error, never a fresh start.

pub(crate) mod access;
pub(crate) mod breakglass;
pub(crate) mod home;
pub(crate) mod link;
pub(crate) mod rotate;

use crate::account::access::slot_bytes;
use crate::account::home::Home;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::organization::Founding;
use crate::random::{self, rng};
use crate::session::Session;
use crate::sync::space::unverified;
use crate::team::invites::Invitation;
use crate::vault::Vault;
use crate::wire::{Client, rpc};
use bytes::Bytes;
use keyvawlt_crypto::account::{AccountBlob, OrgPin, SecretKey, SlotKey, claim, open_account_key, root_key, seal_account_key};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::{Identity, InviteCode, Key, Zeroizing, kit};
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{AccountId, Code, Fault, Hash, IdentityId, OrgId, Signed, SlotId};
use keyvawlt_proto::v1;
use prost::Message as _;
use std::sync::Arc;

/// The file in which a device remembers which account data it has seen.
const PIN_FILE: &str = "account.pin";

/// The file with that data itself, sealed.
const HELD_FILE: &str = "account.held";

/// An unlocked account.
#[derive(Debug)]
pub struct Account {
    pub(crate) session: Session,
    pub(crate) account_id: AccountId,
    pub(crate) secret_key: Option<SecretKey>,
    pub(crate) home: Box<Home>,
    pub(crate) identity: Arc<Identity>,
    email: String,
    email_verified: bool,
}

/// A fresh account, and what its owner must keep.
#[derive(Debug)]
pub struct NewAccount {
    /// The account, unlocked.
    pub account: Account,
    /// Shown once.
    pub secret_key: SecretKey,
    /// The page to print.
    pub kit: Zeroizing<String>,
}

impl Client {
    /// Makes an account: identity, Secret Key and account key are drawn here, and only sealed forms are sent.
    pub async fn sign_up(&self, email: &str, password: &str) -> Result<NewAccount> {
        let identity = Identity::make(kind::PERSON, self.clock().now_ms(), &mut rng());
        self.begin(email, password, identity).await
    }

    /// Makes another account for an identity of which every way in and every key is lost. Nobody knows its new keys yet: an admin resets them.
    pub async fn sign_up_again(&self, email: &str, password: &str, identity_id: IdentityId) -> Result<NewAccount> {
        // Each rotation adds one to a generation: milliseconds are far ahead of any.
        let now_ms = self.clock().now_ms();
        let identity = Identity::derive(Key::random(&mut rng()), identity_id, kind::PERSON, now_ms, now_ms);
        self.begin(email, password, identity).await
    }

    async fn begin(&self, email: &str, password: &str, identity: Identity) -> Result<NewAccount> {
        check_password(password)?;
        self.check().await?;
        let secret_key = SecretKey::random(&mut rng());
        let account_id = AccountId(random::bytes());
        let ak = Key::random(&mut rng());
        let slot = SlotKey::password(stretch(password.to_owned(), secret_key.clone(), account_id).await?);
        let blob = AccountBlob::new(&identity);
        let request = v1::SignUpRequest {
            request_id: Bytes::copy_from_slice(&random::bytes::<16>()),
            account_id: Bytes::copy_from_slice(&account_id.0),
            email: email.to_owned(),
            bundle: Some(statement(identity.signed_bundle())),
            claim: Some(statement(&claim(&identity, &account_id, self.origin()))),
            slots: vec![sealed_slot(&slot, slot.slot_id(), v1::SlotType::Password, &account_id, &ak, "")],
            blob: blob.seal(&ak, &account_id, &mut rng()).into(),
        };
        rpc::sign_up(self, None, request).await?;
        let kit = kit::text(&account_id, email, self.origin(), &secret_key);
        let session = Session::by_slot(self.clone(), Subject::Slot(account_id, slot.slot_id()), slot);
        let account = Account {
            session: session.clone(),
            account_id,
            secret_key: Some(secret_key.clone()),
            home: Box::new(Home::new(session, account_id, ak, blob)),
            identity: Arc::new(identity),
            email: email.to_owned(),
            email_verified: false,
        };
        Ok(NewAccount { account, secret_key, kit })
    }

    /// Unlocks with password and Secret Key.
    pub async fn log_in(&self, account_id: AccountId, secret_key: &SecretKey, password: &str, pins: Option<&StateDir>) -> Result<Account> {
        let slot = SlotKey::password(stretch(password.to_owned(), secret_key.clone(), account_id).await?);
        let slot_id = slot.slot_id();
        Account::unlock(self, account_id, slot, slot_id, Some(secret_key.clone()), pins).await
    }

    /// Unlocks with an enrolled device's key.
    pub async fn unlock_device(&self, device: &DeviceKey, pins: Option<&StateDir>) -> Result<Account> {
        if device.origin != self.origin() {
            return Err(Error::invalid(
                "address",
                format!("this device is enrolled at {}: log in again for another server", device.origin),
            ));
        }
        Account::unlock(self, device.account_id, device.slot_key(), device.slot_id, Some(device.secret_key.clone()), pins).await
    }
}

impl Account {
    pub(crate) async fn unlock(
        client: &Client,
        account_id: AccountId,
        slot: SlotKey,
        slot_id: SlotId,
        secret_key: Option<SecretKey>,
        pins: Option<&StateDir>,
    ) -> Result<Self> {
        let session = Session::by_slot(client.clone(), Subject::Slot(account_id, slot_id), slot.clone());
        let read = session.call(async |client, token| rpc::read_account(client, Some(token), v1::ReadAccountRequest {}).await).await?;
        let ak = open_account_key(&slot, &account_id, &slot_id, &read.sealed_account_key).map_err(unverified)?;
        let home = Box::new(Home::open(session.clone(), account_id, ak, &read)?);
        let identity = Arc::new(home.blob().identity().map_err(unverified)?);
        if let Some(pins) = pins {
            check_pin(pins, &account_id, home.blob().generation)?;
        }
        Ok(Self { session, account_id, secret_key, home, identity, email: read.email, email_verified: read.email_verified })
    }

    /// The account's id, which the Emergency Kit shows.
    pub fn id(&self) -> AccountId {
        self.account_id
    }

    /// The person's identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The address on record.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Whether the address was confirmed: before that, no mail but the code is sent to it.
    pub fn email_verified(&self) -> bool {
        self.email_verified
    }

    /// The server.
    pub fn client(&self) -> &Client {
        self.session.client()
    }

    /// The organizations this account has joined. The server cannot add to them.
    pub fn organizations(&self) -> &[OrgId] {
        &self.home.blob().org_ids
    }

    /// Confirms the e-mail address with the mailed code.
    pub async fn verify_email(&mut self, code: &str) -> Result<()> {
        let request = v1::VerifyEmailRequest { code: code.trim().to_owned() };
        self.session.call(async |client, token| rpc::verify_email(client, Some(token), request.clone()).await).await?;
        self.email_verified = true;
        Ok(())
    }

    /// Has another code mailed.
    pub async fn resend_email_code(&self) -> Result<()> {
        let resend = async |client: &Client, token: &str| rpc::resend_email_code(client, Some(token), v1::ResendEmailCodeRequest {}).await;
        self.session.call(resend).await.map(|_| ())
    }

    /// Enrols this device: a slot whose key stays here. The label is what its owner calls it; the server reads it.
    pub async fn enrol_device(&self, label: &str) -> Result<DeviceKey> {
        let secret_key =
            self.secret_key.clone().ok_or_else(|| Error::invalid("Secret Key", "unlock with password and Secret Key first"))?;
        let key = Key::random(&mut rng());
        let slot_id = self.add(&SlotKey::device(key.clone()), v1::SlotType::Device, label).await?;
        Ok(DeviceKey { origin: self.client().origin().to_owned(), account_id: self.account_id, slot_id, key, secret_key })
    }

    /// Removes a way in.
    pub async fn remove_slot(&self, slot_id: SlotId) -> Result<()> {
        let request = v1::RemoveSlotRequest { slot_id: slot_bytes(&slot_id) };
        self.session.call(async |client, token| rpc::remove_slot(client, Some(token), request.clone()).await).await.map(|_| ())
    }

    /// Opens an organization this account has joined. `Error::Forbidden` of one that it never opened before may also mean that founding or joining
    /// it did not come to an end: [`Account::forget`] takes it off the list, joining again with the same invite ends it.
    pub async fn open(&self, org_id: OrgId, state: &StateDir) -> Result<Vault> {
        if !self.organizations().contains(&org_id) {
            return Err(unverified(Fault::new(Code::UnknownOrg, "this account has not joined that organization")));
        }
        let mut vault = self.remembered(org_id, state, None).await?;
        vault.sync().await?;
        Ok(vault)
    }

    /// Founds an organization, and opens it. It is on the account's list before anything of it is sent, so that it cannot be lost.
    pub async fn found(&mut self, name: &str, state: &StateDir) -> Result<Vault> {
        let founding = Founding::new(&self.session, &self.identity, name)?;
        let mut vault = self.remembered(founding.org_id, state, None).await?;
        self.enter(founding.org_id, &mut vault).await?;
        match vault.found(founding).await {
            Ok(()) => {}
            // The server says that there is no such organization.
            Err(refused @ (Error::Refused(_) | Error::Invalid { .. } | Error::RateLimited { .. } | Error::Forbidden)) => {
                self.forget(vault.org_id()).await?;
                return Err(refused);
            }
            // Whether it got there is not known: it stays on the list.
            Err(error) => return Err(error),
        }
        vault.name_organization(name).await?;
        self.follow(&vault);
        Ok(vault)
    }

    /// Takes an organization off the account's list, such as one that was never made because the connection broke. The account's other devices
    /// will not open it either; what is remembered here stays.
    pub async fn forget(&mut self, org_id: OrgId) -> Result<()> {
        let forget = |blob: &mut AccountBlob, pins: &mut Vec<OrgPin>| {
            blob.org_ids.retain(|listed| *listed != org_id);
            pins.retain(|pin| pin.org_id != org_id);
        };
        Box::pin(self.home.update(forget)).await
    }

    /// Joins an organization by an invite code, and opens it. What the code says of the chain is remembered, and the organization on the
    /// account's list, before the join is sent: a join that broke off is repeated with the same code.
    pub async fn join(&mut self, code: &InviteCode, state: &StateDir) -> Result<Vault> {
        if code.origin != self.client().origin() {
            return Err(Error::invalid("invite code", format!("it is for the server {}", code.origin)));
        }
        let invitation = Invitation::new(self.client().clone(), code.clone());
        let mut vault = self.remembered(code.org_id, state, Some((code.seq, code.link_hash))).await?;
        // A join of which the answer was lost has used the invite up, which then opens nothing more.
        if self.organizations().contains(&code.org_id) {
            match vault.sync().await {
                Err(Error::Forbidden) => {}
                outcome => return outcome.map(|()| vault),
            }
        }
        vault.start_from(invitation.verify().await?)?;
        self.enter(code.org_id, &mut vault).await?;
        invitation.accept(&self.identity).await?;
        vault.sync().await?;
        Box::pin(vault.roam()).await;
        self.follow(&vault);
        Ok(vault)
    }

    /// The identity with every generation of its keys, the newest last.
    fn generations(&self) -> Vec<Arc<Identity>> {
        let blob = self.home.blob();
        let earlier = blob.seeds.iter().filter(|row| row.generation != self.identity.generation());
        let earlier = earlier.filter_map(|row| blob.identity_of(row.generation)).map(Arc::new);
        earlier.chain(std::iter::once(Arc::clone(&self.identity))).collect()
    }

    pub(crate) async fn remembered(&self, org_id: OrgId, state: &StateDir, anchor: Option<(u64, Hash)>) -> Result<Vault> {
        let vault = Vault::remembered(self.session.clone(), self.generations(), org_id, state, anchor).await?;
        Ok(vault.of_account(self.home.clone()))
    }

    /// Adds an organization to the sealed list.
    pub(crate) async fn enter(&mut self, org_id: OrgId, vault: &mut Vault) -> Result<()> {
        let enter = |blob: &mut AccountBlob, _: &mut Vec<OrgPin>| {
            if !blob.org_ids.contains(&org_id) {
                blob.org_ids.push(org_id);
            }
        };
        Box::pin(self.home.update(enter)).await?;
        vault.home = Some(self.home.clone());
        Ok(())
    }

    /// Takes over what a vault has changed of the sealed data.
    pub(crate) fn follow(&mut self, vault: &Vault) {
        if let Some(home) = &vault.home {
            self.home.clone_from(home);
        }
    }

    /// Notes in a state directory which account data this device has seen.
    pub fn pin(&self, pins: &StateDir) -> Result<()> {
        let pin = format!("{} {}\n", self.account_id, self.home.blob().generation);
        if pins.read(PIN_FILE)?.as_deref() == Some(pin.as_bytes()) {
            return Ok(());
        }
        let (held, _) = StateDir::checked(self.home.held().encode_to_vec());
        pins.write(HELD_FILE, &held)?;
        pins.write(PIN_FILE, pin.as_bytes())
    }

    /// Gives a server that was restored from a backup the account data that this device has seen. The account was unlocked without pins: what the
    /// server shows is older.
    pub async fn bring_back(&mut self, pins: &StateDir) -> Result<()> {
        let damaged = || Error::Storage { path: pins.path().join(HELD_FILE), why: "the file is damaged: move it away".to_owned() };
        if let Some(bytes) = pins.read_checked(HELD_FILE, None, damaged)? {
            let held = v1::ReadAccountResponse::decode(bytes.as_slice()).map_err(|_| damaged())?;
            Box::pin(self.home.bring_back(&held)).await?;
            self.identity = Arc::new(self.home.blob().identity().map_err(unverified)?);
        }
        check_pin(pins, &self.account_id, self.home.blob().generation)
    }

    /// An organization as this device remembers it, whatever the server says of it now.
    pub async fn open_remembered(&self, org_id: OrgId, state: &StateDir) -> Result<Vault> {
        self.remembered(org_id, state, None).await
    }
}

/// A server cannot take a device back to older account data.
fn check_pin(pins: &StateDir, account_id: &AccountId, generation: u64) -> Result<()> {
    let Some(bytes) = pins.read(PIN_FILE)? else { return Ok(()) };
    let damaged =
        || Error::Storage { path: pins.path().join(PIN_FILE), why: "the file is damaged: move it away and log in again".to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let (account, pinned) = text.trim().split_once(' ').ok_or_else(damaged)?;
    let pinned: u64 = pinned.parse().map_err(|_| damaged())?;
    if account == account_id.to_string() && generation < pinned {
        return Err(unverified(Fault::new(Code::Rollback, "the server shows older account data than this device has seen")));
    }
    Ok(())
}

/// Argon2id takes a good part of a second: off the runtime's threads.
pub(crate) async fn stretch(password: String, secret_key: SecretKey, account_id: AccountId) -> Result<Key> {
    let password = Zeroizing::new(password);
    tokio::task::spawn_blocking(move || root_key(&password, &secret_key, &account_id))
        .await
        .map_err(|_| Error::invalid("password", "there is not enough memory to stretch it"))
}

/// The shortest password taken: with the Secret Key it is the second factor of a stolen database, not the only one.
const MIN_PASSWORD: usize = 8;

pub(crate) fn check_password(password: &str) -> Result<()> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(Error::invalid("password", format!("it must have at least {MIN_PASSWORD} characters")));
    }
    Ok(())
}

pub(crate) fn sealed_slot(slot: &SlotKey, slot_id: SlotId, kind: v1::SlotType, account_id: &AccountId, ak: &Key, label: &str) -> v1::Slot {
    v1::Slot {
        slot_id: Bytes::copy_from_slice(&slot_id.0),
        r#type: kind.into(),
        login_pk: Bytes::copy_from_slice(slot.login_key().verifying_key().as_bytes()),
        sealed_account_key: seal_account_key(slot, account_id, &slot_id, ak, &mut rng()).into(),
        label: label.to_owned(),
    }
}

/// A signed object as the wire carries it.
pub(crate) fn statement(signed: &Signed) -> v1::SignedStatement {
    v1::SignedStatement { payload: Bytes::copy_from_slice(signed.payload()), signature: Bytes::copy_from_slice(&signed.sig) }
}
