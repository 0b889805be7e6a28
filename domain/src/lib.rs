//! What may be done, and doing it: authorization, operations, jobs, audit. Knows no gRPC, no mail and no queue.
//!
//! Only this crate reaches the tables. Everything happens in a [`Tx`] of the [`Store`], at the one moment the transaction began.

pub mod accounts;
pub mod audit;
pub mod clock;
pub mod error;
pub mod jobs;
pub mod notices;
pub mod random;
pub mod requests;
pub mod store;
pub mod tokens;

pub use clock::Clock;
pub use error::{Error, Result};
pub use random::Random;
pub use store::{Store, Tx};
