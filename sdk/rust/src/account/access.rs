//! The ways into one's account: password, Secret Key, recovery code, devices. Adding, listing, ending them.
//!
//! A new way in is there before an old one ends, so that whatever breaks off leaves one that opens. After a Secret Key or a device was lost
//! the account key itself is replaced: everything sealed under it, in one call, and every other way in ends with it.

use crate::account::{Account, check_password, sealed_slot, stretch};
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::random::rng;
use crate::session::Session;
use crate::sync::space::unverified;
use crate::wire::{Client, rpc};
use bytes::Bytes;
use keyvawlt_crypto::account::{RecoveryCode, SecretKey, SlotKey, SlotKind};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::{Key, Zeroizing, kit};
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::{AccountId, SlotId};
use keyvawlt_proto::v1;

/// A way into an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayIn {
    /// Which.
    pub id: SlotId,
    /// What opens it.
    pub kind: SlotKind,
    /// What its owner called it; the server reads this.
    pub label: String,
    /// When it was added, epoch milliseconds.
    pub created_ms: u64,
    /// The one this client came in by.
    pub own: bool,
}

/// What opens an account from now on, once [`Account::renew_access`] says that it does.
#[derive(Debug)]
pub struct NewAccess {
    /// Shown once.
    pub secret_key: SecretKey,
    /// The page to print.
    pub kit: Zeroizing<String>,
    /// This device's key, to be kept.
    pub device: DeviceKey,
    password: SlotKey,
    ak: Key,
}

impl Client {
    /// Unlocks with a recovery code, when everything else is lost.
    pub async fn recover(&self, account_id: AccountId, code: &RecoveryCode, pins: Option<&StateDir>) -> Result<Account> {
        let slot = SlotKey::recovery(code);
        let slot_id = slot.slot_id();
        Account::unlock(self, account_id, slot, slot_id, None, pins).await
    }
}

impl Account {
    /// All ways in, oldest first.
    pub async fn ways_in(&self) -> Result<Vec<WayIn>> {
        let list = async |client: &Client, token: &str| rpc::list_slots(client, Some(token), v1::ListSlotsRequest {}).await;
        let own = self.session.slot();
        let way = |slot: v1::ListedSlot| {
            let kind = match slot.r#type() {
                v1::SlotType::Password => SlotKind::Password,
                v1::SlotType::Recovery => SlotKind::Recovery,
                v1::SlotType::Passkey => SlotKind::Passkey,
                v1::SlotType::Device => SlotKind::Device,
                v1::SlotType::Unspecified => return Err(Error::Upgrade { why: "a way in of an unknown kind".to_owned() }),
            };
            let id = SlotId::from_slice(&slot.slot_id).map_err(unverified)?;
            Ok(WayIn { id, kind, label: slot.label, created_ms: slot.created_ms, own: own == Some(id) })
        };
        self.session.call(list).await?.slots.into_iter().map(way).collect()
    }

    /// Sets another password; the earlier one opens nothing any more. Needs no earlier password: an enrolled device is a way in.
    pub async fn change_password(&mut self, password: &str) -> Result<()> {
        check_password(password)?;
        let secret_key = self.secret_key.clone().ok_or_else(no_secret_key)?;
        let slot = SlotKey::password(stretch(password.to_owned(), secret_key, self.account_id).await?);
        let is_new = self.ways_in().await?.iter().all(|way| way.id != slot.slot_id());
        if is_new {
            self.add(&slot, v1::SlotType::Password, "").await?;
        }
        self.end_others(SlotKind::Password, slot.slot_id(), Some(&slot)).await
    }

    /// Makes a recovery code. An earlier one opens until [`Account::keep_recovery`].
    pub async fn make_recovery(&self) -> Result<RecoveryCode> {
        let code = RecoveryCode::random(&mut rng());
        self.add(&SlotKey::recovery(&code), v1::SlotType::Recovery, "").await?;
        Ok(code)
    }

    /// Ends every other recovery code, once this one is on paper.
    pub async fn keep_recovery(&mut self, code: &RecoveryCode) -> Result<()> {
        self.end_others(SlotKind::Recovery, SlotKey::recovery(code).slot_id(), None).await
    }

    /// Draws another Secret Key, account key and device key for a password. Nothing has changed yet: the kit is shown and the device's key kept
    /// first, then [`Account::renew_access`].
    pub async fn draw_access(&self, password: &str) -> Result<NewAccess> {
        check_password(password)?;
        let secret_key = SecretKey::random(&mut rng());
        let slot = SlotKey::password(stretch(password.to_owned(), secret_key.clone(), self.account_id).await?);
        let key = Key::random(&mut rng());
        let slot_id = SlotKey::device(key.clone()).slot_id();
        let (origin, account_id) = (self.client().origin().to_owned(), self.account_id);
        let kit = kit::text(&account_id, self.email(), &origin, &secret_key);
        let device = DeviceKey { origin, account_id, slot_id, key, secret_key: secret_key.clone() };
        Ok(NewAccess { secret_key, kit, device, password: slot, ak: Key::random(&mut rng()) })
    }

    /// Replaces the account key and every way in, by a password and a device's key. Earlier passwords, kits, recovery codes and devices open
    /// nothing any more.
    pub async fn renew_access(&mut self, access: &NewAccess, label: &str) -> Result<()> {
        let device = access.device.slot_key();
        let (account_id, ak) = (&self.account_id, &access.ak);
        let slots = vec![
            sealed_slot(&access.password, access.password.slot_id(), v1::SlotType::Password, account_id, ak, ""),
            sealed_slot(&device, access.device.slot_id, v1::SlotType::Device, account_id, ak, label),
        ];
        let session = Session::by_slot(self.client().clone(), Subject::Slot(self.account_id, access.device.slot_id), device);
        Box::pin(self.home.rekey(ak, slots, &session)).await?;
        self.session = session;
        self.secret_key = Some(access.secret_key.clone());
        Ok(())
    }

    /// Adds a way in.
    pub(crate) async fn add(&self, slot: &SlotKey, kind: v1::SlotType, label: &str) -> Result<SlotId> {
        let slot_id = slot.slot_id();
        let slot = Some(sealed_slot(slot, slot_id, kind, &self.account_id, self.home.key(), label));
        let request = v1::AddSlotRequest { slot };
        self.session.call(async |client, token| rpc::add_slot(client, Some(token), request.clone()).await).await?;
        Ok(slot_id)
    }

    /// Ends every other way in of this kind. Whoever came in by one of them goes on by `kept`.
    async fn end_others(&mut self, kind: SlotKind, keep: SlotId, kept: Option<&SlotKey>) -> Result<()> {
        let others = self.ways_in().await?.into_iter().filter(|way| way.kind == kind && way.id != keep);
        let others: Vec<WayIn> = others.collect();
        if let (Some(kept), true) = (kept, others.iter().any(|way| way.own)) {
            let session = Session::by_slot(self.client().clone(), Subject::Slot(self.account_id, keep), kept.clone());
            self.home.go_on_by(&session);
            self.session = session;
        }
        for way in others {
            match self.remove_slot(way.id).await {
                // Ended by a call whose answer was lost, or by another device.
                Ok(()) | Err(Error::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends a way in by the beginning of its id; gives the one that was meant.
    pub async fn end_way_in(&self, beginning: &str) -> Result<WayIn> {
        let ways = self.ways_in().await?;
        let meant: Vec<&WayIn> = ways.iter().filter(|way| is_meant(way, beginning)).collect();
        let way = match meant.as_slice() {
            [one] => (*one).clone(),
            [] => return Err(Error::not_found("device", beginning)),
            _ => return Err(Error::invalid("device", format!("{beginning} is not unique: use more of the id"))),
        };
        self.remove_slot(way.id).await?;
        Ok(way)
    }
}

/// The fewest digits of an id that name a way in; fewer are more likely a mistake.
const LEAST_ID: usize = 6;

fn is_meant(way: &WayIn, beginning: &str) -> bool {
    (!way.label.is_empty() && way.label == beginning) || (beginning.len() >= LEAST_ID && way.id.to_string().starts_with(beginning))
}

fn no_secret_key() -> Error {
    Error::invalid("Secret Key", "it is not known here: log in with password and Secret Key first")
}

/// The id of a slot as requests carry it.
pub(crate) fn slot_bytes(slot_id: &SlotId) -> Bytes {
    Bytes::copy_from_slice(&slot_id.0)
}
