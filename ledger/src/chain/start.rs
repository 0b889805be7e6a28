//! Starting at a checkpoint instead of the genesis: the state before it, held against the hash that it signs.
//!
//! Whoever starts here knows one later link from elsewhere, and that this checkpoint lies in that link's history. What holds afterwards: this is the
//! state that all who verify the whole chain have there. Absent: bundles, which no entry holds, and fences older than the newest of each namespace.

use super::apply::Tip;
use super::entry::{Entry, Fence, InviteEntry, Key, Ns, state_hash};
use super::link::{Body, Checkpoint, Link, class};
use super::replica::Replica;
use crate::canon::Canon as _;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, InviteId, NsId, OrgId};
use crate::merkle::{Frontier, leaf_hash, verify_inclusion};
use crate::sign::Signed;
use crate::{hash, limits};
use std::collections::BTreeMap;

/// An invite that nobody used and nobody revoked.
const OPEN: u8 = 0;

/// What a server shows to whoever starts at a checkpoint.
#[derive(Clone, Debug)]
pub struct Start {
    /// The checkpoint's link.
    pub checkpoint: Signed,
    /// The history before it.
    pub before: Frontier,
    /// The link that is known from elsewhere: the checkpoint, or a later one.
    pub pinned: Signed,
    /// The checkpoint's place in the known link's history; empty where they are one.
    pub path: Vec<Hash>,
}

impl Start {
    /// The checkpoint lies on the history of the link `pin`, and carries a state hash. Nothing says yet that it holds, or of what.
    pub fn check(&self, org_id: &OrgId, pin: (u64, Hash)) -> Result<(), Fault> {
        let (seq, pinned_hash) = pin;
        if self.pinned.hash(hash::LINK) != pinned_hash {
            return Err(Fault::new(Code::Fork, "the chain does not contain the link that this client knows"));
        }
        let (pinned, (checkpoint, _)) = (read(&self.pinned)?, self.state()?);
        if pinned.seq != seq || pinned.org_id != *org_id || checkpoint.org_id != *org_id {
            return Err(Fault::new(Code::OrgId, "the link that this client knows is of another place or organization"));
        }
        if checkpoint.seq > seq {
            return Err(no_state());
        }
        let checkpoint_hash = self.checkpoint.hash(hash::LINK);
        if checkpoint.seq == seq && checkpoint_hash == pinned_hash && self.path.is_empty() {
            return Ok(());
        }
        verify_inclusion(leaf_hash(&checkpoint_hash.0), checkpoint.seq, seq, &self.path, &pinned.history)
            .map_err(|_| Fault::new(Code::Fork, "the checkpoint does not lie in the history of the link that this client knows"))
    }

    /// The chain from here on, if these entries are the state that the checkpoint signs.
    pub fn open(&self, org_id: OrgId, entries: Vec<(Vec<u8>, Vec<u8>)>, now_ms: u64) -> Result<Replica, Fault> {
        let foreign = || Fault::new(Code::State, "the server shows a state that the checkpoint does not sign");
        let mut known = BTreeMap::new();
        for (key, value) in entries {
            let key = Key::from_bytes(key);
            let entry = Entry::from_bytes(&key, &value).map_err(|_| foreign())?;
            known.insert(key, entry);
        }
        // Indexes are not hashed, so they are not taken from anybody: this also refuses every one that was sent.
        if state_hash(&known) != self.state()?.1 || known.keys().any(|key| !key.is_hashed()) {
            return Err(foreign());
        }
        let tip = Tip { org_id, history: self.before.clone(), link_hash: Hash::ZERO };
        let fences = known.iter().filter_map(|(key, entry)| newest_fence(key, entry)).collect();
        let indexes = indexes(&known)?;
        known.extend(indexes);
        Replica::before(tip, known, fences).start_with(&self.checkpoint, now_ms)
    }

    /// The checkpoint, and the hash it signs.
    fn state(&self) -> Result<(Link, Hash), Fault> {
        let link = read(&self.checkpoint)?;
        match Body::from_value(link.kind, link.body.clone())? {
            Body::Checkpoint(Checkpoint { state_hash: Some(state_hash) }) => Ok((link, state_hash)),
            _ => Err(no_state()),
        }
    }
}

fn no_state() -> Fault {
    Fault::new(Code::State, "what the server shows as a checkpoint is none with a state hash, at or before the link that this client knows")
}

fn read(signed: &Signed) -> Result<Link, Fault> {
    if signed.payload().len() > limits::MAX_LINK_WITH_FENCES {
        return Err(Fault::new(Code::Limit, "an organization link must not exceed 1 MiB"));
    }
    Link::from_bytes(signed.payload())
}

fn newest_fence(key: &Key, entry: &Entry) -> Option<(NsId, Vec<Fence>)> {
    let Entry::Ns(ns) = entry else { return None };
    Some((NsId(key.last_id()?), vec![ns.fence.clone()?]))
}

/// The entries that no hash covers, since they follow from the others.
fn indexes(known: &BTreeMap<Key, Entry>) -> Result<Vec<(Key, Entry)>, Fault> {
    let damaged = || Fault::new(Code::State, "a state entry without its identifier");
    let mut indexes = Vec::new();
    for (key, entry) in known {
        match entry {
            Entry::Access(_) => {
                let (ns, id) = key.access_ids().ok_or_else(damaged)?;
                indexes.push(Key::access_of(&id, &ns));
            }
            Entry::Ns(ns) => {
                let id = NsId(key.last_id().ok_or_else(damaged)?);
                indexes.extend(ns.parent.map(|parent| Key::child(&parent, &id)));
            }
            Entry::Invite(invite) if invite.state == OPEN => {
                let id = InviteId(key.last_id().ok_or_else(damaged)?);
                indexes.extend(carried(known, invite).map(|ns| Key::prewrap(&ns, &id)));
            }
            _ => {}
        }
    }
    Ok(indexes.into_iter().map(|key| (key, Entry::Mark)).collect())
}

/// The namespaces of which an open invite carries the key that is in force: the directory's opens nothing that has to be owed.
fn carried<'a>(known: &'a BTreeMap<Key, Entry>, invite: &'a InviteEntry) -> impl Iterator<Item = NsId> + 'a {
    let in_force = |ns: &Ns, epoch: u64| ns.class != class::DIRECTORY && ns.epoch == epoch;
    let current = move |id: &NsId, epoch| matches!(known.get(&Key::ns(id)), Some(Entry::Ns(ns)) if in_force(ns, epoch));
    invite.prewraps.iter().filter(move |wrap| current(&wrap.ns_id, wrap.epoch)).map(|wrap| wrap.ns_id)
}
