//! Organizations: their chains, and the changes that extend them.
//!
//! A batch is judged by the ledger's own rules over the rows it needs, held against the manifests' real heads, and written in one transaction.
//! Nothing here decrypts, and nothing is changed but by a signed statement.

mod batch;
mod bring_back;
mod commit;
mod events;
mod heads;
mod links;
mod manifests;
mod objects;
pub(crate) mod past;
mod read;
pub(crate) mod rows;
mod save;
mod save_manifests;
mod start;
#[cfg(test)]
mod tests;

pub use batch::{Batch, MAX_DEK, MAX_PAYLOAD, MAX_SEALED_NAME, Object};
pub use bring_back::{BringBack, bring_back};
pub use commit::{Commit, Create, RequestKey, answered, commit, create};
pub(crate) use read::links as read_links;
pub use read::{
    AuditPage, AuditRecord, Links, ListAuditEvents, ListOrganizations, OrgPage, ReadChain, list_audit_events, list_organizations,
    read_chain,
};
pub use start::{ReadBundles, ReadStart, StartPage, StartProof, read_bundles, read_start};
