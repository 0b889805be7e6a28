//! The organization chain: append-only signed links that say who belongs, with which keys, who may do what, and which namespaces exist.
//!
//! [`apply`] is the one judge: a pure function from a link and the entries it reads to the entries it changes. Client and server run the same
//! code; the server merely loads the entries a link asks for. Absent: storage, transport, keys of namespaces.

mod annals;
mod apply;
mod entry;
mod heads;
mod invites;
mod link;
mod members;
mod namespaces;
mod needs;
mod replica;
mod rules;
mod start;
mod view;

pub use annals::{Annals, KeyEnd, KeyPeriod, Loss, LossReason};
pub use apply::{Applied, Tip, apply, org_id_of};
pub use entry::{AccessEntry, ChainEntry, Entry, EpochEntry, Fence, Granted, InviteEntry, Key, Member, Ns, WrapsEntry, state_hash};
pub use invites::{invite_key_id, join_statement};
pub use link::*;
pub use needs::WrapNeed;
pub use replica::{Replica, Snapshot};
pub use start::Start;
pub use view::{Draft, Questions, View, ends_sooner, is_live, outlasts};
