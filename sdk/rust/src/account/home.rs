//! An account's sealed data at the server: which organizations it belongs to, and the pins that its other devices start from.
//!
//! Whoever changes it starts from the newest; when another device was first, it is read again. It never goes back.

use crate::account::statement;
use crate::error::{Error, Result};
use crate::random::rng;
use crate::session::Session;
use crate::sync::space::unverified;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_crypto::account::{AccountBlob, OrgPin, Pins, open_pins, seal_pins};
use keyvawlt_crypto::{Identity, Key};
use keyvawlt_ledger::{AccountId, Code, FORMAT, Fault, OrgId, Signed};
use keyvawlt_proto::v1;

/// How often a change is made anew because another device was first.
const REBASES: u32 = 8;

/// The sealed data, open.
#[derive(Clone)]
pub(crate) struct Home {
    session: Session,
    account_id: AccountId,
    ak: Key,
    blob: AccountBlob,
    pins: Vec<OrgPin>,
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Home({:?})", self.blob)
    }
}

impl Home {
    /// Of a new account.
    pub(crate) fn new(session: Session, account_id: AccountId, ak: Key, blob: AccountBlob) -> Self {
        Self { session, account_id, ak, blob, pins: vec![] }
    }

    /// As the server delivers it. Pins that the blob names must be there.
    pub(crate) fn open(session: Session, account_id: AccountId, ak: Key, read: &v1::ReadAccountResponse) -> Result<Self> {
        let blob = AccountBlob::open(&ak, &account_id, read.generation, &read.blob).map_err(unverified)?;
        let pins = match blob.pins {
            0 => vec![],
            generation => open_pins(&ak, &account_id, generation, &read.pins).map_err(unverified)?.organizations,
        };
        Ok(Self { session, account_id, ak, blob, pins })
    }

    /// Goes on by another way into the same account.
    pub(crate) fn go_on_by(&mut self, session: &Session) {
        self.session = session.clone();
    }

    pub(crate) fn blob(&self) -> &AccountBlob {
        &self.blob
    }

    pub(crate) fn key(&self) -> &Key {
        &self.ak
    }

    /// How far any of the account's devices has verified an organization.
    pub(crate) fn pin(&self, org_id: &OrgId) -> Option<&OrgPin> {
        self.pins.iter().find(|pin| pin.org_id == *org_id)
    }

    /// Changes the sealed data; changes it again, as it then is, when another device was first.
    pub(crate) async fn update(&mut self, change: impl Fn(&mut AccountBlob, &mut Vec<OrgPin>)) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.attempt(&change).await {
                Err(Error::Conflict { .. }) if tries < REBASES => {
                    tries += 1;
                    self.read_again().await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Adds the identity's next keys, and has the account act with them. Fails when another device did so first.
    pub(crate) async fn renew_identity(&mut self, next: &Identity, claim: &Signed) -> Result<()> {
        let mut tries = 0;
        loop {
            if let Some(held) = self.blob.identity_of(next.generation()) {
                let same = held.key_id() == next.key_id();
                let why = "another device of this account changed the keys first".to_owned();
                return if same { Ok(()) } else { Err(Error::Conflict { why }) };
            }
            let mut blob = self.blob.clone();
            blob.generation += 1;
            blob.add(next);
            let mut request = self.sealed(&blob, &self.ak);
            (request.bundle, request.claim) = (Some(statement(next.signed_bundle())), Some(statement(claim)));
            match self.send(request).await {
                Ok(()) => {
                    self.blob = blob;
                    return Ok(());
                }
                Err(Error::Conflict { .. }) if tries < REBASES => {
                    tries += 1;
                    self.read_again().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The sealed data, to be kept on this device.
    pub(crate) fn held(&self) -> v1::ReadAccountResponse {
        let v1::UpdateAccountRequest { blob, generation, .. } = self.sealed(&self.blob, &self.ak);
        v1::ReadAccountResponse { blob, generation, pins: self.sealed_pins(self.blob.pins, &self.pins), ..Default::default() }
    }

    /// Gives a server that was restored from a backup the newer data that this device kept: as many generations as it lost.
    pub(crate) async fn bring_back(&mut self, held: &v1::ReadAccountResponse) -> Result<()> {
        let newest = Self::open(self.session.clone(), self.account_id, self.ak.clone(), held)?;
        while self.blob.generation < newest.blob.generation {
            let mut blob = newest.blob.clone();
            blob.generation = self.blob.generation + 1;
            blob.pins = if blob.pins == 0 { 0 } else { blob.generation };
            let pins = self.sealed_pins(blob.pins, &newest.pins);
            self.send(v1::UpdateAccountRequest { pins, ..self.sealed(&blob, &self.ak) }).await?;
            (self.blob, self.pins) = (blob, newest.pins.clone());
        }
        Ok(())
    }

    /// Pins of a generation; 0 for none.
    fn sealed_pins(&self, generation: u64, pins: &[OrgPin]) -> Bytes {
        if generation == 0 {
            return Bytes::new();
        }
        let pins = Pins { v: FORMAT, generation, organizations: pins.to_vec() };
        seal_pins(&self.ak, &self.account_id, &pins, &mut rng()).into()
    }

    /// Seals everything under another account key, which the given ways in open from then on, and no other.
    pub(crate) async fn rekey(&mut self, ak: &Key, slots: Vec<v1::Slot>, session: &Session) -> Result<()> {
        let mut blob = self.blob.clone();
        blob.generation += 1;
        let mut request = self.sealed(&blob, ak);
        if blob.pins != 0 {
            blob.pins = blob.generation;
            let pins = Pins { v: FORMAT, generation: blob.pins, organizations: self.pins.clone() };
            request = self.sealed(&blob, ak);
            request.pins = seal_pins(ak, &self.account_id, &pins, &mut rng()).into();
        }
        request.slots = slots;
        let sent = self.send(request.clone()).await;
        let next = Self { session: session.clone(), account_id: self.account_id, ak: ak.clone(), blob, pins: self.pins.clone() };
        if let Err(error) = sent {
            // The way in that called may have ended with this very call, before its answer came.
            let read = async |client: &crate::Client, token: &str| rpc::read_account(client, Some(token), v1::ReadAccountRequest {}).await;
            let told = session.call(read).await;
            if !told.is_ok_and(|read| read.generation == next.blob.generation && read.blob == request.blob) {
                return Err(error);
            }
        }
        *self = next;
        Ok(())
    }

    fn sealed(&self, blob: &AccountBlob, ak: &Key) -> v1::UpdateAccountRequest {
        let sealed = blob.seal(ak, &self.account_id, &mut rng()).into();
        v1::UpdateAccountRequest { blob: sealed, generation: blob.generation, ..v1::UpdateAccountRequest::default() }
    }

    async fn send(&self, request: v1::UpdateAccountRequest) -> Result<()> {
        self.session.call(async |client, token| rpc::update_account(client, Some(token), request.clone()).await).await.map(|_| ())
    }

    async fn attempt(&mut self, change: &impl Fn(&mut AccountBlob, &mut Vec<OrgPin>)) -> Result<()> {
        let (mut blob, mut pins) = (self.blob.clone(), self.pins.clone());
        change(&mut blob, &mut pins);
        if blob == self.blob && pins == self.pins {
            return Ok(());
        }
        blob.generation += 1;
        let mut sealed_pins = Bytes::new();
        if pins != self.pins {
            blob.pins = blob.generation;
            let sealed = Pins { v: FORMAT, generation: blob.pins, organizations: pins.clone() };
            sealed_pins = seal_pins(&self.ak, &self.account_id, &sealed, &mut rng()).into();
        }
        self.send(v1::UpdateAccountRequest { pins: sealed_pins, ..self.sealed(&blob, &self.ak) }).await?;
        (self.blob, self.pins) = (blob, pins);
        Ok(())
    }

    async fn read_again(&mut self) -> Result<()> {
        let read = async |client: &crate::Client, token: &str| rpc::read_account(client, Some(token), v1::ReadAccountRequest {}).await;
        let newest = Self::open(self.session.clone(), self.account_id, self.ak.clone(), &self.session.call(read).await?)?;
        if newest.blob.generation < self.blob.generation {
            let why = "the server shows older account data than this device has seen";
            return Err(unverified(Fault::new(Code::Rollback, why)));
        }
        *self = newest;
        Ok(())
    }
}
