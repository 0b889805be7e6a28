//! The sealed objects of a batch: each is named by hash by exactly the leaf it belongs to, none is missing, none is left over.

use super::batch::Object;
use crate::error::{Error, Result};
use keyvawlt_ledger::manifest::{Leaf, ObjectKind, object_hash};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, SecretId, facts};
use std::collections::BTreeMap;

/// Objects that no leaf has asked for yet.
#[derive(Debug)]
pub(super) struct Objects(BTreeMap<(NsId, SecretId, u64, u8, Hash), Vec<u8>>);

/// The objects that a written leaf brings; `None` where it keeps the ones before.
#[derive(Debug)]
pub(super) struct Brought {
    /// The sealed value and its key, of a new version that is not a deletion.
    pub(super) version: Option<(Vec<u8>, Vec<u8>)>,
    /// The sealed name.
    pub(super) name: Option<Vec<u8>>,
    /// The facts.
    pub(super) facts: Option<Vec<u8>>,
}

impl Objects {
    pub(super) fn of(objects: Vec<Object>) -> Self {
        let keyed = objects.into_iter().map(|object| {
            let hash = object_hash(object.kind, &object.data);
            ((object.ns_id, object.secret_id, object.version, object.kind as u8, hash), object.data)
        });
        Self(keyed.collect())
    }

    /// Takes what a leaf brings that the one before it did not have.
    pub(super) fn take(&mut self, ns: &NsId, leaf: &Leaf, before: Option<&Leaf>) -> Result<Brought> {
        let is_new = |kind| before.is_none_or(|before| before.hash_of(kind) != leaf.hash_of(kind));
        let new_version = before.is_none_or(|before| before.version != leaf.version) && !leaf.is_deleted();
        let version =
            if new_version { Some((self.find(ns, leaf, ObjectKind::Payload)?, self.find(ns, leaf, ObjectKind::Dek)?)) } else { None };
        let name = if is_new(ObjectKind::Name) { Some(self.find(ns, leaf, ObjectKind::Name)?) } else { None };
        let facts = if is_new(ObjectKind::Facts) { Some(self.find_facts(ns, leaf)?) } else { None };
        Ok(Brought { version, name, facts })
    }

    /// The same of what is brought back: versions that were replaced since may be without their objects.
    pub(super) fn take_held(&mut self, ns: &NsId, leaf: &Leaf, before: Option<&Leaf>) -> Brought {
        let mut held = |kind| self.find(ns, leaf, kind).ok();
        let (payload, dek) = (held(ObjectKind::Payload), held(ObjectKind::Dek));
        let mut changed = |kind| match before {
            Some(before) if before.hash_of(kind) == leaf.hash_of(kind) => None,
            // Until the newest one comes.
            _ => Some(held(kind).unwrap_or_default()),
        };
        let name = changed(ObjectKind::Name);
        let facts = changed(ObjectKind::Facts).map(|facts| if facts.is_empty() { facts::none() } else { facts });
        let is_new = before.is_none_or(|before| before.version != leaf.version);
        Brought { version: payload.zip(dek).filter(|_| is_new), name, facts }
    }

    /// All were taken.
    pub(super) fn finish(self) -> Result<()> {
        match self.0.first_key_value() {
            None => Ok(()),
            Some(((ns, secret, version, ..), _)) => Err(Error::invalid(
                "batch.objects",
                format!("no manifest link names an object of version {version} of secret {secret} in namespace {ns}"),
            )),
        }
    }

    fn find(&mut self, ns: &NsId, leaf: &Leaf, kind: ObjectKind) -> Result<Vec<u8>> {
        let key = (*ns, leaf.secret_id, leaf.version, kind as u8, leaf.hash_of(kind));
        let missing = || {
            Fault::new(Code::Root, format!("an object that the leaf of secret {} names is missing, or another one came", leaf.secret_id))
        };
        Ok(self.0.remove(&key).ok_or_else(missing)?)
    }

    /// Empty facts are known without being sent.
    fn find_facts(&mut self, ns: &NsId, leaf: &Leaf) -> Result<Vec<u8>> {
        let none = facts::none();
        match self.find(ns, leaf, ObjectKind::Facts) {
            Err(_) if leaf.facts_hash == facts::object_hash(&none) => Ok(none),
            found => found,
        }
    }
}
