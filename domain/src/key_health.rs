//! What those who may decrypt keys found out about them, and what follows: the server sees signed findings, and no key.
//!
//! A finding is judged by the chain like any statement, bound to a version, and never replaced by an older one. Where a key stands is a pure function
//! ([`state`]); clients come to the same from the findings, which they judge again.

mod incident;
mod lease;
mod list;
mod news;
mod report;
mod row;
pub mod state;
mod sweep;

pub use lease::{KeyCheck, LeaseKeyChecks, MAX_INTERVAL_MS, MIN_INTERVAL_MS, lease_key_checks};
pub use list::{KeyHealth, KeyHealthPage, KeyPlace, ListKeyHealth, list_key_health};
pub use news::{KeyFact, KeyNews, ProviderTrouble};
pub(crate) use news::{key_news, provider_news};
pub use report::{ReportKeyHealth, report_key_health};
pub(crate) use row::watched;
pub use state::State;
pub(crate) use sweep::call_back;
#[cfg(test)]
pub(crate) use sweep::calls_back;
pub use sweep::sweep;
