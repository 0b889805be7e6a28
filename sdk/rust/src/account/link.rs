//! A new device by a code: it shows twelve words, an enrolled device of the same person seals to it what it needs, and the server only relays.
//!
//! The code keeps the server from exchanging the new device's key. What keeps it from sealing an account of its own to that key is the person,
//! who compares the identity's words on both devices before the new one keeps anything.

use crate::account::Account;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::random::rng;
use crate::sync::space::unverified;
use crate::wire::{Client, rpc};
use bytes::Bytes;
use keyvawlt_crypto::account::SlotKey;
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::link::{LinkCode, LinkKeys, LinkedDevice};
use keyvawlt_crypto::{Key, Zeroizing, safety_words};
use keyvawlt_ledger::{Code, Fault};
use keyvawlt_proto::v1;

/// A device that waits to be linked.
#[derive(Debug)]
pub struct LinkOffer {
    client: Client,
    keys: LinkKeys,
}

/// What the other device sent. Nothing of it is kept before its words were compared.
#[derive(Debug)]
pub struct Linked {
    client: Client,
    linked: LinkedDevice,
}

impl Client {
    /// Asks to become one of somebody's devices: draws keys for this once, and leaves the public half at the server.
    pub async fn offer_link(&self) -> Result<LinkOffer> {
        self.check().await?;
        let keys = LinkKeys::random(&mut rng());
        let request = v1::OfferLinkRequest { link_id: Bytes::copy_from_slice(&keys.id().0), kem_pk: Bytes::copy_from_slice(keys.kem_pk()) };
        rpc::offer_link(self, None, request).await?;
        Ok(LinkOffer { client: self.clone(), keys })
    }
}

impl LinkOffer {
    /// What to show to the person, for the other device.
    pub fn code(&self) -> LinkCode {
        LinkCode { id: self.keys.id(), origin: None }
    }

    /// The same as a text to scan.
    pub fn text(&self) -> Result<Zeroizing<String>> {
        self.code().encode(self.client.origin()).map_err(Error::Refused)
    }

    /// What the other device sent, once it has. [`Error::Forbidden`] when the link has ended.
    pub async fn answer(&self) -> Result<Option<Linked>> {
        let request = v1::ReadLinkAnswerRequest { link_id: Bytes::copy_from_slice(&self.keys.id().0) };
        let answer = rpc::read_link_answer(&self.client, None, request).await?;
        if answer.sealed.is_empty() {
            return Ok(None);
        }
        let linked = self.keys.open(self.client.origin(), &answer.sealed).map_err(unverified)?;
        Ok(Some(Linked { client: self.client.clone(), linked }))
    }
}

impl Linked {
    /// The words of the identity that was sent; the other device shows the same.
    pub fn words(&self) -> [&'static str; 10] {
        safety_words(&self.linked.key_id)
    }

    /// The device's key, to be kept once the words are the same.
    pub fn device(&self) -> &DeviceKey {
        &self.linked.device
    }

    /// Unlocks, and holds what the server delivers against what the other device sent.
    pub async fn unlock(&self, pins: Option<&StateDir>) -> Result<Account> {
        let account = self.client.unlock_device(&self.linked.device, pins).await?;
        account.identity().check_against(&self.linked.key_id).map_err(unverified)?;
        if account.home.blob().generation < self.linked.generation {
            return Err(unverified(Fault::new(Code::Rollback, "the server shows older account data than the other device has seen")));
        }
        Ok(account)
    }

    /// Ends the way in that was made for this device, where it is not wanted.
    pub async fn decline(self) -> Result<()> {
        let account = self.client.unlock_device(&self.linked.device, None).await?;
        account.remove_slot(self.linked.device.slot_id).await
    }
}

impl Account {
    /// Lets the device that shows this code in, under a name that the server reads.
    pub async fn link_device(&self, code: &LinkCode, label: &str) -> Result<()> {
        if code.origin.as_deref().is_some_and(|origin| origin != self.client().origin()) {
            return Err(Error::invalid(
                "device code",
                format!("that device is at another server: {}", code.origin.as_deref().unwrap_or_default()),
            ));
        }
        let secret_key =
            self.secret_key.clone().ok_or_else(|| Error::invalid("Secret Key", "it is not known here: log in with it first"))?;
        let link_id = Bytes::copy_from_slice(&code.id.0);
        let request = v1::ReadLinkOfferRequest { link_id: link_id.clone() };
        let offer = self.session.call(async |client, token| rpc::read_link_offer(client, Some(token), request.clone()).await).await?;
        let key = Key::random(&mut rng());
        let slot = SlotKey::device(key.clone());
        let (origin, account_id, slot_id) = (self.client().origin().to_owned(), self.account_id, slot.slot_id());
        let device = DeviceKey { origin, account_id, slot_id, key, secret_key };
        let linked = LinkedDevice { device, key_id: self.identity.key_id(), generation: self.home.blob().generation };
        let sealed = linked.seal(&code.id, &offer.kem_pk, &mut rng()).map_err(unverified)?;
        self.add(&slot, v1::SlotType::Device, label).await?;
        let request = v1::AnswerLinkRequest { link_id, sealed: sealed.into() };
        let answered = self.session.call(async |client, token| rpc::answer_link(client, Some(token), request.clone()).await).await;
        if let Err(error) = answered {
            // A way in that nobody has must not stay.
            self.remove_slot(slot_id).await?;
            return Err(error);
        }
        Ok(())
    }
}
