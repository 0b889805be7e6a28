//! The KeyVawlt client library: connect, unlock, verify, read, write, share.
//!
//! The server is not trusted. Everything it delivers is verified against signed statements and against what this machine remembers; what does
//! not verify is an [`Error::Verification`], after which nothing is written and nothing older is used instead. Secrets are sealed and opened
//! here, and no decrypted byte, length, hash or equality leaves the client as a side effect.
//!
//! [`Client`] is a server; [`Account`] a person's unlocked account there; [`Vault`] one organization as one identity sees it.

mod access;
mod account;
mod annals;
mod breakglass;
mod change;
mod clock;
mod deliveries;
mod directory;
mod drafts;
mod duties;
mod environments;
mod error;
mod evidence;
mod facts;
mod fences;
mod guard;
mod heartbeat;
mod home;
mod index;
mod invites;
mod keyring;
mod link;
mod lock;
mod machines;
mod members;
mod membership;
mod memory;
mod offboarding;
mod organization;
mod past;
mod random;
mod reset;
mod rotate;
mod secrets;
mod session;
mod space;
mod spaces;
mod start;
mod state;
mod structure;
mod sync;
mod trust;
mod values;
mod vault;
mod wire;
mod worklist;

pub use access::{NewAccess, WayIn};
pub use account::{Account, NewAccount};
pub use breakglass::{Drill, split_break_glass};
pub use clock::Clock;
pub use deliveries::{Deliveries, Delivery};
pub use drafts::DraftInfo;
pub use duties::{Duty, Settlement};
pub use environments::Environment;
pub use error::{Error, Result, Unverified};
pub use facts::FactsInput;
pub use guard::{Folder, Moved, Step};
pub use index::Flaw;
pub use invites::{Invitation, InviteInfo, NewInvite};
pub use keyvawlt_crypto::account::{RecoveryCode, SecretKey, SlotKind};
pub use keyvawlt_crypto::device::DeviceKey;
pub use keyvawlt_crypto::kit;
pub use keyvawlt_crypto::link::LinkCode;
pub use keyvawlt_crypto::reset::ReturnCode;
pub use keyvawlt_crypto::shamir::{MAX_SHARES, Share};
pub use keyvawlt_crypto::{BreakGlass, InviteCode, MachineToken, safety_words};
pub use keyvawlt_ledger as ledger;
pub use link::{LinkOffer, Linked};
pub use lock::Position;
pub use machines::{MAX_OVERLAP_MS, NewMachine};
pub use members::MemberInfo;
pub use reset::{NewKeys, Reset};
pub use rotate::{Rotated, Rotation};
pub use secrets::{Secret, SecretInfo, SecretWrite, VersionInfo};
pub use state::StateDir;
pub use trust::{KeyPin, Standing};
pub use vault::{Vault, Verified};
pub use wire::{Client, Options};
pub use worklist::{LostBy, Removal, RotateItem};
