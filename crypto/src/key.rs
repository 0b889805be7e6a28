//! A 32-byte uniform key, and the two ways to derive one: HKDF-SHA256 (RFC 5869) and its expand step.
//!
//! A key wipes itself when dropped and prints nothing.

use hkdf::Hkdf;
use keyvawlt_ledger::{Code, Fault};
use rand_core::CryptoRng;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of every symmetric key and seed.
pub const KEY_LEN: usize = 32;

/// A secret of 32 uniform bytes: a namespace key, a DEK, an account key, a seed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY_LEN]);

impl Key {
    /// A fresh key.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; KEY_LEN]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// A key from bytes that are already uniform.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// A key that was just opened; anything but 32 bytes does not count as opened.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Fault> {
        let mut key = Self([0; KEY_LEN]);
        if bytes.len() != KEY_LEN {
            return Err(Fault::new(Code::Aead, crate::aead::UNOPENED));
        }
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// The bytes, for the primitive that needs them.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// `HK(salt, ikm, info, 32)`: extract and expand.
pub fn hk(salt: &[u8], ikm: &[u8], info: &[u8]) -> Key {
    let mut key = Key([0; KEY_LEN]);
    fill(&Hkdf::<Sha256>::new(Some(salt), ikm), info, &mut key.0);
    key
}

/// `HX(key, label, 32)`: expand only, since the key is uniform already.
pub fn hx(key: &Key, label: &str) -> Key {
    let mut derived = Key([0; KEY_LEN]);
    fill(&from_uniform(key), label.as_bytes(), &mut derived.0);
    derived
}

/// `HK(salt, ikm, info, N)` for the one place that needs more than a key.
pub(crate) fn hk_wide<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    let mut okm = Zeroizing::new([0; N]);
    fill(&Hkdf::<Sha256>::new(Some(salt), ikm), info, okm.as_mut());
    okm
}

fn from_uniform(key: &Key) -> Hkdf<Sha256> {
    Hkdf::from_prk(key.expose()).expect("32 bytes are a whole pseudo-random key of SHA-256")
}

fn fill(hkdf: &Hkdf<Sha256>, info: &[u8], out: &mut [u8]) {
    hkdf.expand(info, out).expect("every length asked for here is below HKDF's limit of 8160 bytes");
}
