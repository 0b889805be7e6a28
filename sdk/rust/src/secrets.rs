//! Secrets: listing, reading, writing, deleting, restoring, going back. Everything is answered from verified state; only old values are fetched.

use crate::change::{Change, NewObject};
use crate::error::{Error, Result};
use crate::random::{self, rng};
use crate::secrets::index::{Flaw, Found};
use crate::secrets::past::number;
use crate::secrets::rules::Occasion;
use crate::sync::space::unverified;
use crate::sync::values::not_fetched;
use crate::vault::Vault;
use keyvawlt_crypto::secret::{CopiedFrom, Payload, open_version, seal_name, seal_version};
use keyvawlt_ledger::chain::Questions;
use keyvawlt_ledger::limits::MAX_OPS;
use keyvawlt_ledger::manifest::{DELETED, Leaf, ObjectKind, object_hash};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, SecretId, names};
use std::collections::{BTreeMap, BTreeSet};

pub use record::{Secret, SecretInfo, SecretWrite, VersionInfo};

pub(crate) mod drafts;
pub(crate) mod due;
pub(crate) mod facts;
pub(crate) mod index;
pub(crate) mod past;
pub(crate) mod random_value;
mod record;
pub(crate) mod rotations;
pub(crate) mod rules;
pub(crate) mod trial;
pub(crate) mod versions;

impl Vault {
    /// The live secrets of an environment, in order of their names.
    pub fn list(&self, environment: &NsId) -> Result<Vec<SecretInfo>> {
        self.index(environment)?.all()?.filter(|found| !found.leaf.is_deleted()).map(|found| self.info(found)).collect()
    }

    /// The deleted secrets of an environment.
    pub fn list_deleted(&self, environment: &NsId) -> Result<Vec<SecretInfo>> {
        self.index(environment)?.all()?.filter(|found| found.leaf.is_deleted()).map(|found| self.info(found)).collect()
    }

    /// Opens one secret.
    pub fn read(&self, environment: &NsId, name: &str) -> Result<Secret> {
        self.open_found(self.index(environment)?.get_live(name)?)
    }

    /// Opens those of the named secrets that are there; the environment's names are looked through once.
    pub fn read_named<'n>(&self, environment: &NsId, names: impl IntoIterator<Item = &'n str>) -> Result<BTreeMap<String, Secret>> {
        let index = self.index(environment)?;
        let mut secrets = BTreeMap::new();
        for name in names {
            if let Some(found) = index.find(name)?.filter(|found| !found.leaf.is_deleted()) {
                secrets.insert(found.name.clone(), self.open_found(found)?);
            }
        }
        Ok(secrets)
    }

    /// Opens every secret of an environment.
    pub fn read_all(&self, environment: &NsId) -> Result<Vec<Secret>> {
        self.index(environment)?.all()?.filter(|found| !found.leaf.is_deleted()).map(|found| self.open_found(found)).collect()
    }

    /// Writes values, new or as new versions, in one change per thousand. Returns the versions written.
    pub async fn write(&mut self, environment: &NsId, writes: &[SecretWrite]) -> Result<Vec<u64>> {
        self.write_on(Occasion::NewValue, environment, writes).await
    }

    async fn write_on(&mut self, occasion: Occasion, environment: &NsId, writes: &[SecretWrite]) -> Result<Vec<u64>> {
        let distinct: BTreeSet<&str> = writes.iter().map(|write| write.name.as_str()).collect();
        if distinct.len() != writes.len() {
            return Err(Error::invalid("name", "a name is written twice"));
        }
        for write in writes {
            names::check(&write.name).map_err(|fault| Error::invalid("name", format!("{}: {}", write.name, fault.why)))?;
        }
        // A new version keeps what it does not change of the old one.
        self.fetch(environment, writes.iter().map(|write| write.name.as_str())).await?;
        let mut versions = Vec::new();
        for some in writes.chunks(MAX_OPS) {
            let ruled = |change: &mut Change, pasts: &Pasts| {
                let some = rules::keep(change, environment, some, occasion)?;
                write_some(change, environment, &some, pasts)
            };
            let mut written = self.change(|change| ruled(change, &Pasts::new())).await;
            if matches!(written, Err(Error::Conflict { .. })) {
                // Perhaps only for what has to be known, or done, before secrets that are or were moved are written.
                self.finish_moves(environment, some).await?;
                let pasts = self.pasts_of_deleted(environment, some.iter().map(|write| write.name.as_str())).await?;
                written = self.change(|change| ruled(change, &pasts)).await;
            }
            versions.extend(written?);
        }
        Ok(versions)
    }

    /// Deletes secrets; their versions stay, and can be restored.
    pub async fn delete(&mut self, environment: &NsId, names: &[String]) -> Result<()> {
        self.change(|change| delete_some(change, environment, names)).await
    }

    /// Deletes secrets whose names do not open, or that claim another's name: by their ids, since they have no names.
    pub async fn discard(&mut self, flaws: &[Flaw]) -> Result<()> {
        self.change(|change| discard_some(change, flaws)).await
    }

    /// Brings a deleted secret back with its last value.
    pub async fn restore(&mut self, environment: &NsId, name: &str) -> Result<u64> {
        self.sync().await?;
        self.take_history(environment).await?;
        let history = self.history(environment, name).await?;
        if !history.first().is_some_and(|newest| newest.deleted) {
            return Err(Error::invalid("name", format!("{name} is not deleted")));
        }
        let last = history.iter().find(|version| !version.deleted).ok_or_else(|| Error::not_found("version", name))?.version;
        self.rollback(environment, name, last).await
    }

    /// Writes an earlier version's value as the newest version.
    pub async fn rollback(&mut self, environment: &NsId, name: &str, to: u64) -> Result<u64> {
        self.sync().await?;
        self.take_history(environment).await?;
        let newest = self.history(environment, name).await?.first().map_or(0, |newest| newest.version);
        let old = self.read_version(environment, name, to).await?;
        let write = SecretWrite {
            name: name.to_owned(),
            value: old.value,
            note: Some(old.note),
            tags: Some(old.tags),
            facts: None,
            if_version: Some(newest),
        };
        let versions = self.write_on(Occasion::GoingBack, environment, &[write]).await?;
        versions.first().copied().ok_or_else(|| Error::not_found("version", name))
    }

    pub(crate) fn open_found(&self, found: &Found) -> Result<Secret> {
        let payload = self.open_payload(found)?;
        let mut info = self.info(found)?;
        info.version = number(payload.from.as_ref(), found.leaf.version);
        Ok(Secret { info, value: payload.value, note: payload.note, tags: payload.tags })
    }

    pub(crate) fn open_payload(&self, found: &Found) -> Result<Payload> {
        let (ns_id, leaf) = (found.space.tip.ns_id, found.leaf);
        if found.objects.lacks_value(leaf) {
            return Err(not_fetched(&found.name));
        }
        let key = self.key_of(&ns_id, leaf.epoch).map_err(unverified)?;
        let (payload, dek) = (&found.objects.payload, &found.objects.dek);
        let payload =
            open_version(&key, &self.org_id, &ns_id, &leaf.secret_id, leaf.version, leaf.epoch, payload, dek).map_err(unverified)?;
        let prefix = self.names_of(&ns_id)?.prefix;
        if names::join(&prefix, &payload.name).map_err(unverified)? != found.name {
            return Err(unverified(Fault::new(Code::Name, "the value's name is not the listed one")));
        }
        Ok(payload)
    }
}

/// Where deleted secrets that are written anew were copied from.
pub(crate) type Pasts = BTreeMap<SecretId, Option<CopiedFrom>>;

/// Leaves to write, with their objects, by namespace.
pub(crate) type ByHome = BTreeMap<NsId, (Vec<Leaf>, Vec<NewObject>)>;

/// What the new version of a secret says of another.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) from: Option<CopiedFrom>,
    pub(crate) draft_of: Option<SecretId>,
}

pub(crate) fn write_some(change: &mut Change, environment: &NsId, writes: &[SecretWrite], pasts: &Pasts) -> Result<Vec<u64>> {
    write_with(change, environment, writes, pasts, ByHome::new())
}

/// The same in the links that also write `by_home`, which has no new secrets.
pub(crate) fn write_with(
    change: &mut Change,
    environment: &NsId,
    writes: &[SecretWrite],
    pasts: &Pasts,
    mut by_home: ByHome,
) -> Result<Vec<u64>> {
    let vault = change.vault();
    let index = vault.index(environment)?;
    let mut versions = Vec::with_capacity(writes.len());
    let mut homes = BTreeSet::new();
    for write in writes {
        homes.insert(vault.home_of(environment, &write.name)?.0);
    }
    for home in &homes {
        vault.require_write(home)?;
        change.settle(home)?;
    }
    for write in writes {
        let (home, prefix) = vault.home_of(environment, &write.name)?;
        let known = index.before(&write.name)?;
        let before = known.filter(|found| found.space.tip.ns_id == home);
        if known.is_some_and(|found| before.is_none() && !found.leaf.is_deleted()) {
            return Err(Error::Conflict { why: format!("{} is being moved into a guarded folder", write.name) });
        }
        let from = before.map(|found| past(vault, found, pasts)).transpose()?.flatten();
        let version =
            known.map_or(0, |found| if before.is_some() { number(from.as_ref(), found.leaf.version) } else { vault.number_of(found) });
        let live = if known.is_some_and(|found| found.leaf.is_deleted()) { 0 } else { version };
        if write.if_version.is_some_and(|wanted| wanted != version && wanted != live) {
            return Err(Error::Conflict { why: format!("{} is at version {version}", write.name) });
        }
        let added = by_home.get(&home).map_or(0, |(leaves, _)| leaves.iter().filter(|leaf| leaf.version == 1).count() as u64);
        let (leaf, objects) = seal_write(change, &home, &prefix, write, before, Extra { from: from.clone(), draft_of: None }, added)?;
        versions.push(number(from.as_ref(), leaf.version));
        let entry = by_home.entry(home).or_default();
        entry.0.push(leaf);
        entry.1.extend(objects);
    }
    for (home, (leaves, objects)) in by_home {
        change.write(home, leaves, objects, vec![])?;
    }
    Ok(versions)
}

/// Where a secret that is written again was copied from.
fn past(vault: &Vault, found: &Found, pasts: &Pasts) -> Result<Option<CopiedFrom>> {
    if !found.may_have_moved || !found.leaf.is_deleted() {
        return Ok(vault.past_of(found));
    }
    let moved = || Error::Conflict { why: format!("{} was deleted meanwhile", found.name) };
    pasts.get(&found.leaf.secret_id).cloned().ok_or_else(moved)
}

/// Seals one value as the next version of its secret.
pub(crate) fn seal_write(
    change: &mut Change,
    home: &NsId,
    prefix: &str,
    write: &SecretWrite,
    before: Option<&Found>,
    extra: Extra,
    added: u64,
) -> Result<(Leaf, Vec<NewObject>)> {
    let org_id = change.vault().org_id;
    let epoch = change.replica.head().known_ns(home).map_err(Error::Refused)?.epoch;
    let key = change.key(home, epoch)?;
    let tip = change.space(home)?.tip.clone();
    let (secret_id, version, index) = before.map_or_else(
        || (SecretId(random::bytes()), 1, tip.count + added),
        |found| (found.leaf.secret_id, found.leaf.version + 1, found.leaf.index),
    );
    let relative = write.name.strip_prefix(prefix).unwrap_or_default();
    let old = before.filter(|found| !found.leaf.is_deleted()).map(|found| change.vault().open_found(found)).transpose()?;
    let mut payload = Payload::new(relative, write.value.to_vec());
    payload.note = write.note.clone().or_else(|| old.as_ref().map(|old| old.note.clone())).unwrap_or_default();
    payload.tags = write.tags.clone().or_else(|| old.as_ref().map(|old| old.tags.clone())).unwrap_or_default();
    (payload.from, payload.draft_of) = (extra.from, extra.draft_of);
    let sealed = seal_version(&key, &org_id, home, &secret_id, version, epoch, &payload, &mut rng())
        .map_err(|fault| Error::invalid("value", fault.why))?;
    let facts = facts::object(&facts::next(write.facts.as_ref(), old.as_ref().and_then(|old| old.info.facts.as_ref()), true)?)?;
    let mut objects = vec![
        NewObject { secret_id, version, kind: ObjectKind::Payload, data: sealed.payload },
        NewObject { secret_id, version, kind: ObjectKind::Dek, data: sealed.dek },
        NewObject { secret_id, version, kind: ObjectKind::Facts, data: facts },
    ];
    let name_hash = match before {
        // An unchanged name keeps its object.
        Some(found) => found.leaf.name_hash,
        None => {
            let name = seal_name(&key, &org_id, home, &secret_id, epoch, relative, &mut rng())
                .map_err(|fault| Error::invalid("name", fault.why))?;
            let name_hash = object_hash(ObjectKind::Name, &name);
            objects.push(NewObject { secret_id, version, kind: ObjectKind::Name, data: name });
            name_hash
        }
    };
    let hash_of =
        |kind| objects.iter().find(|object: &&NewObject| object.kind == kind).map_or(Hash::ZERO, |object| object_hash(kind, &object.data));
    let leaf = Leaf {
        index,
        secret_id,
        version,
        epoch,
        flags: 0,
        mseq: tip.mseq + 1,
        payload_hash: hash_of(ObjectKind::Payload),
        dek_hash: hash_of(ObjectKind::Dek),
        name_hash,
        facts_hash: hash_of(ObjectKind::Facts),
    };
    Ok((leaf, objects))
}

fn delete_some(change: &mut Change, environment: &NsId, names: &[String]) -> Result<()> {
    let index = change.vault().index(environment)?;
    let mut by_home: BTreeMap<NsId, Vec<Leaf>> = BTreeMap::new();
    for name in names {
        let found = index.get_live(name)?;
        by_home.entry(found.space.tip.ns_id).or_default().push(found.leaf.clone());
    }
    delete_leaves(change, by_home)
}

fn discard_some(change: &mut Change, flaws: &[Flaw]) -> Result<()> {
    let mut by_home: BTreeMap<NsId, Vec<Leaf>> = BTreeMap::new();
    for flaw in flaws {
        let space = change.vault().spaces.get(&flaw.ns_id)?;
        let leaf = space.and_then(|space| space.leaf(&flaw.secret_id?)).filter(|leaf| !leaf.is_deleted());
        let leaf = leaf.ok_or_else(|| Error::not_found("damaged secret", flaw.ns_id.to_string()))?;
        by_home.entry(flaw.ns_id).or_default().push(leaf.clone());
    }
    delete_leaves(change, by_home)
}

fn delete_leaves(change: &mut Change, by_home: BTreeMap<NsId, Vec<Leaf>>) -> Result<()> {
    for (home, leaves) in by_home {
        change.vault().require_write(&home)?;
        let (deleted, objects) = deletions(change, &home, leaves)?;
        change.write(home, deleted, objects, vec![])?;
    }
    Ok(())
}

/// The next versions of secrets of one namespace, which delete them.
pub(crate) fn deletions(change: &mut Change, home: &NsId, leaves: Vec<Leaf>) -> Result<(Vec<Leaf>, Vec<NewObject>)> {
    let epoch = change.replica.head().known_ns(home).map_err(Error::Refused)?.epoch;
    let mseq = change.space(home)?.tip.mseq + 1;
    let mut objects = Vec::new();
    let deleted = leaves.into_iter().map(|leaf| {
        // A deleted key needs no reminder.
        objects.push(NewObject {
            secret_id: leaf.secret_id,
            version: leaf.version + 1,
            kind: ObjectKind::Facts,
            data: keyvawlt_ledger::facts::none(),
        });
        Leaf {
            version: leaf.version + 1,
            epoch,
            flags: leaf.flags | DELETED,
            mseq,
            payload_hash: Hash::ZERO,
            dek_hash: Hash::ZERO,
            facts_hash: object_hash(ObjectKind::Facts, &keyvawlt_ledger::facts::none()),
            ..leaf
        }
    });
    Ok((deleted.collect(), objects))
}
