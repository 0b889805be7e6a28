//! The file `device.key`: what an enrolled device keeps so that later commands need no password.
//!
//! Lines of `name = value`, all of them, each once, in this order. Whoever reads the file can act as its owner: the writer makes it 0600.

use crate::armor::refused;
use crate::key::Key;
use crate::origin;
use crate::slot::{SecretKey, SlotKey};
use keyvawlt_ledger::{AccountId, Fault, SlotId};
use std::fmt;
use zeroize::Zeroizing;

const HEADER: &str = "# KeyVawlt device key, version 1. Whoever reads this file can act as you: never copy it, never commit it.";

/// An enrolled device.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// The server.
    pub origin: String,
    /// The account.
    pub account_id: AccountId,
    /// The device's slot.
    pub slot_id: SlotId,
    /// The slot's key.
    pub key: Key,
    /// For a new password, which needs it.
    pub secret_key: SecretKey,
}

impl DeviceKey {
    /// The slot's key, for login and for the account key.
    pub fn slot_key(&self) -> SlotKey {
        SlotKey::device(self.key.clone())
    }

    /// The file's text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(hex::encode(self.key.expose()));
        let secret_key = self.secret_key.to_text();
        Zeroizing::new(format!(
            "{HEADER}\norigin = {}\naccount = {}\nslot = {}\nkey = {}\nsecret-key = {}\n",
            self.origin, self.account_id, self.slot_id, *key, *secret_key
        ))
    }

    /// Reads the file.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut next = |name: &'static str| {
            let line = lines.next().and_then(|line| line.split_once('=')).filter(|(key, _)| key.trim() == name);
            line.map(|(_, value)| value.trim())
                .ok_or_else(|| refused(format!("the device key file has no line `{name} = …` where it belongs")))
        };
        let origin = next("origin")?.to_owned();
        origin::check(&origin)?;
        let account_id = next("account")?.parse()?;
        let slot_id = next("slot")?.parse()?;
        let key = key_from_hex(next("key")?)?;
        let secret_key = SecretKey::parse(next("secret-key")?)?;
        if lines.next().is_some() {
            return Err(refused("the device key file has lines this program does not know: upgrade required"));
        }
        Ok(Self { origin, account_id, slot_id, key, secret_key })
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey(account {}, slot {})", self.account_id, self.slot_id)
    }
}

fn key_from_hex(text: &str) -> Result<Key, Fault> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, bytes.as_mut()).map_err(|_| refused("the device key's `key` is not 64 hexadecimal digits"))?;
    Ok(Key::from_bytes(*bytes))
}
