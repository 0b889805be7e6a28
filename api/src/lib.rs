//! gRPC: words in, words out. Calls are parsed, handed to the domain, and printed; nothing is decided here but who may knock how often.
//!
//! Absent: queues, mail, tables, and every rule about organizations.

mod accounts;
mod act;
mod call;
mod door;
mod fields;
mod key_health;
mod limits;
mod monitors;
mod namespaces;
mod notifications;
mod organizations;
mod rotation;
mod server;
mod server_info;
mod status;
#[cfg(test)]
mod tests;
mod unsubscribe;

use keyvawlt_domain::Store;
use keyvawlt_domain::audit::AuditWriter;
use keyvawlt_domain::namespaces::{Revisions, Spans, Unchanged};
use keyvawlt_domain::tokens::Tokens;
use std::sync::Arc;

pub use limits::{Counting, LimitsUrlError, RedisLimits};
pub use server::{ServeError, serve};

/// What answering calls takes.
#[derive(Clone)]
pub struct ApiParts {
    /// Where everything is kept.
    pub store: Store,
    /// The access tokens.
    pub tokens: Arc<Tokens>,
    /// The writer of audit events.
    pub audit: AuditWriter,
    /// Who looks organizations' revisions up.
    pub revisions: Revisions,
    /// The origins this server answers for.
    pub origins: Arc<[String]>,
    /// The store was restored from a backup: nothing new is taken, and members bring back what it lacks.
    pub restored: bool,
    /// Where callers are counted.
    pub counting: Arc<Counting>,
}

/// All services, and what they share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) parts: ApiParts,
    pub(crate) unchanged: Arc<Unchanged>,
    pub(crate) spans: Arc<Spans>,
    pub(crate) limits: Arc<limits::Limits>,
}

impl Api {
    fn new(parts: ApiParts) -> Self {
        let limits = Arc::new(limits::Limits::new(Arc::clone(&parts.counting)));
        Self { parts, unchanged: Arc::default(), spans: Arc::default(), limits }
    }
}
