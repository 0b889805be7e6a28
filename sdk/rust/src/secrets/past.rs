//! A secret's versions across namespaces: guarding a folder, and unguarding it, copies each secret into another namespace, and the copy says where
//! it comes from. Readers of both see one history under one numbering.
//!
//! Every version of a copied secret repeats that place, so numbers are told from any of them. What a secret says of its past is held against the
//! manifest there: the value must have been the last of a secret of the same name. Who does not read there sees the copy as the first version.

use crate::error::{Error, Result};
use crate::secrets::index::Found;
use crate::secrets::versions::{self, VersionState};
use crate::secrets::{Pasts, Secret, SecretInfo, VersionInfo};
use crate::sync::space::{Space, VersionRow, unverified};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_crypto::secret::{CopiedFrom, Payload, open_version};
use keyvawlt_ledger::chain::Questions;
use keyvawlt_ledger::manifest::{Leaf, ObjectKind, object_hash};
use keyvawlt_ledger::{Code, Fault, NsId, SecretId, facts, names};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;

/// How often a secret may have been moved: each guarding and unguarding is one, and a chain of claims must end.
const MAX_MOVES: usize = 64;

/// Where values lie that were deleted, by name, and under which keys.
pub(crate) type Buried = BTreeMap<String, Vec<(NsId, u64)>>;

/// A secret's versions in one namespace, as far as they count.
struct Stretch<'a> {
    space: &'a Space,
    secret_id: SecretId,
    rows: &'a [VersionRow],
    from: Option<CopiedFrom>,
}

impl Stretch<'_> {
    /// The number under which readers know a version.
    fn number(&self, version: u64) -> u64 {
        number(self.from.as_ref(), version)
    }
}

/// The copy itself keeps its number: nobody wrote a version.
pub(crate) fn number(from: Option<&CopiedFrom>, version: u64) -> u64 {
    from.map_or(version, |from| from.version.saturating_add(version).saturating_sub(1))
}

impl Vault {
    /// What a listing shows.
    pub(crate) fn info(&self, found: &Found) -> Result<SecretInfo> {
        let newest = found.space.versions(&found.leaf.secret_id).last();
        if newest.is_none() && found.space.listed == 0 {
            return Err(unverified(Fault::new(Code::Root, "a leaf without history")));
        }
        Ok(SecretInfo {
            name: found.name.clone(),
            ns_id: found.space.tip.ns_id,
            secret_id: found.leaf.secret_id,
            version: self.number_of(found),
            updated_ms: newest.map(|row| row.ts_ms),
            author: newest.map(|row| row.author),
            facts: facts::read(&found.objects.facts).map_err(unverified)?,
            deleted: found.leaf.is_deleted(),
        })
    }

    /// The number of a secret's newest version. Of a deleted one, whose values are not kept here, it is the one in its namespace.
    pub(crate) fn number_of(&self, found: &Found) -> u64 {
        number(self.past_of(found).as_ref(), found.leaf.version)
    }

    /// Where a live secret was copied from. A value that does not open is told to whoever reads it.
    pub(crate) fn past_of(&self, found: &Found) -> Option<CopiedFrom> {
        let asked = found.may_have_moved && !found.leaf.is_deleted();
        asked.then(|| self.open_payload(found).ok()?.from).flatten()
    }

    /// Where the present value of a live secret lies, and under which keys: moving a secret changes neither value nor who knows it.
    pub(crate) fn lies_under(&self, found: &Found, buried: &mut Option<Buried>) -> Result<Vec<(NsId, u64)>> {
        let mut places = vec![(found.space.tip.ns_id, found.leaf.epoch)];
        let mut from = self.past_of(found).filter(|_| found.leaf.version == 1);
        while let Some(place) = from.take().filter(|_| places.len() < MAX_MOVES) {
            let Some(space) = self.spaces.get(&place.ns_id)? else { break };
            let Some((leaf, objects)) = space.entry(&place.secret_id) else { break };
            let rows = space.versions(&place.secret_id);
            let Some(row) = rows.iter().find(|row| row.leaf.payload_hash == place.payload_hash) else { break };
            places.push((place.ns_id, row.leaf.epoch));
            if row.leaf.version != 1 {
                break;
            }
            // It may have been moved before; what it then said of that is kept as long as it lives there.
            if leaf.is_deleted() {
                let known = match buried {
                    Some(known) => known,
                    None => buried.insert(self.buried(&place.ns_id)?),
                };
                places.extend(known.get(&found.name).into_iter().flatten().copied());
            } else {
                let name = found.name.clone();
                from = self.past_of(&Found { name, leaf, objects, space, may_have_moved: true, took_over: false });
            }
        }
        Ok(places)
    }

    /// The last keys of all deleted secrets of an environment, by name.
    fn buried(&self, anywhere: &NsId) -> Result<Buried> {
        let state = self.replica.head();
        let family = state.lineage(anywhere).last().map(|root| state.family(root)).unwrap_or_default();
        let mut buried = Buried::new();
        for ns_id in family {
            let (Some(space), Ok(names)) = (self.spaces.get(&ns_id)?, self.names_of(&ns_id)) else { continue };
            for (leaf, objects) in space.entries().filter(|(leaf, _)| leaf.is_deleted()) {
                let last = space.versions(&leaf.secret_id).iter().rfind(|row| !row.leaf.is_deleted());
                if let (Some(last), Ok(name)) = (last, self.open_name(&ns_id, &names.prefix, leaf, objects)) {
                    buried.entry(name).or_default().push((ns_id, last.leaf.epoch));
                }
            }
        }
        Ok(buried)
    }

    /// Opens an earlier version; its sealed value is fetched, and checked against the history this client has verified: [`Vault::take_history`] comes
    /// first where it started from a listing.
    pub async fn read_version(&self, environment: &NsId, name: &str, version: u64) -> Result<Secret> {
        let index = self.index(environment)?;
        let stretches = self.stretches(index.get(name)?).await?;
        let missing = || Error::not_found("version", format!("{name}@{version}"));
        for (nth, stretch) in stretches.iter().enumerate() {
            let first = stretch.number(1);
            // A copy stands for what was copied, as far as that can be read.
            if version < first || (version == first && nth + 1 < stretches.len()) {
                continue;
            }
            let row = stretch.rows.iter().find(|row| stretch.number(row.leaf.version) == version && !row.leaf.is_deleted());
            let row = row.ok_or_else(missing)?;
            let payload = self.fetch_version(stretch.space, &row.leaf, name).await?;
            if number(payload.from.as_ref(), row.leaf.version) != version {
                return Err(false_past());
            }
            let info = SecretInfo {
                name: name.to_owned(),
                ns_id: stretch.space.tip.ns_id,
                secret_id: stretch.secret_id,
                version,
                updated_ms: Some(row.ts_ms),
                author: Some(row.author),
                facts: None,
                deleted: false,
            };
            return Ok(Secret { info, value: payload.value, note: payload.note, tags: payload.tags });
        }
        Err(missing())
    }

    /// A secret's versions, newest first; after [`Vault::take_history`] where this machine started from a listing.
    pub async fn history(&self, environment: &NsId, name: &str) -> Result<Vec<VersionInfo>> {
        let index = self.index(environment)?;
        let stretches = self.stretches(index.get(name)?).await?;
        let mut versions = Vec::new();
        for (nth, stretch) in stretches.iter().enumerate() {
            let is_copy = |row: &&VersionRow| row.leaf.version == 1 && nth + 1 < stretches.len();
            versions.extend(stretch.rows.iter().rev().filter(|row| !is_copy(row)).map(|row| VersionInfo {
                version: stretch.number(row.leaf.version),
                at_ms: row.ts_ms,
                author: row.author,
                deleted: row.leaf.is_deleted(),
                state: VersionState::Retired,
            }));
        }
        let facts = facts::read(&index.get(name)?.objects.facts).map_err(unverified)?;
        versions::mark(&mut versions, facts::grace_ms(facts.as_ref()), self.now_ms());
        Ok(versions)
    }

    /// Where deleted secrets were copied from: their values are fetched for it, since whoever writes them anew says it again.
    pub(crate) async fn pasts_of_deleted(&self, environment: &NsId, names: impl Iterator<Item = &str>) -> Result<Pasts> {
        let index = self.index(environment)?;
        let mut pasts = Pasts::new();
        for name in names {
            if let Some(found) = index.before(name)?.filter(|found| found.may_have_moved && found.leaf.is_deleted()) {
                pasts.insert(found.leaf.secret_id, self.fetch_past(found).await?);
            }
        }
        Ok(pasts)
    }

    /// A secret's versions, from where they are written now back to where it began, as far as this identity reads.
    async fn stretches<'a>(&'a self, found: &Found<'a>) -> Result<Vec<Stretch<'a>>> {
        found.with_history()?;
        let secret_id = found.leaf.secret_id;
        let from = match (found.may_have_moved, found.leaf.is_deleted()) {
            (false, _) => None,
            (true, true) => self.fetch_past(found).await?,
            (true, false) => self.open_payload(found)?.from,
        };
        self.check_beginning(found, from.as_ref()).await?;
        let mut stretches = vec![Stretch { space: found.space, secret_id, rows: found.space.versions(&secret_id), from }];
        while let Some(earlier) = self.earlier(stretches.last(), &found.name).await? {
            if stretches.len() >= MAX_MOVES {
                return Err(false_past());
            }
            stretches.push(earlier);
        }
        Ok(stretches)
    }

    /// The stretch before one: `None` where it began, or where this identity does not read.
    async fn earlier<'a>(&'a self, later: Option<&Stretch<'a>>, name: &str) -> Result<Option<Stretch<'a>>> {
        let Some(from) = later.and_then(|later| later.from.as_ref()) else { return Ok(None) };
        let Some(space) = self.spaces.get(&from.ns_id)? else { return Ok(None) };
        let rows = space.versions(&from.secret_id);
        let copied = rows.iter().position(|row| row.leaf.payload_hash == from.payload_hash).ok_or_else(false_past)?;
        let (before, after) = rows.split_at(copied + 1);
        let (Some(row), Some((leaf, objects))) = (before.last(), space.entry(&from.secret_id)) else { return Err(false_past()) };
        let state = self.replica.head();
        let root = |ns: &NsId| state.lineage(ns).last().copied();
        let same_environment = later.is_some_and(|later| root(&later.space.tip.ns_id) == root(&from.ns_id));
        let prefix = self.names_of(&from.ns_id)?.prefix;
        let same_name = self.open_name(&from.ns_id, &prefix, leaf, objects).is_ok_and(|claimed| claimed == name);
        let was_last = after.first().is_none_or(|next| next.leaf.is_deleted());
        if row.leaf.is_deleted() || !same_environment || !same_name || !was_last || from.version < row.leaf.version {
            return Err(false_past());
        }
        // Numbers above its own say that it was moved before. Below, it may have been as well, but then the copy stands for its first version.
        let past = if from.version == row.leaf.version { None } else { self.fetch_version(space, &row.leaf, name).await?.from };
        if number(past.as_ref(), row.leaf.version) != from.version {
            return Err(false_past());
        }
        Ok(Some(Stretch { space, secret_id: from.secret_id, rows: before, from: past }))
    }

    /// A secret that took over a name, and says nothing of it, never did: who writes in a folder cannot make versions from before its guarding
    /// mean his own.
    async fn check_beginning(&self, found: &Found<'_>, from: Option<&CopiedFrom>) -> Result<()> {
        let first = found.space.versions(&found.leaf.secret_id).first().filter(|_| found.took_over && from.is_none());
        match first.filter(|first| first.leaf.payload_hash != found.leaf.payload_hash) {
            Some(first) if self.fetch_version(found.space, &first.leaf, &found.name).await?.from.is_some() => Err(false_past()),
            _ => Ok(()),
        }
    }

    /// What the last value of a deleted secret says of its past.
    async fn fetch_past(&self, found: &Found<'_>) -> Result<Option<CopiedFrom>> {
        let last = found.space.versions(&found.leaf.secret_id).iter().rfind(|row| !row.leaf.is_deleted());
        match last {
            Some(last) => Ok(self.fetch_version(found.space, &last.leaf, &found.name).await?.from),
            None => Ok(None),
        }
    }

    /// Fetches and opens the version that a leaf named.
    pub(crate) async fn fetch_version(&self, space: &Space, leaf: &Leaf, name: &str) -> Result<Payload> {
        let ns_id = space.tip.ns_id;
        let request = v1::ReadVersionRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_id: Bytes::copy_from_slice(&ns_id.0),
            secret_id: Bytes::copy_from_slice(&leaf.secret_id.0),
            version: leaf.version,
        };
        let answer = self.session.call(async |client, token| rpc::read_version(client, Some(token), request.clone()).await).await?;
        let same = |kind, object: &[u8]| object_hash(kind, object) == leaf.hash_of(kind);
        if !same(ObjectKind::Payload, &answer.payload) || !same(ObjectKind::Dek, &answer.dek) {
            return Err(unverified(Fault::new(Code::Root, "the version is not the one its signed leaf names")));
        }
        let key = self.key_of(&ns_id, leaf.epoch).map_err(unverified)?;
        let payload = open_version(&key, &self.org_id, &ns_id, &leaf.secret_id, leaf.version, leaf.epoch, &answer.payload, &answer.dek)
            .map_err(unverified)?;
        if names::join(&self.names_of(&ns_id)?.prefix, &payload.name).map_err(unverified)? != name {
            return Err(unverified(Fault::new(Code::Name, "the version's name is not the secret's")));
        }
        Ok(payload)
    }
}

fn false_past() -> Error {
    unverified(Fault::new(Code::Name, "a secret claims a past that is not its own"))
}
