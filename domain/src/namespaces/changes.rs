//! "What changed since?": new links, then manifests with the objects they brought, then keys wrapped to the caller.
//!
//! An answer holds about a page of bytes. Manifests come once the caller has all links they may be anchored in, and an object comes with the
//! link that wrote it: value and key with the link that wrote the version, name and facts with the newest link of the leaf.

use super::objects::{self, Sealed};
use super::spans::{Span, Spans};
use super::wraps::{self, Delivered};
use crate::audit::Event;
use crate::authorize::{Action, Permit};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organizations::{Links, read_links};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use bytes::Bytes;
use keyvawlt_ledger::{Hash, NsId, OrgId};
use keyvawlt_schema::{manifest_link, namespace, org};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Manifest links of one statement.
const LINKS_PER_STATEMENT: u64 = 500;
/// What an object or a link takes in memory besides its bytes.
const OVERHEAD: usize = 128;

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
    pub links: Vec<(Bytes, Bytes)>,
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
    /// What its links brought.
    pub news: Arc<News>,
    /// The manifest's newest link.
    pub mseq: u64,
}

/// Links, and what they brought.
#[derive(Debug, Default)]
pub struct News {
    /// Payloads and signatures, in order.
    pub links: Vec<(Bytes, Bytes)>,
    /// The objects they brought.
    pub objects: Vec<Sealed>,
    /// The keys they brought.
    pub(super) wraps: Vec<Delivered>,
}

impl News {
    fn bytes(&self) -> usize {
        let links: usize = self.links.iter().map(|(payload, sig)| payload.len() + sig.len()).sum();
        let wraps: usize = self.wraps.iter().map(|wrap| wrap.record.len() + wrap.path.len() * size_of::<Hash>()).sum();
        links + wraps + self.objects.iter().map(|object| object.data.len()).sum::<usize>()
    }

    /// What it takes in memory, about.
    pub(super) fn resident(&self) -> usize {
        self.bytes() + (1 + self.links.len() + self.objects.len() + self.wraps.len()) * OVERHEAD
    }
}

impl Changes {
    /// Whether the caller has everything.
    pub fn is_nothing(&self) -> bool {
        self.links.is_empty() && self.namespaces.is_empty() && self.wraps.is_empty() && !self.more
    }
}

/// Reads what changed, and remembers in `spans` what others will ask for.
pub async fn read_changes(permit: Permit<'_, ReadChanges>, spans: &Spans) -> Result<Changes> {
    let (tx, caller, mut rows, asked) = permit.into_parts();
    let heads = heads(tx, &asked).await?;
    let (change, next_seq) = (heads.change, heads.next_seq);
    let mut changes = Changes { change, links: vec![], next_seq, namespaces: vec![], wraps: vec![], more: false, events: vec![] };
    let mut room = Room { left: asked.page_bytes, used: false };
    if asked.from_seq < next_seq {
        (changes.links, changes.more) = chain_links(tx, &asked, &heads, spans).await?;
        room.take(changes.links.iter().map(size).sum());
    }
    if !changes.more {
        if !matches!(caller, Caller::Invite { .. }) {
            read_namespaces(tx, &asked, (&heads.namespaces, spans), &mut room, &mut changes).await?;
        }
        let span = Span::Wraps { actor: caller.actor(), question: asked.fingerprint(), newest: heads.chain };
        changes.wraps = match spans.find(&span) {
            Some(known) => known.wraps.clone(),
            None => {
                let wraps = wraps::read(tx, &mut rows, &caller, &asked, next_seq).await?;
                if !wraps.is_empty() {
                    spans.keep(span, &Arc::new(News { wraps: wraps.clone(), ..News::default() }));
                }
                wraps
            }
        };
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

/// The organization's links, and whether there are more.
async fn chain_links(tx: &Tx, asked: &ReadChanges, heads: &Heads, spans: &Spans) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
    let span = Span::Chain { org: asked.org, from_seq: asked.from_seq, newest: heads.chain };
    if let Some(known) = spans.find(&span).filter(|known| known.bytes() <= asked.page_bytes) {
        return Ok((known.links.clone(), false));
    }
    let Links { statements: links, more } = read_links(tx, &asked.org, asked.from_seq, asked.page_bytes).await?;
    if !more {
        spans.keep(span, &Arc::new(News { links: links.clone(), ..News::default() }));
    }
    Ok((links, more))
}

async fn read_namespaces(
    tx: &Tx,
    asked: &ReadChanges,
    (heads, spans): (&BTreeMap<NsId, (u64, Hash)>, &Spans),
    room: &mut Room,
    changes: &mut Changes,
) -> Result<()> {
    for (ns, held) in &asked.held {
        let (mseq, newest) = *heads.get(ns).ok_or(Error::Forbidden)?;
        if mseq == *held {
            continue;
        }
        if changes.more {
            break;
        }
        let span = Span::Manifest { org: asked.org, ns: *ns, held: *held, newest };
        if let Some(news) = spans.find(&span).filter(|news| room.fits(news.bytes())) {
            room.take(news.bytes());
            changes.namespaces.push(NamespaceChanges { ns: *ns, news, mseq });
            continue;
        }
        let place = Place { org: asked.org, ns: *ns };
        // One link with what came in its batch fits an empty answer: it is weighed when it is there.
        let fits_anyway = mseq.checked_sub(1) == Some(*held) && !room.used;
        let links = manifest_links(tx, &place, (*held, mseq), fits_anyway, room, &mut changes.more).await?;
        let upto = held + links.len() as u64;
        let objects = if links.is_empty() { vec![] } else { objects::read(tx, &place, *held, upto).await? };
        if fits_anyway {
            room.take(objects.iter().map(|object| object.data.len()).sum());
        }
        if !links.is_empty() || mseq < *held {
            let news = Arc::new(News { links, objects, wraps: vec![] });
            if upto == mseq {
                spans.keep(span, &news);
            }
            changes.namespaces.push(NamespaceChanges { ns: *ns, news, mseq });
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

/// Where everything stands.
struct Heads {
    change: u64,
    next_seq: u64,
    /// The hash of the organization's newest link.
    chain: Hash,
    /// The newest manifest link of each namespace asked for, with its hash.
    namespaces: BTreeMap<NsId, (u64, Hash)>,
}

/// One statement for all of them.
async fn heads(tx: &Tx, asked: &ReadChanges) -> Result<Heads> {
    let of_ns = |column| Expr::col((namespace::Entity, column));
    let wanted = of_ns(namespace::Column::OrgId)
        .equals((org::Entity, org::Column::Id))
        .and(of_ns(namespace::Column::NsId).is_in(asked.held.iter().map(|(ns, _)| ns.0.to_vec())));
    let find = Query::select()
        .columns([org::Column::Change, org::Column::HeadSeq, org::Column::HeadHash].map(|column| (org::Entity, column)))
        .columns([namespace::Column::NsId, namespace::Column::Mseq, namespace::Column::Mhash].map(|column| (namespace::Entity, column)))
        .from(org::Entity)
        .left_join(namespace::Entity, wanted)
        .and_where(Expr::col((org::Entity, org::Column::Id)).eq(asked.org.0.to_vec()))
        .to_owned();
    let rows = tx.db().query_all(&find).await?;
    let first = rows.first().ok_or(Error::Forbidden)?;
    let (change, head_seq): (i64, i64) = (first.try_get_by_index(0)?, first.try_get_by_index(1)?);
    let chain = Hash::from_slice(&first.try_get_by_index::<Vec<u8>>(2)?)?;
    let mut namespaces = BTreeMap::new();
    for row in &rows {
        let (id, mseq, mhash): (Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>) =
            (row.try_get_by_index(3)?, row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        // An organization alone has one row with nothing beside it.
        if let (Some(id), Some(mseq), Some(mhash)) = (id, mseq, mhash) {
            namespaces.insert(NsId::from_slice(&id)?, (number(mseq), Hash::from_slice(&mhash)?));
        }
    }
    Ok(Heads { change: number(change), next_seq: number(head_seq) + 1, chain, namespaces })
}

/// The links after `held`, as far as they fit with the objects they brought.
async fn manifest_links(
    tx: &Tx,
    place: &Place,
    (held, newest): (u64, u64),
    fits_anyway: bool,
    room: &mut Room,
    more: &mut bool,
) -> Result<Vec<(Bytes, Bytes)>> {
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
            // Not a LIMIT: SQLite would plan the statement anew each time.
            .filter(manifest_link::Column::Mseq.gte(column(next)).and(manifest_link::Column::Mseq.lt(column(next + LINKS_PER_STATEMENT))))
            .order_by_asc(manifest_link::Column::Mseq)
            .into_tuple()
            .all(tx.db())
            .await?;
        if rows.is_empty() {
            return Err(Error::internal("a manifest has a hole"));
        }
        for link in rows {
            let link = (Bytes::from(link.0), Bytes::from(link.1));
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

fn size((payload, sig): &(Bytes, Bytes)) -> usize {
    payload.len() + sig.len()
}

/// One event per namespace of which secrets are delivered.
fn events(tx: &Tx, caller: &Caller, asked: &ReadChanges, changes: &Changes) -> Vec<Event> {
    let event =
        |action, subject: String, detail| Event { org: asked.org, at_ms: tx.now_ms(), actor: caller.actor(), action, subject, detail };
    let read = changes.namespaces.iter().filter(|changed| !changed.news.objects.is_empty());
    let read = read.map(|changed| {
        let held = asked.held.iter().find(|(ns, _)| *ns == changed.ns).map_or(0, |(_, held)| *held);
        let upto = held + changed.news.links.len() as u64;
        event("namespace.read", changed.ns.to_string(), format!("manifest links {} to {upto}", held + 1))
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
