//! Annals: what the chain as a whole says and its newest state no longer does: who admitted whom, whose keys were replaced and when, and which
//! keys of namespaces everybody came to hold.
//!
//! Made link by link from what [`Replica::append`](super::Replica::append) accepted, so no server can leave anything out.

use super::apply::Applied;
use super::entry::{Entry, Key};
use super::link::{Body, class, permission};
use super::view::{Questions, View};
use crate::bundle::{Bundle, key_id};
use crate::canon::Canon;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, KeyId, NsId};
use crate::row;
use crate::sign::Signed;
use std::collections::{BTreeMap, BTreeSet};

row! {
    /// One set of keys of an identity.
    pub struct KeyPeriod {
        /// Whose.
        identity_id: IdentityId,
        /// The keys.
        key_id: KeyId,
        /// The one among them that verifies statements.
        sign_pk: [u8; 32],
        /// Their generation.
        generation: u64,
        /// The type of link that brought them: 1, 2, 3, 6 or 7.
        brought_by: u8,
        /// That link's position.
        seq: u64,
        /// Since when, epoch milliseconds.
        since_ms: u64,
        /// Who let them in: the inviter of a join, else the link's author.
        by: IdentityId,
        /// How they were verified.
        verified: u8,
        /// Rises when what earlier keys could read is no longer only the identity's: after a removal, a reset, a leak.
        life: u64,
        /// How they ended.
        ended: Option<KeyEnd>,
    }
}

row! {
    /// The end of a set of keys.
    pub struct KeyEnd {
        /// The type of link that ended them: 5, 6 or 7.
        by_kind: u8,
        /// When, epoch milliseconds.
        at_ms: u64,
        /// The link's author.
        by: IdentityId,
        /// They had leaked.
        leaked: bool,
    }
}

/// Why somebody can no longer read, and what was readable has to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossReason {
    /// Removed by somebody.
    Removed,
    /// Left.
    Left,
    /// The keys were reset.
    KeysReset,
    /// The keys leaked: whoever has them could read.
    KeysLeaked,
    /// Access was taken.
    Taken,
    /// Access or membership ended by itself.
    Lapsed,
}

/// Keys of a namespace in the hands of somebody who may not read it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Who.
    pub who: IdentityId,
    /// Where.
    pub ns_id: NsId,
    /// The newest epoch whose key they came to hold, and with it all earlier ones.
    pub epoch: u64,
    /// When they lost access, epoch milliseconds.
    pub at_ms: u64,
    /// Who took it; nobody took what lapsed.
    pub by: Option<IdentityId>,
    /// Why.
    pub reason: LossReason,
}

/// The annals of one chain, up to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annals {
    next_seq: u64,
    link_hash: Hash,
    periods: BTreeMap<IdentityId, Vec<KeyPeriod>>,
    /// By namespace, identity and life.
    held: BTreeMap<(NsId, IdentityId, u64), Holding>,
    /// Of guarded folders, each epoch with the parent's epoch that opens it, in order.
    seals: BTreeMap<NsId, Vec<ParentSeal>>,
}

row! {
    /// A namespace's keys, wrapped to one identity.
    pub struct Holding {
        /// The namespace.
        ns_id: NsId,
        /// The identity.
        identity_id: IdentityId,
        /// In which of its lives.
        life: u64,
        /// The newest epoch.
        epoch: u64,
        /// When the access behind it ends; 0 for never.
        expires_ms: u64,
        /// The access behind it was taken.
        lost: Option<Lost>,
    }
}

row! {
    /// The link that took access.
    pub struct Lost {
        /// Its type.
        kind: u8,
        /// When, epoch milliseconds.
        at_ms: u64,
        /// By whom.
        by: IdentityId,
        /// The keys that could read had leaked.
        leaked: bool,
    }
}

row! {
    /// A folder's key as its parent's readers open it.
    pub struct ParentSeal {
        /// The folder's epoch.
        epoch: u64,
        /// The parent's.
        parent_epoch: u64,
    }
}

impl Annals {
    /// Before the first link.
    pub fn before_genesis() -> Self {
        Self { next_seq: 0, link_hash: Hash::ZERO, periods: BTreeMap::new(), held: BTreeMap::new(), seals: BTreeMap::new() }
    }

    /// The position after the last link they cover, and that link's hash.
    pub fn tip(&self) -> (u64, Hash) {
        (self.next_seq, self.link_hash)
    }

    /// Takes in the next link. `state` is the state after it.
    pub fn take(&mut self, applied: &Applied, state: &impl View) {
        self.next_seq = applied.link.seq + 1;
        self.link_hash = applied.hash;
        self.take_keys(applied, state);
        for (key, change) in &applied.changes {
            if let Some((ns_id, who)) = key.access_ids() {
                self.take_access(applied, state, (ns_id, who), change.as_ref());
            }
        }
        match &applied.body {
            Body::NamespaceCreate(body) => {
                let seal = body.parent_seal.as_ref().map(|seal| ParentSeal { epoch: 1, parent_epoch: seal.epoch });
                self.seals.entry(body.ns_id).or_default().extend(seal);
            }
            Body::NamespaceEpoch(body) => {
                let seal = body.parent_seal.as_ref().map(|seal| ParentSeal { epoch: body.epoch, parent_epoch: seal.epoch });
                self.seals.entry(body.ns_id).or_default().extend(seal);
                for who in state.direct_readers(&body.ns_id, applied.link.ts_ms) {
                    let expires_ms = state.access(&body.ns_id, &who).map_or(0, |access| access.expires_ms);
                    self.hold(body.ns_id, who, body.epoch, expires_ms);
                }
            }
            _ => {}
        }
    }

    /// The keys of an identity, oldest first.
    pub fn keys_of(&self, who: &IdentityId) -> &[KeyPeriod] {
        self.periods.get(who).map_or(&[], Vec::as_slice)
    }

    /// Who was let in by whom, for those whose newest entry it was.
    pub fn admitted_by(&self, who: &IdentityId) -> impl Iterator<Item = IdentityId> {
        let entered = |periods: &Vec<KeyPeriod>| periods.iter().rfind(|period| matches!(period.brought_by, 1..=3)).cloned();
        let who = *who;
        let entries = self.periods.values().filter_map(entered);
        entries.filter(move |entry| entry.by == who && entry.identity_id != who).map(|entry| entry.identity_id)
    }

    /// All keys in the hands of somebody who, by `state` at `now_ms`, may not use them.
    pub fn losses(&self, state: &impl View, now_ms: u64) -> Vec<Loss> {
        let namespaces = state.scan(&Key::namespaces()).iter().filter_map(Key::last_id).map(NsId).collect::<Vec<_>>();
        let mut losses = Vec::new();
        for ns_id in namespaces {
            let lineage = state.lineage(&ns_id);
            let holders: BTreeSet<(IdentityId, u64)> = lineage.iter().flat_map(|ns| self.holders(ns)).collect();
            for (who, life) in holders {
                let present = self.life(&who) == Some(life) && state.permissions(&ns_id, &who, now_ms) & permission::READ != 0;
                let Some(epoch) = self.reach(&lineage, &who, life).filter(|_| !present) else { continue };
                losses.push(self.loss(state, &lineage, (who, life), epoch, now_ms));
            }
        }
        losses
    }

    /// The newest epoch of a namespace that somebody could open, directly or from above.
    fn reach(&self, lineage: &[NsId], who: &IdentityId, life: u64) -> Option<u64> {
        let mut reached = None;
        for ns_id in lineage.iter().rev() {
            let direct = self.held.get(&(*ns_id, *who, life)).map(|holding| holding.epoch);
            let seals = self.seals.get(ns_id).map_or(&[][..], Vec::as_slice);
            let above = reached.and_then(|above| seals.iter().rfind(|seal| seal.parent_epoch <= above)).map(|seal| seal.epoch);
            reached = direct.max(above);
        }
        reached
    }

    fn loss(&self, state: &impl View, lineage: &[NsId], (who, life): (IdentityId, u64), epoch: u64, now_ms: u64) -> Loss {
        let ns_id = lineage.first().copied().unwrap_or(NsId([0; 16]));
        let lost = lineage.iter().filter_map(|ns| self.held.get(&(*ns, who, life))?.lost.clone()).max_by_key(|lost| lost.at_ms);
        let Some(lost) = lost else {
            let ends = lineage.iter().filter_map(|ns| state.access(ns, &who)).map(|access| access.expires_ms);
            let ends = ends.chain(state.member(&who).map(|member| member.expires_ms)).filter(|end| (1..=now_ms).contains(end));
            return Loss { who, ns_id, epoch, at_ms: ends.min().unwrap_or(now_ms), by: None, reason: LossReason::Lapsed };
        };
        let reason = match lost.kind {
            _ if lost.leaked => LossReason::KeysLeaked,
            5 if lost.by == who => LossReason::Left,
            5 => LossReason::Removed,
            7 => LossReason::KeysReset,
            13 => LossReason::Taken,
            // Any other link that touches a lapsed entry records the lapse.
            _ => LossReason::Lapsed,
        };
        let by = Some(lost.by).filter(|_| reason != LossReason::Lapsed);
        Loss { who, ns_id, epoch, at_ms: lost.at_ms, by, reason }
    }

    fn holders(&self, ns_id: &NsId) -> impl Iterator<Item = (IdentityId, u64)> {
        let from = (*ns_id, IdentityId([0; 16]), 0);
        self.held.range(from..).take_while(move |((ns, ..), _)| *ns == from.0).map(|((_, who, life), _)| (*who, *life))
    }

    fn life(&self, who: &IdentityId) -> Option<u64> {
        self.periods.get(who)?.last().filter(|period| period.ended.is_none()).map(|period| period.life)
    }

    fn take_keys(&mut self, applied: &Applied, state: &impl View) {
        let author = applied.link.author_id;
        match &applied.body {
            Body::Genesis(body) => self.enter(applied, &body.bundle, author, state),
            Body::MemberAdd(body) => self.enter(applied, &body.bundle, author, state),
            Body::MemberJoin(body) => {
                let inviter = state.invite(&body.invite_id).map_or(author, |invite| invite.inviter);
                self.enter(applied, &body.bundle, inviter, state);
            }
            Body::MemberSet(body) => {
                let newest = self.periods.get_mut(&body.identity_id).and_then(|periods| periods.last_mut());
                if let (Some(newest), Some(member)) = (newest, state.member(&body.identity_id)) {
                    newest.verified = member.verified;
                }
            }
            Body::MemberRemove(body) => self.end(applied, &body.identity_id, false),
            Body::KeyRotate(body) => {
                self.end(applied, &author, body.compromised);
                self.enter(applied, &body.bundle, author, state);
            }
            Body::KeyReset(body) => {
                self.end(applied, &body.identity_id, false);
                self.enter(applied, &body.bundle, author, state);
            }
            _ => {}
        }
    }

    fn end(&mut self, applied: &Applied, who: &IdentityId, leaked: bool) {
        let (by_kind, at_ms, by) = (applied.link.kind, applied.link.ts_ms, applied.link.author_id);
        let Some(newest) = self.periods.get_mut(who).and_then(|periods| periods.last_mut()) else { return };
        newest.ended = Some(KeyEnd { by_kind, at_ms, by, leaked });
        if leaked {
            let life = newest.life;
            let holdings = self.held.values_mut().filter(|holding| holding.identity_id == *who && holding.life == life);
            for holding in holdings {
                holding.lost.get_or_insert(Lost { kind: by_kind, at_ms, by, leaked });
            }
        }
    }

    /// A set of keys that a link brought. What they follow on decides whether a new life begins.
    fn enter(&mut self, applied: &Applied, bundle: &Signed, by: IdentityId, state: &impl View) {
        // The link was accepted: its bundle is sound.
        let Ok(parsed) = Bundle::from_bytes(bundle.payload()) else { return };
        let periods = self.periods.entry(parsed.identity_id).or_default();
        let goes_on = |end: &KeyEnd| end.by_kind == KEY_ROTATE && !end.leaked;
        let life = periods.last().map_or(0, |last| last.life + u64::from(!last.ended.as_ref().is_some_and(goes_on)));
        periods.push(KeyPeriod {
            identity_id: parsed.identity_id,
            key_id: key_id(bundle.payload()),
            sign_pk: parsed.sign_pk,
            generation: parsed.generation,
            brought_by: applied.link.kind,
            seq: applied.link.seq,
            since_ms: applied.link.ts_ms,
            by,
            verified: state.member(&parsed.identity_id).map_or(0, |member| member.verified),
            life,
            ended: None,
        });
    }

    fn take_access(&mut self, applied: &Applied, state: &impl View, (ns_id, who): (NsId, IdentityId), change: Option<&Entry>) {
        let reading = match change {
            Some(Entry::Access(access)) if access.permissions & permission::READ != 0 => Some(access.expires_ms),
            _ => None,
        };
        let ns = state.ns(&ns_id).filter(|ns| ns.class != class::DIRECTORY);
        if let (Some(ns), Some(expires_ms)) = (ns, reading) {
            return self.hold(ns_id, who, ns.epoch, expires_ms);
        }
        let (kind, ts_ms, by) = (applied.link.kind, applied.link.ts_ms, applied.link.author_id);
        let member_ends = state.member(&who).map_or(0, |member| member.expires_ms);
        let lives = self.held.range_mut((ns_id, who, 0)..=(ns_id, who, u64::MAX));
        for (_, holding) in lives {
            // A link that only records a lapse comes after it.
            let ended = [holding.expires_ms, member_ends].into_iter().filter(|end| (1..=ts_ms).contains(end)).min();
            let at_ms = if TAKES.contains(&kind) { ts_ms } else { ended.unwrap_or(ts_ms) };
            holding.lost.get_or_insert(Lost { kind, at_ms, by, leaked: false });
        }
    }

    fn hold(&mut self, ns_id: NsId, identity_id: IdentityId, epoch: u64, expires_ms: u64) {
        let Some(life) = self.life(&identity_id) else { return };
        let new = Holding { ns_id, identity_id, life, epoch, expires_ms, lost: None };
        let holding = self.held.entry((ns_id, identity_id, life)).or_insert(new);
        (holding.epoch, holding.expires_ms, holding.lost) = (epoch.max(holding.epoch), expires_ms, None);
    }
}

/// The types of links that take access themselves: removal, reset, access.
const TAKES: [u8; 3] = [5, 7, 13];
/// The type of link in which an identity replaces its own keys.
const KEY_ROTATE: u8 = 6;
/// Rises when the layout below changes; older ones are made anew.
const STORED_FORMAT: u64 = 1;

row! {
    /// Annals as a client keeps them for the next time.
    pub struct StoredAnnals {
        /// [`STORED_FORMAT`].
        format: u64,
        /// The position after the last link.
        next_seq: u64,
        /// Its hash.
        link_hash: Hash,
        /// All keys.
        periods: Vec<KeyPeriod>,
        /// All holdings.
        held: Vec<Holding>,
        /// Folders.
        seals: Vec<StoredSeals>,
    }
}

row! {
    /// A folder's seals.
    pub struct StoredSeals {
        /// The folder.
        ns_id: NsId,
        /// In order of their epochs.
        seals: Vec<ParentSeal>,
    }
}

impl Canon for Annals {
    fn to_value(&self) -> crate::cbor::Value {
        let seals = self.seals.iter().map(|(ns_id, seals)| StoredSeals { ns_id: *ns_id, seals: seals.clone() });
        StoredAnnals {
            format: STORED_FORMAT,
            next_seq: self.next_seq,
            link_hash: self.link_hash,
            periods: self.periods.values().flatten().cloned().collect(),
            held: self.held.values().cloned().collect(),
            seals: seals.collect(),
        }
        .to_value()
    }

    fn from_value(value: crate::cbor::Value) -> Result<Self, Fault> {
        let stored = StoredAnnals::from_value(value)?;
        if stored.format != STORED_FORMAT {
            return Err(Fault::new(Code::Canon, "annals of another version"));
        }
        let mut annals = Self { next_seq: stored.next_seq, link_hash: stored.link_hash, ..Self::before_genesis() };
        for period in stored.periods {
            annals.periods.entry(period.identity_id).or_default().push(period);
        }
        annals.held = stored.held.into_iter().map(|held| ((held.ns_id, held.identity_id, held.life), held)).collect();
        annals.seals = stored.seals.into_iter().map(|stored| (stored.ns_id, stored.seals)).collect();
        Ok(annals)
    }
}
