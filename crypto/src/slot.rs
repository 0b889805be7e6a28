//! The ways into an account: Secret Key, recovery code, and slots, each of which seals the account key and logs in.
//!
//! Nothing is fetched before login: the parameters of the password's hash are constants of the account suite.

use crate::aead;
use crate::armor;
use crate::identity::signing_key;
use crate::key::{Key, hk, hx};
use argon2::{Algorithm, Argon2, Params, Version};
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::{AccountId, Fault, SlotId, context};
use rand_core::CryptoRng;
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The account suite: what unlock is made of, printed in the Emergency Kit.
pub const ACCOUNT_SUITE: u64 = 1;

/// Argon2id memory in KiB: RFC 9106's second recommended setting, 64 MiB, fits phones and costs a guess a tenth of a second.
const ARGON2_KIB: u32 = 64 * 1024;
/// Passes, of the same setting.
const ARGON2_PASSES: u32 = 3;
/// Lanes, of the same setting.
const ARGON2_LANES: u32 = 4;

/// What a slot is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotKind {
    /// Password and Secret Key.
    Password = 1,
    /// The recovery code.
    Recovery = 2,
    /// A passkey's PRF.
    Passkey = 3,
    /// An enrolled device.
    Device = 4,
}

/// Sixteen random bytes made at sign-up: without them a stolen database gives nothing to guess against.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Zeroizing<[u8; 16]>);

impl SecretKey {
    const NAME: &'static str = "a Secret Key";
    const PREFIX: &'static str = "KVS1";
    /// 16 + 4 bytes are 32 characters exactly.
    const CHECK: usize = 4;

    /// A new one.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self(Zeroizing::new([0; 16]));
        rng.fill_bytes(key.0.as_mut());
        key
    }

    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// `KVS1-XXXX-…`.
    pub fn to_text(&self) -> Zeroizing<String> {
        armor::spell(Self::PREFIX, self.0.as_ref(), Self::CHECK)
    }

    /// Reads what a person typed.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        armor::unspell(Self::NAME, Self::PREFIX, Self::CHECK, typed).map(Self)
    }
}

/// 256 random bits on paper: the way in when everything else is lost.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Key);

impl RecoveryCode {
    const NAME: &'static str = "a recovery code";
    const PREFIX: &'static str = "KVR1";
    /// 32 + 3 bytes are 56 characters exactly.
    const CHECK: usize = 3;

    /// A new one.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Key::random(rng))
    }

    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Key::from_bytes(bytes))
    }

    /// `KVR1-XXXX-…`.
    pub fn to_text(&self) -> Zeroizing<String> {
        armor::spell(Self::PREFIX, self.0.expose(), Self::CHECK)
    }

    /// Reads what a person typed.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        armor::unspell(Self::NAME, Self::PREFIX, Self::CHECK, typed).map(|bytes| Self(Key::from_bytes(*bytes)))
    }
}

/// The key of a password slot: Argon2id over the normalized password, salted by the Secret Key and the account.
///
/// # Panics
/// When the machine cannot give 64 MiB.
pub fn root_key(password: &str, secret_key: &SecretKey, account_id: &AccountId) -> Key {
    let password = Zeroizing::new(password.nfkc().collect::<String>());
    let salt = hk(b"kv1/account", secret_key.expose(), &context("kv1/pw", &[account_id.to_value()]));
    let params = Params::new(ARGON2_KIB, ARGON2_PASSES, ARGON2_LANES, Some(32)).expect("the suite's constants are within Argon2's limits");
    let mut root = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt.expose(), root.as_mut())
        .expect("64 MiB of memory");
    Key::from_bytes(*root)
}

/// The key of one slot, of any kind.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotKey(Key);

impl SlotKey {
    /// From [`root_key`].
    pub fn password(root: Key) -> Self {
        Self(root)
    }

    /// From the recovery code.
    pub fn recovery(code: &RecoveryCode) -> Self {
        Self(code.0.clone())
    }

    /// From a device's own random key.
    pub fn device(key: Key) -> Self {
        Self(key)
    }

    /// Signs the slot's login assertions.
    pub fn login_key(&self) -> SigningKey {
        signing_key(&self.0, "kv1/login")
    }

    /// Which slot it is: derived, so that a new device needs to know nothing but the key to ask for it.
    pub fn slot_id(&self) -> SlotId {
        let derived = hx(&self.0, "kv1/slot-id");
        let mut id = [0; SlotId::LEN];
        id.iter_mut().zip(derived.expose()).for_each(|(to, from)| *to = *from);
        SlotId(id)
    }

    fn sealing_key(&self) -> Key {
        hx(&self.0, "kv1/slot")
    }
}

macro_rules! opaque_debug {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}
opaque_debug!(SecretKey, RecoveryCode, SlotKey);

/// Seals the account key for one slot.
pub fn seal_account_key(slot: &SlotKey, account_id: &AccountId, slot_id: &SlotId, ak: &Key, rng: &mut impl CryptoRng) -> Vec<u8> {
    aead::seal(&slot.sealing_key(), &slot_ctx(account_id, slot_id), ak.expose(), rng)
}

/// Opens the account key with one slot. A wrong password never comes here: its login fails first.
pub fn open_account_key(slot: &SlotKey, account_id: &AccountId, slot_id: &SlotId, sealed: &[u8]) -> Result<Key, Fault> {
    let opened = aead::open(&slot.sealing_key(), &slot_ctx(account_id, slot_id), sealed).map_err(|_| crate::account::broken())?;
    Key::from_slice(&opened)
}

fn slot_ctx(account_id: &AccountId, slot_id: &SlotId) -> Vec<u8> {
    context("kv1/slot", &[account_id.to_value(), slot_id.to_value()])
}
