//! What anybody may try next. Whoever signs is honest about keys and fences; whether he may do it at all is for the rules to say.

use super::org::{DEVELOPMENT, Known, Org, PEOPLE, PLACES, STALE, code_of, invite_of, person, place};
use crate::world::{ALL, DAY, READ, seal};
use keyvawlt_ledger::chain::{
    Access, Body, Head, Intended, Invite, InviteRevoke, MemberJoin, MemberRemove, NamespaceEpoch, Questions, WrapRef, WrapSet,
    join_statement, permission, role,
};
use keyvawlt_ledger::{Domain, Hash, NsId, Signed};
use std::collections::BTreeSet;

/// Epochs of one namespace, and writes to it: more of the same.
const MAX_EPOCHS: u64 = 3;
const MAX_WRITES: u64 = 2;
/// Days that pass at most.
const MAX_DAYS: u64 = 2;

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    Invite { by: usize, whom: usize },
    Revoke { by: usize, whom: usize },
    Join { who: usize },
    Access { by: usize, at: usize, to: usize, bits: u8, ends: bool },
    Epoch { by: usize, at: usize },
    Remove { by: usize, whom: usize },
    Write { by: usize, at: usize, back: usize, early: bool },
    Wait,
}

/// Every step worth trying.
pub fn moves(org: &Org) -> Vec<Move> {
    let mut moves = vec![];
    let inside = |who: usize| org.state().member(&person(who).id).is_some_and(|member| member.role != role::REMOVED);
    let all: Vec<usize> = (0..PEOPLE.len()).collect();
    for whom in [1, 2] {
        if org.state().invite(&invite_of(whom)).is_none() {
            moves.push(Move::Invite { by: 0, whom });
        } else {
            moves.push(Move::Revoke { by: 0, whom });
            moves.push(Move::Join { who: whom });
        }
    }
    for by in all.iter().copied().filter(|by| org.state().member(&person(*by).id).is_some()) {
        moves.extend(all.iter().filter(|whom| inside(**whom)).map(|whom| Move::Remove { by, whom: *whom }));
        for at in 0..PLACES.len() {
            if org.state().ns(&place(at)).is_some_and(|ns| ns.epoch < MAX_EPOCHS) {
                moves.push(Move::Epoch { by, at });
            }
            if org.manifests[at].tip.mseq < MAX_WRITES {
                let stand = |back| [false, true].map(|early| Move::Write { by, at, back, early });
                // As long as no day has passed, there is no earlier date.
                let days = if org.now > crate::world::START { 2 } else { 1 };
                moves.extend((0..STALE).flat_map(|back| stand(back).into_iter().take(days)));
            }
            for to in all.iter().copied().filter(|to| inside(*to)) {
                let give = |bits| [false, true].map(|ends| Move::Access { by, at, to, bits, ends });
                moves.extend([READ, ALL].into_iter().flat_map(give));
                moves.push(Move::Access { by, at, to, bits: 0, ends: false });
            }
        }
    }
    if org.now < crate::world::START + MAX_DAYS * DAY {
        moves.push(Move::Wait);
    }
    moves
}

impl Move {
    /// The organization afterwards, if the rules accept it.
    pub fn apply(self, org: &Org) -> Option<Org> {
        let (by, body) = match self {
            Move::Wait => {
                let mut after = org.clone();
                after.now += DAY;
                return Some(after);
            }
            Move::Write { by, at, back, early } => return org.writes(by, at, back, early),
            Move::Invite { by, whom } => (by, Body::Invite(invite(org, whom)?)),
            Move::Revoke { by, whom } => (by, Body::InviteRevoke(InviteRevoke { invite_id: invite_of(whom) })),
            Move::Join { who } => (who, Body::MemberJoin(join(org, who)?)),
            Move::Access { by, at, to, bits, ends } => (by, Body::Access(access(org, at, to, bits, ends))),
            Move::Epoch { by, at } => (by, Body::NamespaceEpoch(epoch(org, at)?)),
            Move::Remove { by, whom } => {
                let fences = fences(org, whom, &(0..PLACES.len()).collect::<Vec<_>>());
                (by, Body::MemberRemove(MemberRemove { identity_id: person(whom).id, fences, abandon: true }))
            }
        };
        let (mut after, applied) = org.takes(&org.signs(by, &body))?;
        let mut keys = Known::new();
        for need in &applied.needs {
            let Some(at) = (0..PLACES.len()).find(|at| place(*at) == need.ns_id) else { continue };
            let named = |who: usize| need.recipients.iter().any(|(id, _)| *id == person(who).id || id.0 == invite_of(who).0);
            let by_code = matches!(self, Move::Invite { .. });
            keys.extend((0..PEOPLE.len()).filter(|who| named(*who)).map(|who| (if by_code { code_of(who) } else { who }, at, need.epoch)));
        }
        if let Move::Epoch { by, at } = self {
            keys.insert((by, at, after.state().ns(&place(at))?.epoch));
        }
        after.learn(keys);
        Some(after)
    }

    /// What must hold of a write that was accepted.
    pub fn broken(self, before: &Org, _after: &Org) -> Option<String> {
        let Move::Write { by, at, back, early } = self else { return None };
        let then = &before.past[before.past.len() - 1 - back];
        let ts_ms = if early { then.ts_ms.max(before.manifests[at].tip.ts_ms) } else { before.now };
        let name = PEOPLE[by];
        let writes = |state: &super::org::Entries| state.permissions(&place(at), &person(by).id, ts_ms) & permission::WRITE != 0;
        if !writes(&then.entries) {
            return Some(format!("{name} wrote to {} without the right to, where he stood", PLACES[at]));
        }
        if !writes(before.state()) {
            return Some(format!("{name} wrote to {} after everybody knew that he may not", PLACES[at]));
        }
        let epoch = then.entries.ns(&place(at))?.epoch;
        let stray = then.strays(at, epoch, ts_ms)?;
        Some(format!("{name} wrote to {} under a key that {stray} knows without access", PLACES[at]))
    }
}

fn heads(org: &Org, places: impl IntoIterator<Item = usize>) -> Vec<Head> {
    let head = |at: usize| Head { ns_id: place(at), mseq: org.manifests[at].tip.mseq, mhash: org.manifests[at].tip.mhash };
    let mut heads: Vec<Head> = places.into_iter().map(head).collect();
    heads.sort_by_key(|head| head.ns_id);
    heads
}

/// Where somebody writes directly, with all below, and where the newest write is his own; of these places.
fn fences(org: &Org, whom: usize, places: &[usize]) -> Vec<Head> {
    let id = person(whom).id;
    let writes = |ns: &NsId| org.state().access(ns, &id).is_some_and(|access| access.permissions & permission::WRITE != 0);
    let families: BTreeSet<NsId> = places.iter().map(|at| place(*at)).filter(writes).flat_map(|ns| org.state().family(&ns)).collect();
    let fenced = |at: &usize| families.contains(&place(*at)) || (places.contains(at) && org.manifests[*at].tip.author == Some(id));
    heads(org, (0..PLACES.len()).filter(fenced))
}

fn access(org: &Org, at: usize, to: usize, bits: u8, ends: bool) -> Access {
    let (ns_id, id) = (place(at), person(to).id);
    let old = org.state().access(&ns_id, &id);
    let expires_ms = if ends { crate::world::START + DAY } else { 0 };
    let held = old.as_ref().map_or(0, |access| access.permissions);
    let lowers = held & !bits != 0 || old.as_ref().is_some_and(|access| keyvawlt_ledger::chain::ends_sooner(expires_ms, access.expires_ms));
    let family: Vec<usize> = (0..PLACES.len()).filter(|below| org.state().family(&ns_id).contains(&place(*below))).collect();
    let writes = held & permission::WRITE != 0;
    let fences = if lowers && writes {
        heads(org, family)
    } else if lowers {
        fences(org, to, &family)
    } else {
        vec![]
    };
    Access {
        ns_id,
        identity_id: id,
        permissions: bits,
        expires_ms,
        wrap: (bits & !held & READ != 0).then_some(Hash([7; 32])),
        fences,
        abandon: true,
    }
}

fn epoch(org: &Org, at: usize) -> Option<NamespaceEpoch> {
    let ns = org.state().ns(&place(at))?;
    let parent = ns.parent.and_then(|parent| org.state().ns(&parent));
    Some(NamespaceEpoch {
        ns_id: place(at),
        epoch: ns.epoch + 1,
        nk_commit: Hash(crate::people::bytes(&format!("{at} {}", ns.epoch + 1))),
        previous: seal(ns.epoch),
        parent_seal: parent.map(|parent| seal(parent.epoch)),
        wraps: WrapSet { root: Hash::ZERO, count: org.state().direct_readers(&place(at), org.now).len() as u64 },
        fence: heads(org, [at]).remove(0),
        reason: 1,
    })
}

/// For a member who reads development at once: its key travels in the code.
fn invite(org: &Org, whom: usize) -> Option<Invite> {
    let keys = crate::people::Person::named(&format!("invite of {}", PEOPLE[whom]));
    let directory = org.state().chain()?.directory?;
    let read = |ns_id| Intended { ns_id, permissions: READ, expires_ms: 0 };
    let wrap = |ns_id: NsId| Some(WrapRef { ns_id, epoch: org.state().ns(&ns_id)?.epoch, wrap_hash: Hash([7; 32]) });
    Some(Invite {
        invite_id: invite_of(whom),
        sign_pk: keys.sign.verifying_key().to_bytes(),
        auth_pk: keys.auth.verifying_key().to_bytes(),
        kem_pk: keys.kem_pk,
        role: role::MEMBER,
        access: vec![read(directory), read(place(DEVELOPMENT))],
        expires_ms: org.now + DAY,
        member_expires_ms: 0,
        mailed: false,
        prewraps: vec![wrap(directory)?, wrap(place(DEVELOPMENT))?],
    })
}

fn join(org: &Org, who: usize) -> Option<MemberJoin> {
    let invite = org.state().invite(&invite_of(who))?;
    let keys = crate::people::Person::named(&format!("invite of {}", PEOPLE[who]));
    let current = invite.prewraps.iter().filter(|wrap| org.state().ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch));
    let wraps = current.map(|wrap| WrapRef { wrap_hash: Hash([9; 32]), ..wrap.clone() }).collect();
    let statement = join_statement(&org.tip.org_id, &invite_of(who), &person(who).key_id);
    Some(MemberJoin {
        bundle: person(who).bundle.clone(),
        invite_id: invite_of(who),
        join_sig: Signed::make(&keys.sign, Domain::InviteJoin, statement).sig,
        wraps,
    })
}
