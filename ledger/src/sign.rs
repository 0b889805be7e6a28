//! Ed25519 (RFC 8032) statements: `sig = Ed25519(sk, "KVSIG1" || 00 || u16(domain) || payload)`.
//!
//! Verification is strict and the same in every language: weak and non-canonical keys, small-order R and S ≥ ℓ are refused by the tables here,
//! before any library is asked, because libraries disagree on them.

use crate::fault::{Code, Fault};
use crate::limits::MAX_STATEMENT;
use crate::row;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// What a signature is for. A signature of one domain is worthless in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Organization link.
    OrgLink = 1,
    /// Manifest link.
    Manifest = 2,
    /// Identity bundle.
    Bundle = 3,
    /// Join under an invite.
    InviteJoin = 4,
    /// Health report.
    HealthReport = 5,
    /// An account's claim to an identity (made once, at sign-up).
    Account = 6,
}

row! {
    /// A payload with its signature, exactly as received.
    pub struct Signed {
        /// Canonical CBOR.
        payload: crate::canon::Blob,
        /// Ed25519 signature.
        sig: [u8; 64],
    }
}

impl Signed {
    /// Signs a payload.
    pub fn make(key: &SigningKey, domain: Domain, payload: Vec<u8>) -> Self {
        let sig = key.sign(&input(domain, &payload)).to_bytes();
        Self { payload: crate::canon::Blob(payload), sig }
    }

    /// From the two byte strings of the wire.
    pub fn from_parts(payload: &[u8], sig: &[u8]) -> Result<Self, Fault> {
        // Before anything decodes it: what is decoded takes many times the room.
        if payload.len() > MAX_STATEMENT {
            return Err(Fault::new(Code::Limit, format!("a signed statement must not exceed {MAX_STATEMENT} bytes")));
        }
        let sig = sig.try_into().map_err(|_| Fault::new(Code::Sig, "a signature must be 64 bytes"))?;
        Ok(Self { payload: crate::canon::Blob(payload.to_vec()), sig })
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload.0
    }

    /// Verifies strictly.
    pub fn verify(&self, public_key: &[u8; 32], domain: Domain) -> Result<(), Fault> {
        verify(public_key, domain, self.payload(), &self.sig)
    }

    /// `H(domain, payload || sig)`.
    pub fn hash(&self, domain: u16) -> crate::ids::Hash {
        crate::hash::hash_parts(domain, &[self.payload(), &self.sig])
    }
}

/// Verifies a signature strictly.
pub fn verify(public_key: &[u8; 32], domain: Domain, payload: &[u8], sig: &[u8; 64]) -> Result<(), Fault> {
    verify_raw(public_key, &input(domain, payload), sig)
}

/// Verifies a signature over bytes that carry their own domain separation (JWS).
pub fn verify_raw(public_key: &[u8; 32], message: &[u8], sig: &[u8; 64]) -> Result<(), Fault> {
    let key = sound_key(public_key)?;
    let (r, s) = sig.split_at(32);
    if is_small_order(r) || !is_canonical_point(r) || !is_reduced_scalar(s) {
        return Err(Fault::new(Code::Sig, "the signature is malformed"));
    }
    key.verify_strict(message, &Signature::from_bytes(sig)).map_err(|_| Fault::new(Code::Sig, "the signature does not verify"))
}

/// Refuses keys of small order, and encodings that a second library might read differently.
pub fn check_public_key(public_key: &[u8; 32]) -> Result<(), Fault> {
    sound_key(public_key).map(|_| ())
}

fn sound_key(public_key: &[u8; 32]) -> Result<VerifyingKey, Fault> {
    if is_small_order(public_key) || !is_canonical_point(public_key) {
        return Err(weak());
    }
    VerifyingKey::from_bytes(public_key).map_err(|_| weak())
}

fn input(domain: Domain, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(9 + payload.len());
    message.extend_from_slice(b"KVSIG1\0");
    message.extend_from_slice(&(domain as u16).to_be_bytes());
    message.extend_from_slice(payload);
    message
}

fn weak() -> Fault {
    Fault::new(Code::WeakKey, "a public key of small order or in a non-canonical form")
}

/// The y coordinates of the eight points of small order, and their non-canonical forms, sign bit cleared (little-endian).
const SMALL_ORDER_Y: [[u8; 32]; 7] = [
    y(0x00, 0x00, 0x00),
    y(0x01, 0x00, 0x00),
    y(0xec, 0xff, 0x7f),
    y(0xed, 0xff, 0x7f),
    y(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
        0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// The group order ℓ, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0x10,
];

const fn y(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

fn without_sign(encoded: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(encoded);
    bytes[31] &= 0x7f;
    bytes
}

fn is_small_order(encoded: &[u8]) -> bool {
    SMALL_ORDER_Y.contains(&without_sign(encoded))
}

/// y < 2^255 − 19.
fn is_canonical_point(encoded: &[u8]) -> bool {
    less_than(&without_sign(encoded), &y(0xed, 0xff, 0x7f))
}

fn is_reduced_scalar(s: &[u8]) -> bool {
    less_than(s, &ORDER)
}

/// Compares little-endian numbers; public values only.
fn less_than(a: &[u8], b: &[u8]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}
