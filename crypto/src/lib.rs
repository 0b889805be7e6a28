//! What only clients can do: identities, sealing, wraps, unlock, invites and machine tokens.
//!
//! Pure: no I/O, no clock; randomness is an argument. Keys wipe themselves and print nothing; a ciphertext that does not open gives one
//! uniform error. Nothing here decides whom to trust: that is the ledger's signed record.

pub mod account;
pub mod aead;
mod armor;
pub mod breakglass;
pub mod device;
pub mod identity;
pub mod invite;
pub mod key;
pub mod kit;
pub mod link;
pub mod machine;
pub mod nk;
pub mod origin;
pub mod pad;
mod plain;
pub mod reset;
pub mod secret;
pub mod shamir;
mod slot;
pub mod words;
pub mod wraps;

pub use breakglass::BreakGlass;
pub use identity::Identity;
pub use invite::{InviteCode, InviteKeys};
pub use key::Key;
pub use machine::MachineToken;
pub use rand_core::CryptoRng;
pub use words::safety_words;
pub use zeroize::Zeroizing;
