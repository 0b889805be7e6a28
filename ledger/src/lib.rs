//! What everyone can check: the same code in server and client.
//!
//! Canonical CBOR, signed statements, the organization chain, manifests, Merkle trees and login assertions. Pure: no I/O, no clock, no
//! randomness; time is an argument, and no input makes it panic. It cannot decrypt anything: that is the client's alone.

#![deny(clippy::indexing_slicing)]

pub mod account;
pub mod assertion;
pub mod bundle;
pub mod canon;
pub mod cbor;
pub mod chain;
pub mod evidence;
pub mod facts;
pub mod fault;
pub mod hash;
pub mod health;
pub mod ids;
pub mod jwt;
pub mod limits;
pub mod manifest;
pub mod merkle;
pub mod names;
pub mod sign;
pub mod trial;
pub mod wrap;

pub use canon::{Blob, Canon, context};
pub use fault::{Code, Fault};
pub use ids::{AccountId, Hash, IdentityId, InviteId, KeyId, NsId, OrgId, SecretId, SlotId};
pub use sign::{Domain, Signed};

/// The one suite: X-Wing, HKDF-SHA256, ChaCha20-Poly1305, Ed25519, SHA-256, Argon2id.
pub const SUITE: u64 = 1;

/// Version of every signed format.
pub const FORMAT: u64 = 1;
