//! The KeyVawlt client library: connect, unlock, verify, read, write, share.
//!
//! The server is not trusted. Everything it delivers is verified against signed statements and against what this machine remembers; what does
//! not verify is an [`Error::Verification`], after which nothing is written and nothing older is used instead. Secrets are sealed and opened
//! here, and no decrypted byte, length, hash or equality leaves the client as a side effect.
//!
//! [`Client`] is a server; [`Account`] a person's unlocked account there; [`Vault`] one organization as one identity sees it.

mod account;
mod change;
mod clock;
mod error;
mod evidence;
mod health;
mod memory;
pub mod monitors;
mod organization;
mod random;
mod secrets;
mod session;
mod sync;
mod team;
mod vault;
mod wire;

pub use account::access::{NewAccess, WayIn};
pub use account::breakglass::{Drill, split_break_glass};
pub use account::link::{LinkOffer, Linked};
pub use account::rotate::{Rotated, Rotation};
pub use account::{Account, NewAccount};
pub use clock::Clock;
pub use error::{Error, Result, Unverified};
pub use health::{Dial, KeyCheck, KeyHealth, Prober, Verdict, Which};
pub use keyvawlt_catalogue as catalogue;
pub use keyvawlt_crypto::account::{RecoveryCode, SecretKey, SlotKind};
pub use keyvawlt_crypto::device::DeviceKey;
pub use keyvawlt_crypto::kit;
pub use keyvawlt_crypto::link::LinkCode;
pub use keyvawlt_crypto::reset::ReturnCode;
pub use keyvawlt_crypto::shamir::{MAX_SHARES, Share};
pub use keyvawlt_crypto::{BreakGlass, InviteCode, MachineToken, safety_words};
pub use keyvawlt_ledger as ledger;
pub use memory::lock::Position;
pub use memory::state::StateDir;
pub use organization::bring_back::BroughtBack;
pub use organization::environments::Environment;
pub use organization::guard::{Folder, Moved, Step};
pub use organization::notices::{ChannelForm, NewChannel, NoticeChannel, NoticeDelivery, NoticePreferences, QuietHours};
pub use random::below as random_below;
pub use secrets::drafts::DraftInfo;
pub use secrets::due::{Due, DueWhy};
pub use secrets::facts::{Fact, FactsInput};
pub use secrets::index::Flaw;
pub use secrets::random_value::RandomValue;
pub use secrets::rotations::{Begun, Committed, NewRotation, RotationInfo, RotationStage};
pub use secrets::rules::{Rules, Severity};
pub use secrets::versions::{Previous, VersionState};
pub use secrets::{Secret, SecretInfo, SecretWrite, VersionInfo};
pub use team::deliveries::{Deliveries, Delivery};
pub use team::duties::{Duty, Settlement};
pub use team::invites::{Invitation, InviteInfo, NewInvite};
pub use team::machines::{MAX_OVERLAP_MS, NewMachine};
pub use team::members::MemberInfo;
pub use team::reset::{NewKeys, Reset};
pub use team::trust::{KeyPin, Standing};
pub use team::worklist::{LostBy, Removal, RotateItem};
pub use vault::{Vault, Verified};
pub use wire::{Client, Options};
