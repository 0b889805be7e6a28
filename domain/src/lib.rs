//! What may be done, and doing it: authorization, operations, jobs, audit. Knows no gRPC, no mail and no queue.
//!
//! Only this crate reaches the tables. Everything happens in a [`Tx`] of the [`Store`], at the one moment the transaction began.

pub mod accounts;
pub mod addresses;
pub mod audit;
pub mod authorize;
pub mod caller;
pub mod clock;
pub mod error;
pub mod jobs;
pub mod key_health;
pub mod monitors;
pub mod namespaces;
pub mod notices;
pub mod organizations;
pub mod policy;
pub mod random;
pub mod requests;
pub mod rotation;
#[cfg(test)]
mod scratch;
pub mod set_back;
pub mod store;
pub mod tokens;
pub mod zone;

pub use caller::Caller;
pub use clock::Clock;
pub use error::{Error, Result};
pub use random::Random;
pub use store::{Store, Tx};
