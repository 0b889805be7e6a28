//! `H(d, x) = SHA-256("KVHASH1" || 00 || u16(d) || x)`: every hash says what it is a hash of.

use crate::ids::Hash;
use sha2::{Digest, Sha256};

/// Organization identifier: genesis payload without key 2.
pub const ORG_ID: u16 = 0x0100;
/// Organization link: payload and signature.
pub const LINK: u16 = 0x0101;
/// Manifest link: payload and signature.
pub const MANIFEST: u16 = 0x0102;
/// Identity bundle payload.
pub const KEY_ID: u16 = 0x0103;
/// Invite public keys.
pub const INVITE_KEY: u16 = 0x0104;
/// A new device's public key for a device link.
pub const LINK_KEY: u16 = 0x0105;
/// State entry.
pub const STATE_ENTRY: u16 = 0x0110;
/// Commitment to a namespace key.
pub const NK_COMMIT: u16 = 0x0120;
/// Wrap record.
pub const WRAP: u16 = 0x0121;
/// Sealed payload of a secret version.
pub const PAYLOAD: u16 = 0x0131;
/// Facts object.
pub const FACTS: u16 = 0x0132;
/// Sealed DEK.
pub const DEK: u16 = 0x0133;
/// Sealed name.
pub const NAME: u16 = 0x0134;

/// Hashes `x` under a domain number.
pub fn hash(domain: u16, x: &[u8]) -> Hash {
    hash_parts(domain, &[x])
}

/// Hashes the concatenation of parts under a domain number.
pub fn hash_parts(domain: u16, parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(b"KVHASH1\0");
    sha.update(domain.to_be_bytes());
    for part in parts {
        sha.update(part);
    }
    Hash(sha.finalize().into())
}
