//! Identity bundles: the public keys of one identity at one generation, signed by themselves.

use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, KeyId};
use crate::sign::{Domain, Signed, check_public_key};
use crate::{canon::Canon, hash, record};

/// Length of an X-Wing public key (ML-KEM-768 encapsulation key, then X25519).
pub const KEM_PK_LEN: usize = 1216;

/// Kind numbers of a bundle.
pub mod kind {
    /// A person.
    pub const PERSON: u8 = 1;
    /// A machine: agent, CI job, service.
    pub const MACHINE: u8 = 2;
    /// A break-glass identity.
    pub const RECOVERY: u8 = 3;
}

record! {
    /// The public half of an identity.
    pub struct Bundle {
        /// Format version, 1.
        1 => v: u64,
        /// Suite of the keys.
        2 => suite: u64,
        /// Who.
        3 => identity_id: IdentityId,
        /// One of [`kind`].
        4 => kind: u8,
        /// Ed25519 key of statements.
        5 => sign_pk: [u8; 32],
        /// Ed25519 key of login assertions.
        6 => auth_pk: [u8; 32],
        /// X-Wing key of wraps.
        7 => kem_pk: [u8; KEM_PK_LEN],
        /// Rises with each new set of keys.
        8 => generation: u64,
        /// When it was made, epoch milliseconds.
        9 => created_ms: u64,
    }
}

impl Bundle {
    /// Verifies a signed bundle: canonical, known suite and kind, sound keys, self-signed. Returns it with its `key_id`.
    pub fn verify(signed: &Signed) -> Result<(Bundle, KeyId), Fault> {
        let bundle = Bundle::from_bytes(signed.payload())?;
        if bundle.v != crate::FORMAT || bundle.suite != crate::SUITE {
            return Err(Fault::new(Code::Upgrade, "an identity of an unknown version or suite: upgrade required"));
        }
        if !(kind::PERSON..=kind::RECOVERY).contains(&bundle.kind) {
            return Err(Fault::new(Code::Upgrade, "an identity of an unknown kind: upgrade required"));
        }
        check_public_key(&bundle.sign_pk)?;
        check_public_key(&bundle.auth_pk)?;
        if bundle.sign_pk == bundle.auth_pk {
            return Err(Fault::new(Code::WeakKey, "statement and login keys must differ"));
        }
        check_kem_pk(&bundle.kem_pk)?;
        signed.verify(&bundle.sign_pk, Domain::Bundle)?;
        Ok((bundle, key_id(signed.payload())))
    }
}

/// `key_id = H(0x0103, payload)`.
pub fn key_id(payload: &[u8]) -> KeyId {
    KeyId(hash::hash(hash::KEY_ID, payload).0)
}

/// Refuses X-Wing keys to which nobody could wrap, or for which libraries disagree: one such member would hold up every epoch.
pub fn check_kem_pk(kem_pk: &[u8; KEM_PK_LEN]) -> Result<(), Fault> {
    let (ml_kem, x25519) = kem_pk.split_at(ML_KEM_PK_LEN);
    check_ml_kem(ml_kem)?;
    check_x25519(x25519)
}

/// The ML-KEM-768 half: 768 coefficients of 12 bits, then a seed of 32 bytes.
const ML_KEM_PK_LEN: usize = KEM_PK_LEN - 32;
/// The modulus of ML-KEM.
const Q: u16 = 3329;

/// The modulus check of FIPS 203 section 7.2: every coefficient is below q.
fn check_ml_kem(key: &[u8]) -> Result<(), Fault> {
    let (coefficients, _seed) = key.split_at(key.len().saturating_sub(32));
    let reduced = |three: &[u8]| match *three {
        [a, b, c] => (u16::from(a) | (u16::from(b & 0xf) << 8)) < Q && ((u16::from(b) >> 4) | (u16::from(c) << 4)) < Q,
        _ => false,
    };
    if coefficients.chunks(3).all(reduced) {
        return Ok(());
    }
    Err(Fault::new(Code::WeakKey, "the ML-KEM half of an X-Wing key is not reduced"))
}

/// The X25519 half must not be a point of small order (RFC 7748 section 6.1): their u coordinates, little-endian, high bit cleared.
const SMALL_ORDER_U: [[u8; 32]; 7] = {
    const fn fill(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    [
        fill(0, 0, 0),
        fill(1, 0, 0),
        fill(0xec, 0xff, 0x7f),
        fill(0xed, 0xff, 0x7f),
        fill(0xee, 0xff, 0x7f),
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c,
            0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58,
            0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
    ]
};

fn check_x25519(key: &[u8]) -> Result<(), Fault> {
    let Ok(mut u) = <[u8; 32]>::try_from(key) else { return Err(Fault::new(Code::WeakKey, "the X-Wing key has another length")) };
    u[31] &= 0x7f;
    if SMALL_ORDER_U.contains(&u) {
        return Err(Fault::new(Code::WeakKey, "the X25519 half of an X-Wing key is of small order"));
    }
    Ok(())
}
