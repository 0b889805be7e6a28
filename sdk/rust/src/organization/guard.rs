//! Guarding: a folder of an environment, or one secret, becomes a namespace of its own, so that it can be shared alone. Unguarding puts it back.
//!
//! Each batch copies some secrets and deletes what it copied, so every moment between is whole: a name is where its live leaf is. Whoever calls
//! again goes on where the last one stopped. Absent: access, which is given as to any namespace.

use crate::change::{Change, NewObject, REASON_UNGUARDED, seal_of};
use crate::error::{Error, Result};
use crate::memory::spaces::head_of;
use crate::random::{self, rng};
use crate::secrets::index::{Flaw, Found, Part, fits, is_below};
use crate::secrets::{SecretWrite, deletions};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_crypto::nk::{self, NsNames};
use keyvawlt_crypto::secret::{CopiedFrom, seal_name, seal_version};
use keyvawlt_ledger::chain::{Body, NamespaceCreate, NamespaceSet, Questions, WrapSet, class, permission};
use keyvawlt_ledger::manifest::{Leaf, ObjectKind, object_hash};
use keyvawlt_ledger::{Code, Fault, NsId, merkle, names};
use std::collections::BTreeSet;

/// Secrets moved by one batch: two leaves each, and a batch is judged while others wait.
const SECRETS_PER_BATCH: usize = 500;
/// Sealed bytes moved by one batch, which may have 16 MiB with everything else.
const BYTES_PER_BATCH: usize = 8 << 20;

/// A guarded part of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its namespace.
    pub ns_id: NsId,
    /// A folder ending in `/`, or the full name of one secret.
    pub prefix: String,
    /// What this identity may do there.
    pub permissions: u8,
    /// Its key must change before the next write.
    pub owed: bool,
}

/// What guarding, or unguarding, did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The guarded part.
    pub folder: Folder,
    /// How many secrets were moved.
    pub secrets: usize,
    /// Whether the namespace was made, or archived, by this call.
    pub changed: bool,
}

/// What one batch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Secrets moved.
    pub moved: usize,
    /// Whether it made, or archived, the namespace.
    pub changed: bool,
    /// Nothing is left to move.
    pub done: bool,
}

impl Vault {
    /// The guarded parts of an environment that this identity reads, by prefix.
    pub fn folders(&self, environment: &NsId) -> Result<Vec<Folder>> {
        let parts = self.parts(environment, &mut Vec::new())?;
        let mut folders: Vec<Folder> = parts.iter().filter(|part| part.ns_id != *environment).map(|part| self.folder_of(part)).collect();
        folders.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        Ok(folders)
    }

    /// The guarded part with exactly this prefix.
    pub fn folder(&self, environment: &NsId, prefix: &str) -> Result<Folder> {
        let found = self.folders(environment)?.into_iter().find(|folder| folder.prefix == prefix);
        found.ok_or_else(|| Error::not_found("guarded folder", prefix))
    }

    /// Makes a folder (ending in `/`) or one secret a namespace of its own, and moves its secrets there. Goes on where an earlier call stopped.
    pub async fn guard(&mut self, environment: &NsId, prefix: &str) -> Result<Moved> {
        let (mut secrets, mut changed) = (0, false);
        loop {
            let step = self.guard_batch(environment, prefix).await?;
            (secrets, changed) = (secrets + step.moved, changed || step.changed);
            if step.done {
                return Ok(Moved { folder: self.folder(environment, prefix)?, secrets, changed });
            }
        }
    }

    /// One batch of a guarding.
    pub async fn guard_batch(&mut self, environment: &NsId, prefix: &str) -> Result<Step> {
        names::check_prefix(prefix).map_err(|fault| Error::invalid("path", fault.why))?;
        if prefix.is_empty() {
            return Err(Error::invalid("path", "an environment is a namespace already; name a folder or a secret of it"));
        }
        // A moved secret takes its value and its past along.
        self.take_history(environment).await?;
        self.change(|change| guard_some(change, environment, prefix)).await
    }

    /// Moves the secrets of a guarded part back to where it was guarded, and archives its namespace. Goes on where an earlier call stopped.
    pub async fn unguard(&mut self, environment: &NsId, prefix: &str) -> Result<Moved> {
        self.sync().await?;
        let folder = self.folder(environment, prefix)?;
        let mut secrets = 0;
        loop {
            let step = self.unguard_batch(environment, &folder).await?;
            secrets += step.moved;
            if step.done {
                return Ok(Moved { folder, secrets, changed: true });
            }
        }
    }

    /// One batch of an unguarding.
    pub async fn unguard_batch(&mut self, environment: &NsId, folder: &Folder) -> Result<Step> {
        self.take_history(environment).await?;
        self.change(|change| unguard_some(change, environment, folder)).await
    }

    /// Completes a guarding that was broken off, where it would split the history of what is about to be written.
    pub(crate) async fn finish_moves(&mut self, environment: &NsId, writes: &[SecretWrite]) -> Result<()> {
        let mut broken_off = BTreeSet::new();
        {
            let index = self.index(environment)?;
            for write in writes {
                let Some(found) = index.before(&write.name)?.filter(|found| found.may_have_moved && !found.leaf.is_deleted()) else {
                    continue;
                };
                let (home, prefix) = self.home_of(environment, &write.name)?;
                if home != found.space.tip.ns_id {
                    broken_off.insert(prefix);
                }
            }
        }
        for prefix in broken_off {
            self.guard(environment, &prefix).await?;
        }
        Ok(())
    }

    /// Refuses who may not write somewhere, and says where.
    pub(crate) fn require_write(&self, ns_id: &NsId) -> Result<()> {
        if self.permissions(ns_id, &self.identity.id()) & permission::WRITE != 0 {
            return Ok(());
        }
        match self.names_of(ns_id) {
            Ok(names) if !names.prefix.is_empty() => {
                let why = format!("{} is guarded, and you may only read it", names.prefix);
                Err(Error::Refused(Fault::new(Code::Authority, why)))
            }
            _ => Err(Error::Forbidden),
        }
    }

    fn folder_of(&self, part: &Part) -> Folder {
        Folder {
            ns_id: part.ns_id,
            prefix: part.prefix.clone(),
            permissions: self.permissions(&part.ns_id, &self.identity.id()),
            owed: self.replica.head().is_owed(&part.ns_id, self.now_ms()),
        }
    }

    /// The names that one namespace itself has, live or deleted.
    fn taken_in(&self, part: &Part) -> Result<BTreeSet<String>> {
        let mut flaws: Vec<Flaw> = Vec::new();
        let named = self.named(&part.ns_id, part.space, &part.prefix, &mut flaws);
        match flaws.first() {
            Some(flaw) => Err(flaw.error()),
            None => Ok(named.into_iter().map(|(name, ..)| name).collect()),
        }
    }

    /// The live secrets of one namespace itself that lie under a prefix.
    fn live_under<'a>(&'a self, part: &Part<'a>, prefix: &str) -> Result<Vec<Found<'a>>> {
        let mut flaws: Vec<Flaw> = Vec::new();
        let named = self.named(&part.ns_id, part.space, &part.prefix, &mut flaws);
        // What cannot be told apart cannot be moved.
        if let Some(flaw) = flaws.iter().find(|flaw| flaw.name.as_deref().is_none_or(|name| fits(prefix, name))) {
            return Err(flaw.error());
        }
        let live = named.into_iter().filter(|(name, leaf, _)| fits(prefix, name) && !leaf.is_deleted());
        let found = |(name, leaf, objects)| Found { name, leaf, objects, space: part.space, may_have_moved: true, took_over: false };
        Ok(live.map(found).collect())
    }
}

/// One batch of a guarding: the namespace, if it is not there, and some of the secrets.
fn guard_some(change: &mut Change, environment: &NsId, prefix: &str) -> Result<Step> {
    let vault = change.vault();
    let mut flaws = Vec::new();
    let parts = vault.parts(environment, &mut flaws)?;
    if let Some(flaw) = flaws.iter().find(|flaw| flaw.concerns(prefix)) {
        return Err(flaw.error());
    }
    let above = parts.iter().filter(|part| is_below(prefix, &part.prefix)).max_by_key(|part| part.prefix.len());
    let above = above.ok_or_else(|| Error::Refused(Fault::new(Code::Authority, format!("{prefix} lies outside of what you see here"))))?;
    let there = parts.iter().find(|part| part.prefix == prefix);
    if let Some(draft) =
        vault.drafts_of(environment)?.iter().find(|draft| draft.space.tip.ns_id == above.ns_id && fits(prefix, &draft.name))
    {
        return Err(Error::invalid("path", format!("a value is staged for {}: commit or discard the draft first", draft.name)));
    }
    let waiting = vault.live_under(above, prefix)?;
    if there.is_none() && !prefix.ends_with('/') && waiting.is_empty() {
        return Err(Error::not_found("secret", prefix));
    }
    change.settle(&above.ns_id)?;
    let child = match there {
        Some(part) => {
            change.settle(&part.ns_id)?;
            part.ns_id
        }
        None => create_child(change, &above.ns_id, prefix)?,
    };
    // Where both have a name, the guarded part's is used, and the one above is only in the way of unguarding.
    let taken = there.map_or_else(|| Ok(BTreeSet::new()), |part| vault.taken_in(part))?;
    // Another guarded part may have the longer prefix.
    let deeper = |name: &str| parts.iter().any(|part| part.prefix.len() > prefix.len() && fits(&part.prefix, name));
    let waiting: Vec<Found> = waiting.into_iter().filter(|found| !deeper(&found.name)).collect();
    let some = first_batch(&waiting);
    let copies: Vec<&Found> = some.iter().filter(|found| !taken.contains(&found.name)).collect();
    let gone: Vec<Leaf> = some.iter().map(|found| found.leaf.clone()).collect();
    if !copies.is_empty() {
        copy(change, &copies, &child, prefix, (vec![], vec![]), vec![])?;
    }
    if !gone.is_empty() {
        let head = head_of(&change.space(&child)?.tip);
        let (deleted, objects) = deletions(change, &above.ns_id, gone)?;
        change.write(above.ns_id, deleted, objects, vec![head])?;
    }
    Ok(Step { moved: copies.len(), changed: there.is_none(), done: some.len() == waiting.len() })
}

/// One batch of an unguarding: copies what the parent does not have yet, or, when it has everything, archives the namespace.
fn unguard_some(change: &mut Change, environment: &NsId, folder: &Folder) -> Result<Step> {
    let vault = change.vault();
    let (child, prefix) = (folder.ns_id, folder.prefix.as_str());
    let state = change.replica.head();
    if state.family(&child).iter().skip(1).filter_map(|ns| state.ns(ns)).any(|ns| !ns.archived) {
        return Err(Error::invalid("path", format!("parts of {prefix} are guarded themselves: unguard those first")));
    }
    let parent = state.known_ns(&child).map_err(Error::Refused)?.parent.ok_or_else(|| Error::not_found("guarded folder", prefix))?;
    let parts = vault.parts(environment, &mut Vec::new())?;
    let part = |ns_id: &NsId| parts.iter().find(|part| part.ns_id == *ns_id).ok_or(Error::Forbidden);
    let (above, below) = (part(&parent)?, part(&child)?);
    if let Some(draft) = vault.drafts_of(environment)?.iter().find(|draft| draft.space.tip.ns_id == child) {
        return Err(Error::invalid("path", format!("a value is staged for {}: commit or discard the draft first", draft.name)));
    }
    let live = vault.live_under(below, prefix)?;
    let there = vault.live_under(above, prefix)?;
    let is_copy = |copy: &Found, of: &Found| {
        let from = vault.open_payload(copy).ok().and_then(|payload| payload.from);
        from.is_some_and(|from| (from.ns_id, from.secret_id, from.payload_hash) == (child, of.leaf.secret_id, of.leaf.payload_hash))
    };
    let in_parent = |name: &str| there.iter().find(|copy| copy.name == name);
    let lacking: Vec<Found> = live.into_iter().filter(|found| !in_parent(&found.name).is_some_and(|copy| is_copy(copy, found))).collect();
    change.settle(&child)?;
    if lacking.is_empty() {
        archive(change, &parent, &child)?;
        return Ok(Step { moved: 0, changed: true, done: true });
    }
    let some: Vec<&Found> = first_batch(&lacking).iter().collect();
    // Copies that were overtaken by a write.
    let stale = some.iter().filter_map(|found| in_parent(&found.name)).map(|copy| copy.leaf.clone()).collect();
    let head = head_of(&change.space(&child)?.tip);
    let gone = deletions(change, &parent, stale)?;
    copy(change, &some, &parent, &above.prefix, gone, vec![head])?;
    Ok(Step { moved: some.len(), changed: false, done: false })
}

/// Archives a namespace of which the parent has everything: its new key's fence names the manifest that was copied, so whoever wrote meanwhile
/// is not lost, and the link says how far the parent must be held.
fn archive(change: &mut Change, parent: &NsId, child: &NsId) -> Result<()> {
    change.epoch(child, REASON_UNGUARDED)?;
    change.vouch_for(parent);
    let body = NamespaceSet { ns_id: *child, archived: Some(true), names: None, class: None };
    change.link(&Body::NamespaceSet(body), vec![]).map(|_| ())
}

/// A namespace below another, its key sealed under that one's.
fn create_child(change: &mut Change, parent: &NsId, prefix: &str) -> Result<NsId> {
    let ns_id = NsId(random::bytes());
    let org_id = change.replica.tip().org_id;
    let class = change.replica.head().known_ns(parent).map_err(Error::Refused)?.class;
    if class == class::DIRECTORY {
        return Err(Error::invalid("path", "the directory has no guarded folders"));
    }
    let ns_names = NsNames { prefix: prefix.to_owned(), ..change.vault().names_of(parent)? };
    let key = change.first_key(&ns_id);
    let body = NamespaceCreate {
        ns_id,
        parent: Some(*parent),
        class,
        nk_commit: nk::commit(&org_id, &ns_id, 1, &key),
        parent_seal: Some(change.seal_under_parent(&ns_id, 1, parent, &key)?),
        wraps: WrapSet { root: merkle::empty_root(), count: 0 },
        names: seal_of(&nk::seal_ns_names(&key, &org_id, &ns_id, 1, &ns_names, &mut rng()))?,
    };
    change.link(&Body::NamespaceCreate(body), vec![])?;
    Ok(ns_id)
}

/// As many as one batch takes, and at least one.
fn first_batch<'s, 'a>(waiting: &'s [Found<'a>]) -> &'s [Found<'a>] {
    let mut bytes = 0;
    let fitting = waiting.iter().take(SECRETS_PER_BATCH).take_while(|found| {
        bytes += found.objects.payload.len() + found.objects.facts.len();
        bytes <= BYTES_PER_BATCH
    });
    waiting.get(..fitting.count()).unwrap_or_default()
}

/// Writes secrets into another namespace: the same values, names and facts, sealed anew, and where they come from. `gone` is deleted there in the
/// same link.
fn copy(
    change: &mut Change,
    secrets: &[&Found],
    into: &NsId,
    prefix: &str,
    gone: (Vec<Leaf>, Vec<NewObject>),
    with: Vec<keyvawlt_ledger::chain::Head>,
) -> Result<()> {
    let (mut leaves, mut objects) = gone;
    let (count, mseq) = (change.space(into)?.tip.count, change.space(into)?.tip.mseq + 1);
    for (index, found) in (count..).zip(secrets) {
        let (leaf, sealed) = sealed_copy(change, found, into, prefix)?;
        leaves.push(Leaf { index, mseq, ..leaf });
        objects.extend(sealed);
    }
    change.write(*into, leaves, objects, with)
}

fn sealed_copy(change: &Change, found: &Found, into: &NsId, prefix: &str) -> Result<(Leaf, Vec<NewObject>)> {
    let vault = change.vault();
    let org_id = vault.org_id;
    let epoch = change.replica.head().known_ns(into).map_err(Error::Refused)?.epoch;
    let key = change.key(into, epoch)?;
    let secret_id = keyvawlt_ledger::SecretId(random::bytes());
    let mut payload = vault.open_payload(found)?;
    found.name.strip_prefix(prefix).unwrap_or_default().clone_into(&mut payload.name);
    payload.from = Some(CopiedFrom {
        ns_id: found.space.tip.ns_id,
        secret_id: found.leaf.secret_id,
        version: crate::secrets::past::number(payload.from.as_ref(), found.leaf.version),
        payload_hash: found.leaf.payload_hash,
    });
    let sealed = seal_version(&key, &org_id, into, &secret_id, 1, epoch, &payload, &mut rng()).map_err(unverified)?;
    let name = seal_name(&key, &org_id, into, &secret_id, epoch, &payload.name, &mut rng()).map_err(unverified)?;
    let object = |kind, data| NewObject { secret_id, version: 1, kind, data };
    let objects = vec![
        object(ObjectKind::Payload, sealed.payload),
        object(ObjectKind::Dek, sealed.dek),
        object(ObjectKind::Name, name),
        object(ObjectKind::Facts, found.objects.facts.clone()),
    ];
    let [payload_hash, dek_hash, name_hash, facts_hash] = [0, 1, 2, 3]
        .map(|nth: usize| objects.get(nth).map_or(keyvawlt_ledger::Hash::ZERO, |object| object_hash(object.kind, &object.data)));
    let leaf = Leaf { index: 0, secret_id, version: 1, epoch, flags: 0, mseq: 0, payload_hash, dek_hash, name_hash, facts_hash };
    Ok((leaf, objects))
}
