//! Reading the state: a `View` is what a link may look at; a `Draft` is a view with the link's own changes on top.

use super::entry::{AccessEntry, ChainEntry, Entry, InviteEntry, Key, Member, Ns};
use super::link::{Policy, class, permission, role};
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, InviteId, NsId};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};

/// The entries of a state. The client holds them all; the server loads those a link asks for.
pub trait View {
    /// One entry.
    fn get(&self, key: &Key) -> Option<Entry>;
    /// All keys with a prefix, in order.
    fn scan(&self, prefix: &[u8]) -> Vec<Key>;
    /// The hash of the whole state, for checkpoints.
    fn state_hash(&self) -> Hash;
}

impl View for BTreeMap<Key, Entry> {
    fn get(&self, key: &Key) -> Option<Entry> {
        BTreeMap::get(self, key).cloned()
    }
    fn scan(&self, prefix: &[u8]) -> Vec<Key> {
        self.range(Key::from_bytes(prefix.to_vec())..)
            .map(|(key, _)| key)
            .take_while(|key| key.as_bytes().starts_with(prefix))
            .cloned()
            .collect()
    }
    fn state_hash(&self) -> Hash {
        super::entry::state_hash(self)
    }
}

/// Never expires, or later than `ts`.
pub fn is_live(expires_ms: u64, ts_ms: u64) -> bool {
    expires_ms == 0 || ts_ms < expires_ms
}

/// Whether a right that ends at `granted` would outlast one that ends at `own`.
pub fn outlasts(granted: u64, own: u64) -> bool {
    own != 0 && (granted == 0 || granted > own)
}

/// Whether `next` ends before `old`.
pub fn ends_sooner(next: u64, old: u64) -> bool {
    next != old && !outlasts(next, old)
}

/// The later of two ends.
fn later(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { 0 } else { a.max(b) }
}

/// The earlier of two ends.
pub(super) fn earlier(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, end) | (end, 0) => end,
        _ => a.min(b),
    }
}

macro_rules! typed {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $t:ty),*) -> $variant:ident($out:ty) = $key:expr;)+) => {$(
        $(#[$meta])*
        fn $name(&self $(, $arg: $t)*) -> Option<$out> {
            match self.get(&$key) {
                Some(Entry::$variant(entry)) => Some(entry),
                _ => None,
            }
        }
    )+};
}

/// Questions about a state, the same on a bare view and on a draft.
pub trait Questions: View {
    typed! {
        /// The chain's own entry.
        chain() -> Chain(ChainEntry) = Key::chain();
        /// The policy.
        policy() -> Policy(Policy) = Key::policy();
        /// A member, present or past.
        member(id: &IdentityId) -> Member(Member) = Key::member(id);
        /// An invite.
        invite(id: &InviteId) -> Invite(Box<InviteEntry>) = Key::invite(id);
        /// A namespace.
        ns(id: &NsId) -> Ns(Box<Ns>) = Key::ns(id);
        /// Explicit access, live or lapsed.
        access(ns: &NsId, id: &IdentityId) -> Access(AccessEntry) = Key::access(ns, id);
    }

    /// A namespace, or the refusal of an unknown one.
    fn known_ns(&self, id: &NsId) -> Result<Box<Ns>, Fault> {
        self.ns(id).ok_or_else(|| Fault::new(Code::UnknownNamespace, "no link created this namespace"))
    }

    /// A member who may act at `ts`.
    fn active_member(&self, id: &IdentityId, ts_ms: u64) -> Option<Member> {
        self.member(id).filter(|member| member.role != role::REMOVED && !member.pending && is_live(member.expires_ms, ts_ms))
    }

    /// A namespace and its ancestors, itself first.
    fn lineage(&self, ns: &NsId) -> Vec<NsId> {
        let mut lineage = vec![*ns];
        while let Some(parent) = lineage.last().and_then(|ns| self.ns(ns)).and_then(|ns| ns.parent) {
            if lineage.len() >= limits::MAX_LEVELS {
                break;
            }
            lineage.push(parent);
        }
        lineage
    }

    /// A namespace and all below it, parents first.
    fn family(&self, ns: &NsId) -> Vec<NsId> {
        let mut family = vec![*ns];
        let mut at = 0;
        while let Some(parent) = family.get(at) {
            family.extend(self.scan(&Key::children(parent)).iter().filter_map(Key::last_id).map(NsId));
            at += 1;
        }
        family
    }

    /// What an identity may do in a namespace at `ts`: the union of its live access there and above.
    fn permissions(&self, ns: &NsId, id: &IdentityId, ts_ms: u64) -> u8 {
        if self.active_member(id, ts_ms).is_none() {
            return 0;
        }
        self.lineage(ns)
            .iter()
            .filter_map(|ns| self.access(ns, id))
            .filter(|access| is_live(access.expires_ms, ts_ms))
            .fold(0, |bits, access| bits | access.permissions)
    }

    /// When an identity's `bits` in a namespace end at the latest, membership included; `None` without them.
    fn right_ends(&self, ns: &NsId, id: &IdentityId, bits: u8, ts_ms: u64) -> Option<u64> {
        let member = self.active_member(id, ts_ms)?;
        self.lineage(ns)
            .iter()
            .filter_map(|ns| self.access(ns, id))
            .filter(|access| is_live(access.expires_ms, ts_ms) && access.permissions & bits == bits)
            .map(|access| earlier(access.expires_ms, member.expires_ms))
            .reduce(later)
    }

    /// Identities with an access entry in a namespace, in order.
    fn holders(&self, ns: &NsId) -> Vec<IdentityId> {
        self.scan(&Key::accesses(ns)).iter().filter_map(Key::last_id).map(IdentityId).collect()
    }

    /// Namespaces in which an identity has an access entry.
    fn held_by(&self, id: &IdentityId) -> Vec<NsId> {
        self.scan(&Key::accesses_of(id)).iter().filter_map(Key::last_id).map(NsId).collect()
    }

    /// Those who hold live read access directly in a namespace at `ts`.
    fn direct_readers(&self, ns: &NsId, ts_ms: u64) -> Vec<IdentityId> {
        let reads = |id: &IdentityId| {
            self.active_member(id, ts_ms).is_some()
                && self.access(ns, id).is_some_and(|access| access.permissions & permission::READ != 0 && is_live(access.expires_ms, ts_ms))
        };
        self.holders(ns).into_iter().filter(reads).collect()
    }

    /// Read access in a namespace that has lapsed by `ts` and is not yet recorded as a loss.
    fn lapsed_readers(&self, ns: &NsId, ts_ms: u64) -> Vec<IdentityId> {
        self.holders(ns).into_iter().filter(|id| self.has_lapsed(ns, id, ts_ms)).collect()
    }

    /// Whether an identity's read access here has lapsed by `ts`, by its own end or the membership's.
    fn has_lapsed(&self, ns: &NsId, id: &IdentityId, ts_ms: u64) -> bool {
        self.access(ns, id).is_some_and(|access| {
            access.permissions & permission::READ != 0
                && (!is_live(access.expires_ms, ts_ms) || self.member(id).is_none_or(|member| !is_live(member.expires_ms, ts_ms)))
        })
    }

    /// Open invites that carried a namespace's current key and have lapsed by `ts`.
    fn lapsed_prewraps(&self, ns: &NsId, ts_ms: u64) -> Vec<InviteId> {
        let lapsed = |id: &InviteId| self.invite(id).is_some_and(|invite| !is_live(invite.expires_ms, ts_ms));
        self.scan(&Key::prewraps(ns)).iter().filter_map(Key::last_id).map(InviteId).filter(lapsed).collect()
    }

    /// Whether a namespace's key must change before anything new is written there at `ts`.
    fn is_owed(&self, id: &NsId, ts_ms: u64) -> bool {
        let Some(ns) = self.ns(id) else { return false };
        if ns.class == class::DIRECTORY {
            return false;
        }
        let lapsed = |above: &NsId| {
            self.lapsed_readers(above, ts_ms).iter().any(|reader| self.permissions(id, reader, ts_ms) & permission::READ == 0)
                || !self.lapsed_prewraps(above, ts_ms).is_empty()
        };
        ns.owed || self.lineage(id).iter().any(lapsed)
    }
}

impl<V: View + ?Sized> Questions for V {}

/// A view with changes on top. Nothing of it is kept unless the whole link holds.
pub struct Draft<'v, V: View> {
    base: &'v V,
    changes: BTreeMap<Key, Option<Entry>>,
}

impl<V: View> View for Draft<'_, V> {
    fn get(&self, key: &Key) -> Option<Entry> {
        match self.changes.get(key) {
            Some(change) => change.clone(),
            None => self.base.get(key),
        }
    }

    fn scan(&self, prefix: &[u8]) -> Vec<Key> {
        let mut keys: BTreeSet<Key> = self.base.scan(prefix).into_iter().collect();
        for (key, change) in
            self.changes.range(Key::from_bytes(prefix.to_vec())..).take_while(|(key, _)| key.as_bytes().starts_with(prefix))
        {
            if change.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        keys.into_iter().collect()
    }

    fn state_hash(&self) -> Hash {
        self.base.state_hash()
    }
}

impl<'v, V: View> Draft<'v, V> {
    /// No changes yet.
    pub fn on(base: &'v V) -> Self {
        Self { base, changes: BTreeMap::new() }
    }

    /// The changes.
    pub fn into_changes(self) -> BTreeMap<Key, Option<Entry>> {
        self.changes
    }

    pub(super) fn base(&self) -> &'v V {
        self.base
    }

    pub(super) fn put(&mut self, key: Key, entry: Entry) {
        self.changes.insert(key, Some(entry));
    }

    pub(super) fn put_member(&mut self, id: &IdentityId, member: Member) {
        self.put(Key::member(id), Entry::Member(member));
    }

    pub(super) fn put_ns(&mut self, id: &NsId, ns: Box<Ns>) {
        self.put(Key::ns(id), Entry::Ns(ns));
    }

    pub(super) fn put_access(&mut self, ns: &NsId, id: &IdentityId, access: AccessEntry) {
        self.put(Key::access(ns, id), Entry::Access(access));
        self.put(Key::access_of(id, ns), Entry::Mark);
    }

    pub(super) fn drop_access(&mut self, ns: &NsId, id: &IdentityId) {
        self.changes.insert(Key::access(ns, id), None);
        self.changes.insert(Key::access_of(id, ns), None);
    }

    pub(super) fn drop_key(&mut self, key: Key) {
        self.changes.insert(key, None);
    }

    /// Marks a namespace and those below it as owed, as far as `reader` can no longer read them (everyone, without one).
    pub(super) fn owe(&mut self, ns: &NsId, reader: Option<&IdentityId>, ts_ms: u64) {
        for id in self.family(ns) {
            if reader.is_some_and(|reader| self.permissions(&id, reader, ts_ms) & permission::READ != 0) {
                continue;
            }
            if let Some(mut ns) = self.ns(&id).filter(|ns| ns.class != class::DIRECTORY && !ns.owed) {
                ns.owed = true;
                self.put_ns(&id, ns);
            }
        }
    }

    /// Records what has lapsed wherever an identity holds access, before its membership or keys change.
    pub(super) fn record_lapses_of(&mut self, id: &IdentityId, ts_ms: u64) {
        for ns in self.held_by(id) {
            self.record_lapse(&ns, id, ts_ms);
        }
    }

    /// Records one identity's lapsed access as a loss, before a link touches it.
    pub(super) fn record_lapse(&mut self, ns: &NsId, id: &IdentityId, ts_ms: u64) {
        if self.has_lapsed(ns, id, ts_ms) {
            self.drop_access(ns, id);
            self.owe(ns, Some(id), ts_ms);
        }
    }

    /// Records all that has lapsed in a namespace as losses, before its key changes.
    pub(super) fn record_lapses(&mut self, ns: &NsId, ts_ms: u64) {
        for reader in self.lapsed_readers(ns, ts_ms) {
            self.drop_access(ns, &reader);
            self.owe(ns, Some(&reader), ts_ms);
        }
        for invite in self.lapsed_prewraps(ns, ts_ms) {
            self.drop_key(Key::prewrap(ns, &invite));
            self.owe(ns, None, ts_ms);
        }
    }
}
