//! Audit: what the server saw, per organization. No answer leaves before its event is durable.
//!
//! A change's event is written in the change's own transaction. Reads hand theirs to one writer per process, which stores many in one commit,
//! and wait for it; an event that cannot be stored fails the call. Each event has a hash, the leaf of the log that clients will check.

use crate::error::{Error, Result};
use crate::random::Random;
use crate::store::{Store, Tx, column};
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::{Hash, OrgId};
use keyvawlt_schema::audit_event::{ActiveModel, Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait, QueryTrait as _};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Calls that may wait for the writer at once; the next one is told to come back.
const QUEUE: usize = 1024;
/// Events of one statement, and calls whose events are stored together.
const MAX_GROUP: usize = 256;
/// "Nothing changed" is noted once per caller, namespace and minute.
const COALESCE_MS: u64 = 60_000;
/// Callers and namespaces remembered within that minute; beyond them a note may be written twice.
const MAX_COALESCED: usize = 16_384;

/// The actor of what the server did by itself.
pub const SERVER: &str = "server";
/// The actor where the link in a mail was followed: by whoever has the mail.
pub const LINK: &str = "link";

/// Something that happened. Carries ids and names of actions, never content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// In which organization.
    pub org: OrgId,
    /// When, epoch milliseconds.
    pub at_ms: u64,
    /// Who: a caller's id.
    pub actor: String,
    /// What, as in `namespace.read`.
    pub action: &'static str,
    /// To what: ids.
    pub subject: String,
    /// More, for people.
    pub detail: String,
}

/// Writes a change's event, in the change's transaction. The hash goes into the answer.
pub async fn record(tx: &Tx, event: Event) -> Result<Hash> {
    let (row, hash) = row(tx.random(), event);
    Entity::insert(row).exec_without_returning(tx.db()).await?;
    Ok(hash)
}

/// Writes the events of one change, in the change's transaction.
pub async fn record_all(tx: &Tx, events: Vec<Event>) -> Result<()> {
    let mut rows = events.into_iter().map(|event| row(tx.random(), event).0).peekable();
    while rows.peek().is_some() {
        let group: Vec<ActiveModel> = rows.by_ref().take(MAX_GROUP).collect();
        Entity::insert_many(group).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

fn row(random: &Random, event: Event) -> (ActiveModel, Hash) {
    let id = random.ordered_id(event.at_ms);
    let hash = hash(&id, &event);
    let row = ActiveModel {
        org_id: Set(event.org.0.to_vec()),
        id: Set(id.to_vec()),
        at: Set(column(event.at_ms)),
        actor: Set(event.actor),
        action: Set(event.action.to_owned()),
        subject: Set(event.subject),
        detail: Set(event.detail),
        hash: Set(hash.0.to_vec()),
    };
    (row, hash)
}

/// SHA-256 over the canonical CBOR `[1, org, id, at_ms, actor, action, subject, detail]`.
fn hash(id: &[u8; 16], event: &Event) -> Hash {
    let text = |text: &str| Value::Text(text.to_owned());
    let fields = vec![
        Value::Uint(1),
        Value::Bytes(event.org.0.to_vec()),
        Value::Bytes(id.to_vec()),
        Value::Uint(event.at_ms),
        text(&event.actor),
        text(event.action),
        text(&event.subject),
        text(&event.detail),
    ];
    Hash(Sha256::digest(cbor::encode(&Value::Array(fields))).into())
}

/// Stores the events of reads, many in one commit. Cheap to clone; ends when the last clone is gone and everything is stored.
#[derive(Clone, Debug)]
pub struct AuditWriter {
    queue: mpsc::Sender<Waiting>,
    noted: Arc<Mutex<Noted>>,
}

struct Waiting {
    events: Vec<Event>,
    /// Nobody waits for a coalesced note.
    stored: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct Noted {
    minute: u64,
    keys: HashSet<(OrgId, String, String)>,
}

impl AuditWriter {
    /// Starts the writer.
    pub fn start(store: Store, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tasks.spawn(write_groups(store, waiting));
        Self { queue, noted: Arc::default() }
    }

    /// Stores the events of one call; returns when they are durable.
    pub async fn record(&self, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let (stored, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { events, stored: Some(stored) }).map_err(|_| Error::Unavailable)?;
        outcome.await.map_err(|_| Error::Unavailable)
    }

    /// Notes that a caller was told "nothing changed": no secret left, so nobody waits, and once a minute is enough.
    pub fn note_unchanged(&self, event: Event) {
        let minute = event.at_ms / COALESCE_MS;
        let key = (event.org, event.actor.clone(), event.subject.clone());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.minute != minute || noted.keys.len() >= MAX_COALESCED {
            *noted = Noted { minute, keys: HashSet::new() };
        }
        if noted.keys.contains(&key) {
            return;
        }
        // A full queue: the next such call within the minute tries again.
        if self.queue.try_send(Waiting { events: vec![event], stored: None }).is_ok() {
            noted.keys.insert(key);
        }
    }
}

async fn write_groups(store: Store, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    while waiting.recv_many(&mut group, MAX_GROUP).await > 0 {
        let (events, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|waiting| (waiting.events, waiting.stored)).unzip();
        match write(&store, events.into_iter().flatten()).await {
            Ok(()) => {
                for stored in answers.into_iter().flatten() {
                    // The caller may have gone; its events are stored all the same.
                    let _ = stored.send(());
                }
            }
            Err(error) => tracing::error!(%error, calls = answers.len(), "audit events could not be stored: their calls fail"),
        }
    }
}

async fn write(store: &Store, events: impl Iterator<Item = Event>) -> Result<()> {
    let mut rows = events.map(|event| row(store.random(), event).0).peekable();
    while rows.peek().is_some() {
        let group: Vec<ActiveModel> = rows.by_ref().take(MAX_GROUP).collect();
        // What is already there was stored by the first try.
        let once = OnConflict::columns([Column::OrgId, Column::Id]).do_nothing().to_owned();
        store.write_once(&Entity::insert_many(group).on_conflict(once).into_query()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
