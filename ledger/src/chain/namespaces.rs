//! Types 10 to 13: namespaces, their keys, and access to them.

use super::apply::{Step, open_ns};
use super::entry::{AccessEntry, Entry, EpochEntry, Granted, Key, Ns, WrapsEntry};
use super::heads::set_fences;
use super::link::{Access, NamespaceCreate, NamespaceEpoch, NamespaceSet, class, permission, role};
use super::needs::WrapNeed;
use super::rules::{
    author, check_holder, check_permissions, check_room, check_single_class, forbidden, is_high, owner_or_recovery, require_admin,
    require_reader, require_within,
};
use super::view::{Draft, Questions, View, earlier, ends_sooner, is_live, outlasts};
use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, KeyId, NsId};
use crate::{limits, merkle};
use std::collections::BTreeSet;

/// Everything on one namespace.
const ALL: u8 = permission::READ | permission::WRITE | permission::MANAGE;

pub(super) fn create<V: View>(draft: &mut Draft<V>, step: &Step, body: &NamespaceCreate) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    if draft.ns(&body.ns_id).is_some() {
        return Err(forbidden("the namespace's id is taken"));
    }
    if body.names.epoch != 1 {
        return Err(Fault::new(Code::NkCommit, "a namespace's first names are sealed under its first key"));
    }
    let needs = match &body.parent {
        None => create_root(draft, step, body)?,
        Some(parent) => create_child(draft, step, body, parent)?,
    };
    count_namespace(draft, body)?;
    let wraps =
        WrapsEntry { root: body.wraps.root, count: body.wraps.count, author: step.link.author_id, author_key_id: step.link.author_key_id };
    let ns = Ns {
        parent: body.parent,
        class: body.class,
        archived: false,
        names: body.names.clone(),
        create_hash: step.hash,
        epoch: 1,
        nk_commit: body.nk_commit,
        parent_seal: body.parent_seal.clone(),
        wraps,
        fence: None,
        seen: None,
        owed: false,
        family: 1,
    };
    draft.put_ns(&body.ns_id, Box::new(ns));
    draft.put(Key::epoch(&body.ns_id, 1), Entry::Epoch(EpochEntry { nk_commit: body.nk_commit, previous: None }));
    if let Some(parent) = &body.parent {
        draft.put(Key::child(parent, &body.ns_id), Entry::Mark);
    } else {
        draft.put_access(&body.ns_id, &step.link.author_id, AccessEntry { permissions: ALL, expires_ms: author.expires_ms, wrap: None });
    }
    Ok(needs)
}

fn create_root<V: View>(draft: &mut Draft<V>, step: &Step, body: &NamespaceCreate) -> Result<Vec<WrapNeed>, Fault> {
    require_admin(&author(draft, step)?)?;
    if body.class > class::PRODUCTION || (body.class == class::DIRECTORY) != (step.link.seq == 1) {
        return Err(forbidden("the directory is created by the second link, and only there"));
    }
    if body.parent_seal.is_some() || body.wraps.count != 1 {
        return Err(Fault::new(Code::Wrap, "an environment starts with its author's wrap, and no parent"));
    }
    let own = (step.link.author_id, step.link.author_key_id);
    Ok(vec![WrapNeed {
        ns_id: body.ns_id,
        epoch: 1,
        nk_commit: body.nk_commit,
        granter: own,
        recipients: vec![own],
        hash: body.wraps.root,
        is_set: true,
    }])
}

fn create_child<V: View>(draft: &mut Draft<V>, step: &Step, body: &NamespaceCreate, parent: &NsId) -> Result<Vec<WrapNeed>, Fault> {
    let above = open_ns(draft, parent)?;
    if above.class == class::DIRECTORY || body.class != above.class || draft.lineage(parent).len() >= limits::MAX_LEVELS {
        return Err(forbidden("a guarded folder has its environment's class, and lies at most two levels below it"));
    }
    if draft.permissions(parent, &step.link.author_id, step.ts()) & ALL != ALL {
        return Err(forbidden("guarding needs manage and write on the parent"));
    }
    require_settled(draft, parent, step.ts())?;
    if body.parent_seal.as_ref().is_none_or(|seal| seal.epoch != above.epoch)
        || body.wraps.count != 0
        || body.wraps.root != merkle::empty_root()
    {
        return Err(Fault::new(
            Code::NkCommit,
            "a guarded folder's key is sealed under its parent's current key, and wrapped for nobody yet",
        ));
    }
    Ok(vec![])
}

fn count_namespace<V: View>(draft: &mut Draft<V>, body: &NamespaceCreate) -> Result<(), Fault> {
    let Some(mut chain) = draft.chain() else { return Err(Fault::new(Code::State, "the chain has no state")) };
    chain.namespaces += 1;
    if chain.namespaces > limits::MAX_NAMESPACES {
        return Err(Fault::new(Code::Limit, "an organization has at most 16,000 namespaces"));
    }
    if body.class == class::DIRECTORY {
        chain.directory = Some(body.ns_id);
    }
    draft.put(Key::chain(), Entry::Chain(chain));
    let root = body.parent.as_ref().and_then(|parent| draft.lineage(parent).last().copied());
    if let Some((id, mut root)) = root.and_then(|id| draft.ns(&id).map(|ns| (id, ns))) {
        root.family += 1;
        if root.family > limits::MAX_NAMESPACES_PER_ENVIRONMENT {
            return Err(Fault::new(Code::Limit, "an environment has at most 1,000 namespaces"));
        }
        draft.put_ns(&id, root);
    }
    Ok(())
}

pub(super) fn set<V: View>(draft: &mut Draft<V>, step: &Step, body: &NamespaceSet) -> Result<Vec<WrapNeed>, Fault> {
    let author = author(draft, step)?;
    let ns = draft.known_ns(&body.ns_id)?;
    let (at, wanted) = match &ns.parent {
        None => (body.ns_id, permission::MANAGE),
        Some(parent) => (*parent, ALL),
    };
    if draft.permissions(&at, &step.link.author_id, step.ts()) & wanted != wanted || ns.class == class::DIRECTORY {
        return Err(forbidden("changing a namespace needs manage on it, a guarded folder's manage and write on its parent"));
    }
    if let Some(class) = body.class {
        if author.role != role::OWNER || ns.parent.is_some() || !(class::DEVELOPMENT..=class::PRODUCTION).contains(&class) {
            return Err(forbidden("the class of an environment is an owner's to change, never from or to the directory's"));
        }
        reclassify(draft, &body.ns_id, class, step.ts())?;
        recheck_machines(draft, &body.ns_id)?;
    }
    let mut ns = draft.known_ns(&body.ns_id)?;
    if let Some(names) = &body.names {
        if draft.is_owed(&body.ns_id, step.ts()) {
            return Err(Fault::new(Code::Owed, "names are not sealed under a key that must change"));
        }
        if names.epoch != ns.epoch {
            return Err(Fault::new(Code::NkCommit, "names are sealed under the current key"));
        }
        ns.names = names.clone();
    }
    if let Some(archived) = body.archived {
        ns.archived = archived;
    }
    draft.put_ns(&body.ns_id, ns);
    Ok(vec![])
}

fn reclassify<V: View>(draft: &mut Draft<V>, root: &NsId, to: u8, ts_ms: u64) -> Result<(), Fault> {
    for id in draft.family(root) {
        draft.record_lapses(&id, ts_ms);
        if to == class::PRODUCTION && !draft.scan(&Key::prewraps(&id)).is_empty() {
            return Err(forbidden("an open invite carries this environment's key, which production forbids"));
        }
        if let Some(mut ns) = draft.ns(&id) {
            ns.class = to;
            draft.put_ns(&id, ns);
        }
    }
    Ok(())
}

fn recheck_machines<V: View>(draft: &Draft<V>, root: &NsId) -> Result<(), Fault> {
    for ns in draft.family(root) {
        for holder in draft.holders(&ns) {
            if draft.member(&holder).is_some_and(|member| member.role == role::MACHINE) {
                check_single_class(draft, &draft.held_by(&holder).into_iter().collect())?;
            }
        }
    }
    Ok(())
}

pub(super) fn epoch<V: View>(draft: &mut Draft<V>, step: &Step, body: &NamespaceEpoch) -> Result<Vec<WrapNeed>, Fault> {
    let mut ns = open_ns(draft, &body.ns_id)?;
    if ns.class == class::DIRECTORY {
        return Err(forbidden("the directory has one epoch"));
    }
    let was_owed = draft.is_owed(&body.ns_id, step.ts());
    for above in draft.lineage(&body.ns_id) {
        draft.record_lapses(&above, step.ts());
    }
    let wanted = if was_owed { permission::WRITE | permission::READ } else { ALL };
    if draft.permissions(&body.ns_id, &step.link.author_id, step.ts()) & wanted != wanted {
        return Err(forbidden("an epoch needs manage and write, or write where it is owed"));
    }
    check_parent(draft, step, &ns, body)?;
    // The author may hold only an older key, when somebody gave him a false one.
    if body.epoch != ns.epoch + 1 || !(1..=ns.epoch).contains(&body.previous.epoch) {
        return Err(Fault::new(Code::Rollback, "epochs follow one another"));
    }
    if body.fence.ns_id != body.ns_id {
        return Err(Fault::new(Code::Fence, "an epoch fences its own namespace"));
    }
    let granter = (step.link.author_id, step.link.author_key_id);
    let recipients = keyed(draft, draft.direct_readers(&body.ns_id, step.ts()));
    if recipients.len() as u64 != body.wraps.count {
        return Err(Fault::new(Code::Wrap, format!("an epoch wraps for all who hold access: {} are needed", recipients.len())));
    }
    set_fences(draft, step, std::slice::from_ref(&body.fence), &BTreeSet::from([body.ns_id]))?;
    for holder in draft.holders(&body.ns_id) {
        if let Some(mut access) = draft.access(&body.ns_id, &holder).filter(|access| access.wrap.is_some()) {
            access.wrap = None;
            draft.put_access(&body.ns_id, &holder, access);
        }
    }
    void_prewraps(draft, step, &body.ns_id);
    ns.fence = draft.known_ns(&body.ns_id)?.fence;
    (ns.epoch, ns.nk_commit, ns.owed) = (body.epoch, body.nk_commit, false);
    ns.parent_seal.clone_from(&body.parent_seal);
    ns.wraps = WrapsEntry { root: body.wraps.root, count: body.wraps.count, author: granter.0, author_key_id: granter.1 };
    draft.put_ns(&body.ns_id, ns);
    draft.put(
        Key::epoch(&body.ns_id, body.epoch),
        Entry::Epoch(EpochEntry { nk_commit: body.nk_commit, previous: Some(body.previous.clone()) }),
    );
    Ok(vec![WrapNeed {
        ns_id: body.ns_id,
        epoch: body.epoch,
        nk_commit: body.nk_commit,
        granter,
        recipients,
        hash: body.wraps.root,
        is_set: true,
    }])
}

/// A newer epoch voids the keys that open invites carry. Who finds such a code still opens what lies below: it is sealed under the old key.
fn void_prewraps<V: View>(draft: &mut Draft<V>, step: &Step, ns: &NsId) {
    let carried = draft.scan(&Key::prewraps(ns));
    if carried.is_empty() {
        return;
    }
    for key in carried {
        draft.drop_key(key);
    }
    for child in draft.family(ns).iter().skip(1) {
        draft.owe(child, None, step.ts());
    }
}

/// A child's key is sealed under its parent's, whose own change comes first.
fn check_parent<V: View>(draft: &Draft<V>, step: &Step, ns: &Ns, body: &NamespaceEpoch) -> Result<(), Fault> {
    match (&ns.parent, &body.parent_seal) {
        (None, None) => Ok(()),
        (Some(parent), Some(seal)) => {
            if draft.permissions(parent, &step.link.author_id, step.ts()) & permission::READ == 0 {
                return Err(forbidden("an epoch of a guarded folder needs a reader of its parent"));
            }
            require_settled(draft, parent, step.ts())?;
            if seal.epoch == draft.known_ns(parent)?.epoch {
                Ok(())
            } else {
                Err(Fault::new(Code::NkCommit, "the key is sealed under another epoch of the parent"))
            }
        }
        _ => Err(Fault::new(Code::NkCommit, "a guarded folder's epoch, and only that, is sealed under its parent's key")),
    }
}

/// No ancestor's key may be owed when something is sealed under it.
fn require_settled<V: View>(draft: &Draft<V>, ns: &NsId, ts_ms: u64) -> Result<(), Fault> {
    if draft.lineage(ns).iter().any(|above| draft.is_owed(above, ts_ms)) {
        return Err(Fault::new(Code::Owed, "the parent's key must change first"));
    }
    Ok(())
}

fn keyed<V: View>(draft: &Draft<V>, ids: Vec<IdentityId>) -> Vec<(IdentityId, KeyId)> {
    ids.into_iter().filter_map(|id| draft.member(&id).map(|member| (id, member.key_id))).collect()
}

pub(super) fn access<V: View>(draft: &mut Draft<V>, step: &Step, body: &Access) -> Result<Vec<WrapNeed>, Fault> {
    check_permissions(body.permissions)?;
    let ns = draft.known_ns(&body.ns_id)?;
    if body.permissions != 0 {
        open_ns(draft, &body.ns_id)?;
    }
    draft.record_lapse(&body.ns_id, &body.identity_id, step.ts());
    let before = draft.access(&body.ns_id, &body.identity_id);
    check_giver(draft, step, body, before.as_ref())?;
    let needs = check_receiver(draft, step, body, before.as_ref(), &ns)?;

    let old = before.as_ref().map_or(0, |access| access.permissions);
    let lost = old & !body.permissions;
    // An earlier end counts as well: an older anchor would still show the later one.
    let shortened = before.as_ref().is_some_and(|access| ends_sooner(body.expires_ms, access.expires_ms));
    let fenced = old & permission::WRITE != 0 && (lost & permission::WRITE != 0 || shortened);
    let wanted = if fenced { draft.family(&body.ns_id).into_iter().collect() } else { BTreeSet::new() };
    if body.permissions == 0 {
        draft.drop_access(&body.ns_id, &body.identity_id);
    } else {
        let wrap = body.wrap.map(|wrap_hash| Granted { wrap_hash, author: step.link.author_id, author_key_id: step.link.author_key_id });
        let kept = before.and_then(|access| access.wrap).filter(|_| body.permissions & permission::READ != 0);
        draft.put_access(
            &body.ns_id,
            &body.identity_id,
            AccessEntry { permissions: body.permissions, expires_ms: body.expires_ms, wrap: wrap.or(kept) },
        );
    }
    set_fences(draft, step, &body.fences, &wanted)?;
    if lost & permission::READ != 0 {
        draft.owe(&body.ns_id, Some(&body.identity_id), step.ts());
        require_reader(draft, &[body.ns_id], body.abandon, step.ts())?;
    }
    Ok(needs)
}

/// Whether the author may make this change to this person's access.
fn check_giver<V: View>(draft: &Draft<V>, step: &Step, body: &Access, before: Option<&AccessEntry>) -> Result<(), Fault> {
    let author = author(draft, step)?;
    let (old, old_end) = before.map_or((0, 0), |access| (access.permissions, access.expires_ms));
    let lowers = old & !body.permissions != 0 || (before.is_some() && ends_sooner(body.expires_ms, old_end));
    let raises = body.permissions & !old != 0 || (body.permissions != 0 && before.is_some() && outlasts(body.expires_ms, old_end));
    let own = body.identity_id == step.link.author_id;
    if own && (raises || body.wrap.is_some()) {
        return Err(forbidden("on oneself only lowering is allowed"));
    }
    let target = draft.member(&body.identity_id).map_or(role::REMOVED, |member| member.role);
    if lowers && !own && is_high(target) && !owner_or_recovery(&author) {
        return Err(forbidden("lowering the access of admin, owner or recovery needs an owner"));
    }
    if own {
        return Ok(());
    }
    let right = |bits| draft.right_ends(&body.ns_id, &step.link.author_id, bits, step.ts());
    // An owner without `manage` hands out `manage`, which comes without a key, or takes access away.
    let keeps_end = body.permissions & old & permission::READ == 0 || !outlasts(body.expires_ms, old_end);
    let without_key = body.wrap.is_none() && body.permissions & !(old | permission::MANAGE) == 0 && keeps_end;
    let mut ends = match right(permission::MANAGE) {
        Some(ends) => ends,
        None if owner_or_recovery(&author) && without_key => author.expires_ms,
        None => return Err(forbidden("changing access needs manage on the namespace")),
    };
    if body.wrap.is_some() {
        ends = earlier(ends, right(permission::WRITE).ok_or_else(|| forbidden("wrapping a key needs write"))?);
    }
    if raises { require_within(body.expires_ms, ends) } else { Ok(()) }
}

/// Whether this person may hold it, and with which wrap it comes.
fn check_receiver<V: View>(
    draft: &Draft<V>,
    step: &Step,
    body: &Access,
    before: Option<&AccessEntry>,
    ns: &Ns,
) -> Result<Vec<WrapNeed>, Fault> {
    if body.permissions == 0 {
        return if body.wrap.is_none() && before.is_some() { Ok(vec![]) } else { Err(forbidden("there is no such access to take")) };
    }
    let receiver = draft.active_member(&body.identity_id, step.ts()).ok_or_else(|| forbidden("access is given to active members"))?;
    if !is_live(body.expires_ms, step.ts()) {
        return Err(forbidden("the access would have ended already"));
    }
    check_holder(draft, receiver.role, &body.ns_id, body.permissions)?;
    if receiver.role == role::MACHINE {
        let mut held: BTreeSet<NsId> = draft.held_by(&body.identity_id).into_iter().collect();
        held.insert(body.ns_id);
        check_single_class(draft, &held)?;
    }
    if before.is_none() {
        check_room(draft, &body.ns_id)?;
    }
    let reads = body.permissions & permission::READ != 0;
    let Some(hash) = body.wrap else {
        let holds_key = before.is_some_and(|access| access.permissions & permission::READ != 0);
        return if reads && !holds_key { Err(Fault::new(Code::Wrap, "read is conferred only with a wrap")) } else { Ok(vec![]) };
    };
    if !reads {
        return Err(Fault::new(Code::Wrap, "a wrap comes with read, and only with it"));
    }
    Ok(vec![WrapNeed {
        ns_id: body.ns_id,
        epoch: ns.epoch,
        nk_commit: ns.nk_commit,
        granter: (step.link.author_id, step.link.author_key_id),
        recipients: vec![(body.identity_id, receiver.key_id)],
        hash,
        is_set: false,
    }])
}
