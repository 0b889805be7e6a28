//! The order of checks, the same for every link: size, canonical bytes, version, organization, position and history, time, author, signature,
//! then the rule of its type. The first failure ends it; nothing of a refused link is kept.

use super::entry::{ChainEntry, Entry, Key, Ns};
use super::link::{Body, Link, Policy};
use super::needs::WrapNeed;
use super::view::{Draft, Questions, View};
use super::{heads, invites, members, namespaces, rules};
use crate::canon::Canon;
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, OrgId};
use crate::merkle::{Frontier, leaf_hash};
use crate::sign::{Domain, Signed};
use crate::{hash, limits};
use std::collections::BTreeMap;

/// Where a chain stands: what the next link must continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The organization.
    pub org_id: OrgId,
    /// The history so far; its size is the next link's position.
    pub history: Frontier,
    /// The newest link's hash.
    pub link_hash: Hash,
}

impl Tip {
    /// Before the genesis of a known organization.
    pub fn before_genesis(org_id: OrgId) -> Self {
        Self { org_id, history: Frontier::default(), link_hash: Hash::ZERO }
    }

    /// The next link's position.
    pub fn next_seq(&self) -> u64 {
        self.history.size()
    }
}

/// What an accepted link did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The link.
    pub link: Link,
    /// What it says.
    pub body: Body,
    /// Its hash.
    pub hash: Hash,
    /// Changed entries; `None` for removed ones.
    pub changes: BTreeMap<Key, Option<Entry>>,
    /// The wraps that must come with it.
    pub needs: Vec<WrapNeed>,
    /// Where the chain now stands.
    pub tip: Tip,
}

/// The organization a genesis payload makes: `H(0x0100, payload without key 2)`.
pub fn org_id_of(payload: &[u8]) -> Result<OrgId, Fault> {
    let Value::Map(mut pairs) = crate::cbor::decode(payload)? else {
        return Err(Fault::new(Code::Canon, "a genesis must be a map"));
    };
    pairs.retain(|(key, _)| *key != 2);
    Ok(OrgId(hash::hash(hash::ORG_ID, &crate::cbor::encode(&Value::Map(pairs))).0))
}

/// Judges a link against the state it continues. `now_ms` is the verifier's clock.
pub fn apply<V: View>(view: &V, tip: &Tip, signed: &Signed, now_ms: u64) -> Result<Applied, Fault> {
    let payload = signed.payload();
    if payload.len() > limits::MAX_LINK_WITH_FENCES {
        return Err(Fault::new(Code::Limit, "an organization link must not exceed 1 MiB"));
    }
    let link = Link::from_bytes(payload)?;
    if link.v != crate::FORMAT {
        return Err(Fault::new(Code::Upgrade, "a link of an unknown version: upgrade required"));
    }
    let body = Body::from_value(link.kind, link.body.clone())?;
    if body.to_value() != link.body {
        return Err(Fault::new(Code::Canon, "the link's body has a second form"));
    }
    if body.fences().is_empty() && payload.len() > limits::MAX_LINK {
        return Err(Fault::new(Code::Limit, "a link without fences must not exceed 64 KiB"));
    }
    if link.seen.len() > limits::MAX_SEEN {
        return Err(Fault::new(Code::Limit, "a link vouches for at most 32 heads"));
    }
    check_position(&link, tip, payload)?;
    let mut draft = Draft::on(view);
    check_time(&draft, &link, now_ms)?;
    check_author(&draft, &link, &body, signed)?;

    let hash = signed.hash(hash::LINK);
    let step = Step { link: &link, hash };
    touch_chain(&mut draft, &link);
    let needs = judge(&mut draft, &step, &body)?;
    heads::record_seen(&mut draft, &link.seen)?;

    let mut history = tip.history.clone();
    history.push(leaf_hash(&hash.0));
    let tip = Tip { org_id: link.org_id, history, link_hash: hash };
    Ok(Applied { body, hash, changes: draft.into_changes(), needs, tip, link })
}

/// What every rule needs to know of the link it judges.
pub(super) struct Step<'a> {
    pub(super) link: &'a Link,
    pub(super) hash: Hash,
}

impl Step<'_> {
    pub(super) fn ts(&self) -> u64 {
        self.link.ts_ms
    }
}

fn judge<V: View>(draft: &mut Draft<V>, step: &Step, body: &Body) -> Result<Vec<WrapNeed>, Fault> {
    match body {
        Body::Genesis(body) => members::genesis(draft, step, body),
        Body::MemberAdd(body) => members::add(draft, step, body),
        Body::MemberJoin(body) => invites::join(draft, step, body),
        Body::MemberSet(body) => members::set(draft, step, body),
        Body::MemberRemove(body) => members::remove(draft, step, body),
        Body::KeyRotate(body) => members::rotate(draft, step, body),
        Body::KeyReset(body) => members::reset(draft, step, body),
        Body::Invite(body) => invites::invite(draft, step, body),
        Body::InviteRevoke(body) => invites::revoke(draft, step, body),
        Body::NamespaceCreate(body) => namespaces::create(draft, step, body),
        Body::NamespaceSet(body) => namespaces::set(draft, step, body),
        Body::NamespaceEpoch(body) => namespaces::epoch(draft, step, body),
        Body::Access(body) => namespaces::access(draft, step, body),
        Body::PolicySet(body) => rules::policy_set(draft, step, &body.policy),
        Body::Checkpoint(body) => checkpoint(draft, step, body.state_hash),
    }
}

fn check_position(link: &Link, tip: &Tip, payload: &[u8]) -> Result<(), Fault> {
    if link.org_id != tip.org_id || (link.seq == 0 && org_id_of(payload)? != link.org_id) {
        return Err(Fault::new(Code::OrgId, "the link belongs to another organization"));
    }
    if link.seq != tip.next_seq() {
        return Err(Fault::new(Code::Rollback, format!("expected link {}, got link {}", tip.next_seq(), link.seq)));
    }
    if link.history != tip.history.root() {
        return Err(Fault::new(Code::Fork, "the link continues another history"));
    }
    if (link.kind == 1) != (link.seq == 0) || (link.seq == 1 && link.kind != 10) {
        return Err(Fault::new(Code::Authority, "a chain begins with its genesis and its directory, and has one of each"));
    }
    Ok(())
}

fn check_time<V: View>(draft: &Draft<V>, link: &Link, now_ms: u64) -> Result<(), Fault> {
    if draft.chain().is_some_and(|chain| link.ts_ms < chain.last_ts_ms) {
        return Err(Fault::new(Code::Clock, "the link is dated before its predecessor"));
    }
    if link.ts_ms > now_ms.saturating_add(limits::MAX_SKEW_MS) {
        return Err(Fault::new(Code::Clock, "the link is dated more than ten minutes in the future: check this machine's clock"));
    }
    Ok(())
}

fn check_author<V: View>(draft: &Draft<V>, link: &Link, body: &Body, signed: &Signed) -> Result<(), Fault> {
    let newcomer = match body {
        Body::Genesis(body) => Some(&body.bundle),
        Body::MemberJoin(body) => Some(&body.bundle),
        _ => None,
    };
    let sign_pk = if let Some(bundle) = newcomer {
        let (bundle, key_id) = crate::bundle::Bundle::verify(bundle)?;
        if bundle.identity_id != link.author_id || key_id != link.author_key_id {
            return Err(Fault::new(Code::KeySubst, "the link is not signed by the identity it brings"));
        }
        bundle.sign_pk
    } else {
        let author = draft
            .active_member(&link.author_id, link.ts_ms)
            .ok_or_else(|| Fault::new(Code::Authority, "the author is not an active member"))?;
        if author.key_id != link.author_key_id {
            return Err(Fault::new(Code::Authority, "the author's key is no longer current"));
        }
        author.sign_pk
    };
    signed.verify(&sign_pk, Domain::OrgLink)
}

fn touch_chain<V: View>(draft: &mut Draft<V>, link: &Link) {
    let mut chain =
        draft.chain().unwrap_or(ChainEntry { last_ts_ms: 0, last_checkpoint: 0, guardians: 0, members: 0, namespaces: 0, directory: None });
    chain.last_ts_ms = link.ts_ms;
    draft.put(Key::chain(), Entry::Chain(chain));
}

/// The hash is of the state before the checkpoint itself: time of the last link included, this one's not.
fn checkpoint<V: View>(draft: &mut Draft<V>, step: &Step, state_hash: Option<Hash>) -> Result<Vec<WrapNeed>, Fault> {
    let Some(mut chain) = draft.chain() else { return Err(Fault::new(Code::State, "the chain has no state")) };
    if let Some(claimed) = state_hash {
        if draft.base().state_hash() != claimed {
            return Err(Fault::new(Code::State, "the checkpoint's state hash differs from the state"));
        }
        chain.last_checkpoint = step.link.seq;
        draft.put(Key::chain(), Entry::Chain(chain));
    } else if step.link.seq.saturating_sub(chain.last_checkpoint) > limits::CHECKPOINT_INTERVAL {
        return Err(Fault::new(Code::State, "a checkpoint must carry the state hash when the last one is 64 links old"));
    }
    Ok(vec![])
}

/// The author's view of a namespace: known, not archived along its line.
pub(super) fn open_ns<V: View>(draft: &Draft<V>, id: &crate::ids::NsId) -> Result<Box<Ns>, Fault> {
    let ns = draft.known_ns(id)?;
    if draft.lineage(id).iter().filter_map(|id| draft.ns(id)).any(|ns| ns.archived) {
        return Err(Fault::new(Code::Authority, "the namespace is archived"));
    }
    Ok(ns)
}

/// The policy in force.
pub(super) fn policy<V: View>(draft: &Draft<V>) -> Result<Policy, Fault> {
    draft.policy().ok_or_else(|| Fault::new(Code::State, "the chain has no policy"))
}
