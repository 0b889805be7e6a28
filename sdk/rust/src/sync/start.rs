//! Starting without history: at a checkpoint that lies in the history of a link this client knows, and at the newest link of each manifest.
//!
//! What a client knows from outside the server is the link that its token or invite names, or that another device of the account has verified. From
//! the checkpoint on every link is verified as always; a manifest's newest link is judged by the state at its anchor, for which the start goes back
//! further where it must. Whoever has no such link, or is shown no checkpoint, verifies the chain from its genesis.

use crate::error::{Error, Result};
use crate::session::Session;
use crate::sync::space::{Objects, Space, unverified};
use crate::sync::{News, check_contains};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::chain::{Head, Questions, Replica, Start, class};
use keyvawlt_ledger::evidence::Continued;
use keyvawlt_ledger::manifest::{Anchored, DELETED, Leaf, Listing, ObjectKind, object_hash, verify_newest};
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId, SecretId, Signed};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Starts, each further back: at the known link, at the oldest anchor of what was written last, at the genesis.
const STARTS: usize = 3;
/// Pages of one answer; a state of 10,000 members in 16,000 namespaces has fewer, and a server that never ends is cut off.
const MAX_PAGES: usize = 20_000;
/// Bytes of a state: entries have 100 to 300 bytes, and 10,000 members with 16,000 namespaces are 10 MB; this leaves room for as much access as such a
/// house gives. A server that sends more than that fills memory, and nothing else.
const MAX_STATE_BYTES: usize = 256 << 20;
/// Bytes of a listing: 50,000 secrets with name and facts at their largest are 230 MB, and whoever lists values has as much again for them. More does
/// not fit the memory of a client that holds it.
const MAX_LISTING_BYTES: usize = 512 << 20;
/// How often a listing is begun anew because somebody wrote between two of its pages.
const LISTINGS: usize = 16;
/// Older heads that a listing can prove; where more are named, every link is read.
const MAX_PROVED: usize = 64;

/// A link that a client knows from outside the server.
pub(crate) type Pin = (u64, Hash);

/// A namespace as it was listed, not yet judged.
struct Listed {
    space: Space,
    newest: Signed,
    anchor: u64,
    /// Its newest link was verified before, by this client or another device of the account.
    known: bool,
}

/// A listing that holds, with what it came with.
struct Shown {
    listing: Listing,
    newest: Signed,
    before: Frontier,
    secrets: Vec<(Leaf, Objects)>,
}

impl Vault {
    /// What a client without history takes up first. `None` where there is history, or nothing to start from.
    pub(crate) async fn start_cold(&mut self) -> Result<Option<News>> {
        let known = self.anchor.or(self.roamed.as_ref().map(|pin| (pin.seq, pin.link_hash)));
        let Some(pin) = known.filter(|_| self.replica.tip().next_seq() == 0 || self.cold) else { return Ok(None) };
        let mut at_most = pin.0;
        for nth in 0..STARTS {
            let start = if nth + 1 < STARTS { start(&self.session, self.org_id, pin, at_most).await? } else { None };
            let Some(replica) = start else { return Ok(None) };
            let mut news = News::after(replica, self.spaces.clone(), self.wraps.clone(), self.pins.clone());
            news.named = extend(&self.session, &mut news.replica).await?;
            // Whoever joins by a code has verified the chain as the invite's bearer.
            check_contains(&news.replica, &self.replica).map_err(unverified)?;
            let mut listed = Vec::new();
            for ns_id in self.wanted(&news.replica, &news.spaces).into_keys() {
                listed.extend(self.list_namespace(&news, &ns_id).await?);
            }
            let base = news.replica.base();
            match listed.iter().filter(|listed| !listed.known).map(|listed| listed.anchor).filter(|anchor| *anchor < base).min() {
                Some(anchor) => at_most = anchor,
                None => return self.take_listed(news, listed).map(Some),
            }
        }
        Ok(None)
    }

    fn take_listed(&self, mut news: News, listed: Vec<Listed>) -> Result<News> {
        news.changed = true;
        for Listed { space, newest, anchor, known } in listed {
            if !known {
                judge(&news.replica, &space, &newest, anchor, self.now_ms()).map_err(unverified)?;
            }
            news.take_in(Arc::new(space));
        }
        Ok(news)
    }

    /// A namespace from nothing, as far as it can be verified without the state at its anchor. `None` where nothing was written yet, and where every
    /// link has to be read.
    async fn list_namespace(&self, news: &News, ns_id: &NsId) -> Result<Option<Listed>> {
        let ns = news.replica.head().known_ns(ns_id).map_err(unverified)?;
        let heads = named_heads(news, ns_id);
        // Where folders are guarded, a secret may have been moved: its number and its past are in versions and links from before.
        let state = news.replica.head();
        let guarded = state.lineage(ns_id).last().is_some_and(|root| state.family(root).len() > 1);
        if guarded || heads.len() > MAX_PROVED {
            return Ok(None);
        }
        // Names of people and environments are values: nothing reads well without them.
        let values = ns.class == class::DIRECTORY || !self.client().values_when_used();
        let highest = heads.keys().max().copied();
        let heads: Vec<Head> = heads.into_values().collect();
        let Some(Shown { listing, newest, before, secrets }) = self.check_listing(ns_id, &heads, values).await? else {
            return match highest {
                Some(1..) => Err(unverified(Fault::new(Code::Rollback, "the server hides a manifest that was vouched for"))),
                _ => Ok(None),
            };
        };
        let anchor = listing.link().anchor.seq;
        let space = Space::listed(listing, Continued { before, signed: newest.clone() }, secrets, &heads);
        let known = self.pins.get(ns_id).is_some_and(|pin| (pin.mseq, pin.mhash) == (space.tip.mseq, space.tip.mhash));
        Ok(Some(Listed { space, newest, anchor, known }))
    }

    /// A head from before the listing that its namespace is held from lies in the history of what is held.
    pub(crate) async fn prove_head(&self, head: &Head) -> Result<()> {
        let moved = || Error::Conflict { why: "somebody wrote meanwhile".to_owned() };
        let shown = self.check_listing(&head.ns_id, std::slice::from_ref(head), false).await?.ok_or_else(moved)?;
        let (tip, _) = shown.listing.into_parts();
        // The link that was verified here, and no other, says what lies behind it.
        let held = self.spaces.tip(&head.ns_id).is_some_and(|held| (held.mseq, held.mhash) == (tip.mseq, tip.mhash));
        if held { Ok(()) } else { Err(moved()) }
    }

    /// Reads a namespace from nothing, and holds leaves and proofs against its newest link. `None` where nothing was written yet.
    async fn check_listing(&self, ns_id: &NsId, heads: &[Head], values: bool) -> Result<Option<Shown>> {
        let positions = heads.iter().map(|head| head.mseq).collect();
        let Some((first, secrets)) = self.read_listing(ns_id, positions, values).await? else { return Ok(None) };
        let secrets = secrets.iter().zip(0..).map(|(secret, index)| leaf(secret, index, values)).collect::<Result<Vec<_>, _>>();
        let (newest, secrets) = (signed(first.newest.as_ref())?, secrets.map_err(unverified)?);
        let before = Frontier::from_bytes(&first.before).map_err(unverified)?;
        let leaves: Vec<Leaf> = secrets.iter().map(|(leaf, _)| leaf.clone()).collect();
        let listing = Listing::check((&self.org_id, ns_id), &newest, &before, &leaves).map_err(unverified)?;
        let proofs: BTreeMap<u64, &v1::HeadProof> = first.proofs.iter().map(|proof| (proof.mseq, proof)).collect();
        for head in heads {
            let path = proofs.get(&head.mseq).map_or(Ok(vec![]), |proof| hashes(&proof.path)).map_err(unverified)?;
            listing.check_head(head, &path).map_err(unverified)?;
        }
        Ok(Some(Shown { listing, newest, before, secrets }))
    }

    /// All pages of a listing, of one moment; the first of them apart. `None` where nothing was written yet.
    pub(crate) async fn read_listing(
        &self,
        ns_id: &NsId,
        heads: Vec<u64>,
        values: bool,
    ) -> Result<Option<(v1::ReadListingResponse, Vec<v1::ListedSecret>)>> {
        let mut tries = 0;
        loop {
            match self.read_listing_once(ns_id, &heads, values).await {
                Err(Error::Conflict { .. }) if tries < LISTINGS => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn read_listing_once(
        &self,
        ns_id: &NsId,
        heads: &[u64],
        values: bool,
    ) -> Result<Option<(v1::ReadListingResponse, Vec<v1::ListedSecret>)>> {
        let mut request = v1::ReadListingRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_id: Bytes::copy_from_slice(&ns_id.0),
            heads: heads.to_vec(),
            values,
            page_token: String::new(),
        };
        let mut first = None;
        let mut secrets = Vec::new();
        let mut room = Room(MAX_LISTING_BYTES);
        for _ in 0..MAX_PAGES {
            let ask = async |client: &crate::Client, token: &str| rpc::read_listing(client, Some(token), request.clone()).await;
            let mut page = self.session.call(ask).await?;
            page.secrets.iter().try_for_each(|secret| {
                room.take(size_of_val(secret) + secret.name.len() + secret.facts.len() + secret.payload.len() + secret.dek.len())
            })?;
            secrets.append(&mut page.secrets);
            request.page_token.clone_from(&page.next_page_token);
            let first = first.get_or_insert(page);
            if request.page_token.is_empty() {
                return Ok(first.newest.is_some().then(|| (std::mem::take(first), secrets)));
            }
        }
        Err(endless())
    }
}

/// The chain from the newest checkpoint at or before `at_most` that lies in the known link's history. `None` where the server shows none.
pub(crate) async fn start(session: &Session, org_id: OrgId, pin: Pin, at_most: u64) -> Result<Option<Replica>> {
    let mut request =
        v1::ReadStartRequest { org_id: Bytes::copy_from_slice(&org_id.0), pin_seq: pin.0, at_most, page_token: String::new() };
    let mut start: Option<Start> = None;
    let mut entries = Vec::new();
    let mut room = Room(MAX_STATE_BYTES);
    for _ in 0..MAX_PAGES {
        let page = session.call(async |client, token| rpc::read_start(client, Some(token), request.clone()).await).await?;
        page.entries.iter().try_for_each(|entry| room.take(size_of_val(entry) + entry.key.len() + entry.value.len()))?;
        let start = match &mut start {
            Some(start) => start,
            None if page.checkpoint.is_none() => return Ok(None),
            none => {
                let shown = Start {
                    checkpoint: signed(page.checkpoint.as_ref())?,
                    before: Frontier::from_bytes(&page.before).map_err(unverified)?,
                    pinned: signed(page.pinned.as_ref())?,
                    path: hashes(&page.path).map_err(unverified)?,
                };
                shown.check(&org_id, pin).map_err(unverified)?;
                none.insert(shown)
            }
        };
        entries.extend(page.entries.into_iter().map(|entry| (entry.key.to_vec(), entry.value.to_vec())));
        if page.next_page_token.is_empty() {
            return start.open(org_id, entries, session.client().clock().now_ms()).map(Some).map_err(unverified);
        }
        request.page_token = page.next_page_token;
    }
    Err(endless())
}

/// Verifies the links after those that are known; comes back with the manifest heads that they name.
pub(crate) async fn extend(session: &Session, replica: &mut Replica) -> Result<Vec<Head>> {
    let mut named = Vec::new();
    for _ in 0..MAX_PAGES {
        let org_id = Bytes::copy_from_slice(&replica.tip().org_id.0);
        let request = v1::ReadChainRequest { org_id, from_seq: replica.tip().next_seq() };
        let page = session.call(async |client, token| rpc::read_chain(client, Some(token), request.clone()).await).await?;
        for link in &page.links {
            let signed = Signed::from_parts(&link.payload, &link.signature).map_err(unverified)?;
            let applied = replica.append(&signed, session.client().clock().now_ms()).map_err(unverified)?;
            named.extend(applied.body.fences().iter().cloned());
            named.extend(applied.link.seen);
        }
        if !page.more || page.links.is_empty() {
            return Ok(named);
        }
    }
    Err(endless())
}

/// The heads of a namespace that anything verified names, by their positions; the creating link's needs no proof but its own.
fn named_heads(news: &News, ns_id: &NsId) -> BTreeMap<u64, Head> {
    let ns = news.replica.head().ns(ns_id);
    let fences = news.replica.fences(ns_id).iter().map(|fence| Head { ns_id: *ns_id, mseq: fence.mseq, mhash: fence.mhash });
    let seen = ns.iter().filter_map(|ns| ns.seen.clone());
    let named = news.named.iter().chain(news.pins.get(ns_id)).filter(|head| head.ns_id == *ns_id).cloned();
    let begun = ns.iter().map(|ns| Head { ns_id: *ns_id, mseq: 0, mhash: ns.create_hash });
    fences.chain(seen).chain(named).chain(begun).map(|head| (head.mseq, head)).collect()
}

/// Whether the author of a manifest's newest link might write it.
fn judge(replica: &Replica, space: &Space, newest: &Signed, anchor: u64, now_ms: u64) -> Result<(), Fault> {
    let withheld = || Fault::new(Code::Rollback, "a write is anchored in a link the server withholds");
    let (link_hash, ts_ms) = replica.link(anchor).ok_or_else(withheld)?;
    let state = replica.at(anchor).ok_or_else(withheld)?;
    let ns_id = &space.tip.ns_id;
    let anchored = Anchored { state: &state, link_hash, ts_ms, fences: replica.fences(ns_id) };
    let seen = replica.head().ns(ns_id).and_then(|ns| ns.seen);
    verify_newest(&anchored, seen.as_ref(), (&space.tip.org_id, ns_id), newest, now_ms).map(drop)
}

/// A listed leaf: the hashes that it lacks are those of what came with it.
fn leaf(secret: &v1::ListedSecret, index: u64, values: bool) -> Result<(Leaf, Objects), Fault> {
    let flags = u8::try_from(secret.flags).map_err(|_| Fault::new(Code::Canon, "a leaf has unknown flags"))?;
    let mut objects = Objects { name: secret.name.to_vec(), facts: secret.facts.to_vec(), ..Objects::default() };
    let (payload_hash, dek_hash) = match (flags & DELETED != 0, values) {
        (true, _) => (Hash::ZERO, Hash::ZERO),
        (false, true) => {
            (objects.payload, objects.dek) = (secret.payload.to_vec(), secret.dek.to_vec());
            (object_hash(ObjectKind::Payload, &secret.payload), object_hash(ObjectKind::Dek, &secret.dek))
        }
        (false, false) => (Hash::from_slice(&secret.payload)?, Hash::from_slice(&secret.dek)?),
    };
    let leaf = Leaf {
        index,
        secret_id: SecretId::from_slice(&secret.secret_id)?,
        version: secret.version,
        epoch: secret.epoch,
        flags,
        mseq: secret.mseq,
        payload_hash,
        dek_hash,
        name_hash: object_hash(ObjectKind::Name, &objects.name),
        facts_hash: object_hash(ObjectKind::Facts, &objects.facts),
    };
    Ok((leaf, objects))
}

fn signed(statement: Option<&v1::SignedStatement>) -> Result<Signed> {
    let missing = || unverified(Fault::new(Code::State, "the server shows a start without its statements"));
    let statement = statement.ok_or_else(missing)?;
    Signed::from_parts(&statement.payload, &statement.signature).map_err(unverified)
}

fn hashes(path: &[Bytes]) -> Result<Vec<Hash>, Fault> {
    path.iter().map(|hash| Hash::from_slice(hash)).collect()
}

/// Bytes of memory that an answer may still take.
struct Room(usize);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<()> {
        let why = "the server's answer is larger than any that this client can hold";
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| unverified(Fault::new(Code::Limit, why)))?;
        Ok(())
    }
}

fn endless() -> Error {
    unverified(Fault::new(Code::Limit, "the server's answer does not end"))
}
