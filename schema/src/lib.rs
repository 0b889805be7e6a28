//! The tables of SQLite and PostgreSQL: one entity per file, and the migrations that make them.
//!
//! Every table of a tenant leads its key with the organization, so that it can be partitioned by it. Identifiers are byte strings of fixed
//! length; moments are epoch milliseconds. Nothing here decides anything.

pub mod account;
pub mod account_key;
pub mod audit_event;
pub mod bundle;
pub mod channel;
pub mod delivery;
pub mod device_link;
pub mod digest_link;
pub mod entry;
pub mod history_node;
pub mod incident;
pub mod incident_event;
pub mod job;
pub mod jti;
pub mod key_health;
pub mod link;
pub mod maintenance;
pub mod manifest_link;
pub mod member;
pub mod migration;
pub mod monitor;
pub mod namespace;
pub mod notice;
pub mod notice_preference;
pub mod notice_setting;
pub mod org;
pub mod past_entry;
pub mod proof_share;
pub mod request;
pub mod rotation;
pub mod secret;
pub mod slot;
pub mod tree_node;
pub mod uptime;
pub mod version;
pub mod wrap;

pub use migration::{MigrateError, is_empty, migrate, missing};
