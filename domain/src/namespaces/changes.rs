//! "What changed since?": new links, then manifests with the objects they brought, then keys wrapped to the caller.
//!
//! An answer holds about a page of bytes. Manifests come once the caller has all links they may be anchored in, and an object comes with the
//! link that wrote it: value and key with the link that wrote the version, name and facts with the newest link of the leaf.

use super::objects::{self, Sealed};
use super::wraps::{self, Delivered};
use crate::audit::Event;
use crate::authorize::{Action, Permit};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organizations::read_links;
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{Hash, NsId, OrgId};
use keyvawlt_schema::{manifest_link, namespace, org};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeMap;

/// Manifest links of one statement.
const LINKS_PER_STATEMENT: u64 = 500;
/// Identifiers of one statement.
const IDS_PER_STATEMENT: usize = 500;

/// Asks what changed.
#[derive(Clone, Debug)]
pub struct ReadChanges {
    /// In which organization.
    pub org: OrgId,
    /// The first chain position wanted.
    pub from_seq: u64,
    /// The namespaces wanted, with the newest manifest link held of each.
    pub held: Vec<(NsId, u64)>,
    /// Also deliver the wraps that the caller could have.
    pub all_wraps: bool,
    /// About how many bytes to deliver.
    pub page_bytes: usize,
}

impl Action for ReadChanges {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadChanges]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        self.held.iter().map(|(ns, _)| *ns).collect()
    }
}

/// What changed.
#[derive(Debug)]
pub struct Changes {
    /// The organization's revision this was read at.
    pub change: u64,
    /// Payloads and signatures, in order.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
    /// The position after the chain's newest link.
    pub next_seq: u64,
    /// Where something changed.
    pub namespaces: Vec<NamespaceChanges>,
    /// Keys wrapped to the caller.
    pub wraps: Vec<Delivered>,
    /// There is more.
    pub more: bool,
    /// What must be on record before this is delivered.
    pub events: Vec<Event>,
}

/// What changed in one namespace.
#[derive(Debug)]
pub struct NamespaceChanges {
    /// Which.
    pub ns: NsId,
    /// Payloads and signatures, in order.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
    /// The objects they brought.
    pub objects: Vec<Sealed>,
    /// The manifest's newest link.
    pub mseq: u64,
}

impl Changes {
    /// Whether the caller has everything.
    pub fn is_nothing(&self) -> bool {
        self.links.is_empty() && self.namespaces.is_empty() && self.wraps.is_empty() && !self.more
    }
}

/// Reads what changed.
pub async fn read_changes(permit: Permit<'_, ReadChanges>) -> Result<Changes> {
    let (tx, caller, mut rows, asked) = permit.into_parts();
    let (head_seq, change): (i64, i64) = org::Entity::find_by_id(asked.org.0.to_vec())
        .select_only()
        .column(org::Column::HeadSeq)
        .column(org::Column::Change)
        .into_tuple()
        .one(tx.db())
        .await?
        .ok_or(Error::Forbidden)?;
    let next_seq = number(head_seq) + 1;
    let mut changes =
        Changes { change: number(change), links: vec![], next_seq, namespaces: vec![], wraps: vec![], more: false, events: vec![] };
    let mut room = Room { left: asked.page_bytes, used: false };
    if asked.from_seq < next_seq {
        let links = read_links(tx, &asked.org, asked.from_seq, asked.page_bytes).await?;
        room.take(links.statements.iter().map(size).sum());
        (changes.links, changes.more) = (links.statements, links.more);
    }
    if !changes.more {
        if !matches!(caller, Caller::Invite { .. }) {
            read_namespaces(tx, &asked, &mut room, &mut changes).await?;
        }
        changes.wraps = wraps::read(tx, &mut rows, &caller, &asked).await?;
    }
    changes.events = events(tx, &caller, &asked, &changes);
    Ok(changes)
}

/// What is left of a page. The first thing always fits: otherwise nothing would ever arrive.
#[derive(Debug)]
struct Room {
    left: usize,
    used: bool,
}

impl Room {
    fn fits(&self, bytes: usize) -> bool {
        !self.used || bytes <= self.left
    }

    fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.used |= bytes > 0;
    }
}

async fn read_namespaces(tx: &Tx, asked: &ReadChanges, room: &mut Room, changes: &mut Changes) -> Result<()> {
    let heads = heads(tx, asked).await?;
    for (ns, held) in &asked.held {
        let mseq = *heads.get(ns).ok_or(Error::Forbidden)?;
        if mseq == *held {
            continue;
        }
        if changes.more {
            break;
        }
        let place = Place { org: asked.org, ns: *ns };
        // One link with what came in its batch fits an empty answer: it is weighed when it is there.
        let fits_anyway = mseq == held + 1 && !room.used;
        let links = manifest_links(tx, &place, (*held, mseq), fits_anyway, room, &mut changes.more).await?;
        let upto = held + links.len() as u64;
        let objects = if links.is_empty() { vec![] } else { objects::read(tx, &place, *held, upto).await? };
        if fits_anyway {
            room.take(objects.iter().map(|object| object.data.len()).sum());
        }
        if !links.is_empty() || mseq < *held {
            changes.namespaces.push(NamespaceChanges { ns: *ns, links, objects, mseq });
        }
    }
    Ok(())
}

/// One namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) org: OrgId,
    pub(super) ns: NsId,
}

async fn heads(tx: &Tx, asked: &ReadChanges) -> Result<BTreeMap<NsId, u64>> {
    let mut heads = BTreeMap::new();
    for chunk in asked.held.chunks(IDS_PER_STATEMENT) {
        let ids = namespace::Column::NsId.is_in(chunk.iter().map(|(ns, _)| ns.0.to_vec()));
        let rows: Vec<(Vec<u8>, i64)> = namespace::Entity::find()
            .select_only()
            .column(namespace::Column::NsId)
            .column(namespace::Column::Mseq)
            .filter(namespace::Column::OrgId.eq(asked.org.0.to_vec()).and(ids))
            .into_tuple()
            .all(tx.db())
            .await?;
        for (ns, mseq) in rows {
            heads.insert(NsId::from_slice(&ns)?, number(mseq));
        }
    }
    Ok(heads)
}

/// The links after `held`, as far as they fit with the objects they brought.
async fn manifest_links(
    tx: &Tx,
    place: &Place,
    (held, newest): (u64, u64),
    fits_anyway: bool,
    room: &mut Room,
    more: &mut bool,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut links = Vec::new();
    if newest <= held {
        return Ok(links);
    }
    let sizes = if fits_anyway { BTreeMap::new() } else { objects::sizes(tx, place, held).await? };
    let mut next = held + 1;
    while next <= newest {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = manifest_link::Entity::find()
            .select_only()
            .column(manifest_link::Column::Payload)
            .column(manifest_link::Column::Sig)
            .filter(manifest_link::Column::OrgId.eq(place.org.0.to_vec()).and(manifest_link::Column::NsId.eq(place.ns.0.to_vec())))
            .filter(manifest_link::Column::Mseq.gte(column(next)))
            .order_by_asc(manifest_link::Column::Mseq)
            .limit(LINKS_PER_STATEMENT)
            .into_tuple()
            .all(tx.db())
            .await?;
        if rows.is_empty() {
            return Err(Error::internal("a manifest has a hole"));
        }
        for link in rows {
            let bytes = size(&link) + sizes.get(&next).copied().unwrap_or(0);
            if !room.fits(bytes) {
                *more = true;
                return Ok(links);
            }
            room.take(bytes);
            links.push(link);
            next += 1;
        }
    }
    Ok(links)
}

fn size((payload, sig): &(Vec<u8>, Vec<u8>)) -> usize {
    payload.len() + sig.len()
}

/// One event per namespace of which secrets are delivered.
fn events(tx: &Tx, caller: &Caller, asked: &ReadChanges, changes: &Changes) -> Vec<Event> {
    let event =
        |action, subject: String, detail| Event { org: asked.org, at_ms: tx.now_ms(), actor: caller.actor(), action, subject, detail };
    let read = changes.namespaces.iter().filter(|news| !news.objects.is_empty());
    let read = read.map(|news| {
        let held = asked.held.iter().find(|(ns, _)| *ns == news.ns).map_or(0, |(_, held)| *held);
        event("namespace.read", news.ns.to_string(), format!("manifest links {} to {}", held + 1, held + news.links.len() as u64))
    });
    let mut events: Vec<Event> = read.collect();
    if !changes.wraps.is_empty() {
        events.push(event("key.read", asked.org.to_string(), format!("{} wrapped keys", changes.wraps.len())));
    }
    events
}

impl ReadChanges {
    /// What makes two such questions the same.
    pub(super) fn fingerprint(&self) -> Hash {
        let mut text = Vec::with_capacity(32 + 9 + self.held.len() * 24);
        text.extend_from_slice(&self.org.0);
        text.extend_from_slice(&self.from_seq.to_be_bytes());
        text.push(u8::from(self.all_wraps));
        for (ns, held) in &self.held {
            text.extend_from_slice(&ns.0);
            text.extend_from_slice(&held.to_be_bytes());
        }
        Hash(<sha2::Sha256 as sha2::Digest>::digest(&text).into())
    }
}
