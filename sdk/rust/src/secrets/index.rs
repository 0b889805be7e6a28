//! Which secret a name means: the names of an environment and of the guarded parts below it.
//!
//! Members can sign garbage: a name that does not open, a name that is taken, a folder that claims more than its parent gave. Such a flaw takes
//! away what it touches and nothing else: other names are answered, and removing its author works. Whoever asks for everything, or for a name that
//! is not there while something is flawed, gets an error and never less than there is.

use crate::error::{Error, Result};
use crate::sync::space::{Objects, Space, unverified};
use crate::vault::Vault;
use keyvawlt_crypto::nk;
use keyvawlt_crypto::secret::open_name;
use keyvawlt_ledger::chain::{Questions as _, class};
use keyvawlt_ledger::manifest::Leaf;
use keyvawlt_ledger::{Code, Fault, IdentityId, NsId, SecretId, names};
use std::collections::{BTreeMap, BTreeSet};

/// Something that a member signed and nobody can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// In which namespace.
    pub ns_id: NsId,
    /// Which secret; the whole namespace without one.
    pub secret_id: Option<SecretId>,
    /// The name, where it opens.
    pub name: Option<String>,
    /// What the names that it may concern begin with.
    pub prefix: String,
    /// Who wrote it last.
    pub author: Option<IdentityId>,
    /// What is wrong.
    pub fault: Fault,
}

impl Flaw {
    pub(crate) fn concerns(&self, name: &str) -> bool {
        self.name.as_deref().map_or_else(|| name.starts_with(&self.prefix), |claimed| claimed == name)
    }

    /// What whoever needs it gets to hear.
    pub fn error(&self) -> Error {
        let Self { ns_id, secret_id, author, fault, .. } = self;
        let what = secret_id.map_or_else(|| format!("namespace {ns_id}"), |secret| format!("secret {secret} of namespace {ns_id}"));
        let by = author.map_or_else(String::new, |author| format!(", written by {author}"));
        unverified(Fault::new(fault.code, format!("{what}{by}: {}", fault.why)))
    }
}

/// A secret found by name.
pub(crate) struct Found<'a> {
    pub(crate) name: String,
    pub(crate) leaf: &'a Leaf,
    pub(crate) objects: &'a Objects,
    pub(crate) space: &'a Space,
    /// Parts of the environment were guarded here: this may have been written elsewhere before.
    pub(crate) may_have_moved: bool,
    /// A namespace above has a secret of the same name, which this one took over.
    pub(crate) took_over: bool,
}

/// The names of an environment.
pub(crate) struct Index<'a> {
    by_name: BTreeMap<String, Found<'a>>,
    pub(crate) flaws: Vec<Flaw>,
}

impl<'a> Index<'a> {
    /// Everything, if everything can be told.
    pub(crate) fn all(&self) -> Result<impl Iterator<Item = &Found<'a>>> {
        self.flaws.first().map_or_else(|| Ok(self.by_name.values()), |flaw| Err(flaw.error()))
    }

    /// What can be told.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &Found<'a>> {
        self.by_name.values()
    }

    /// One by name; `None` only if there is surely none.
    pub(crate) fn find(&self, name: &str) -> Result<Option<&Found<'a>>> {
        let found = self.by_name.get(name);
        match self.flaws.iter().find(|flaw| flaw.concerns(name)).filter(|_| found.is_none()) {
            Some(flaw) => Err(flaw.error()),
            None => Ok(found),
        }
    }

    /// What a write of this name goes on from. A secret whose name does not open stops no writer; a name that two secrets claim does.
    pub(crate) fn before(&self, name: &str) -> Result<Option<&Found<'a>>> {
        match self.flaws.iter().find(|flaw| flaw.name.as_deref() == Some(name)) {
            Some(flaw) => Err(flaw.error()),
            None => Ok(self.by_name.get(name)),
        }
    }

    /// One by name, which must be there.
    pub(crate) fn get(&self, name: &str) -> Result<&Found<'a>> {
        self.find(name)?.ok_or_else(|| Error::not_found("secret", name))
    }

    /// One by name, which must be there and live.
    pub(crate) fn get_live(&self, name: &str) -> Result<&Found<'a>> {
        self.get(name).and_then(|found| if found.leaf.is_deleted() { Err(Error::not_found("secret", name)) } else { Ok(found) })
    }
}

impl Found<'_> {
    /// Every link was taken in: no version is missing.
    pub(crate) fn with_history(&self) -> Result<()> {
        if self.space.listed == 0 { Ok(()) } else { Err(Error::invalid("history", "it was not taken in: `Vault::take_history` first")) }
    }
}

/// A namespace of an environment, and the names that belong to it.
pub(crate) struct Part<'a> {
    pub(crate) ns_id: NsId,
    pub(crate) prefix: String,
    pub(crate) space: &'a Space,
}

impl Vault {
    /// Everything that members signed and nobody can use, in all environments this identity reads.
    pub fn flaws(&self) -> Vec<Flaw> {
        let state = self.replica.head();
        let parts = self.spaces.keys().filter(|ns_id| state.ns(ns_id).is_some_and(|ns| ns.class != class::DIRECTORY));
        let roots: BTreeSet<NsId> = parts.filter_map(|ns_id| state.lineage(ns_id).last().copied()).collect();
        roots.iter().flat_map(|root| self.flaws_of(root)).collect()
    }

    /// The same of one environment and the guarded parts below it.
    pub fn flaws_of(&self, environment: &NsId) -> Vec<Flaw> {
        self.index(environment).map_or_else(|_| vec![], |index| index.flaws)
    }

    /// All secrets of an environment and its guarded parts by full name.
    pub(crate) fn index(&self, environment: &NsId) -> Result<Index<'_>> {
        let mut index = Index { by_name: BTreeMap::new(), flaws: Vec::new() };
        let mut parts = self.parts(environment, &mut index.flaws)?;
        // Under a guarded prefix the guarded part's leaf, live or deleted, takes the name: the longest prefix comes last.
        parts.sort_by_key(|part| part.prefix.len());
        let guarded = self.ever_guarded(environment);
        for Part { ns_id, prefix, space } in parts {
            let earlier = index.flaws.len();
            let named = self.named(&ns_id, space, &prefix, &mut index.flaws);
            // What is damaged here may be what took a name from above.
            for flaw in index.flaws.iter().skip(earlier) {
                index.by_name.retain(|name, _| !flaw.concerns(name));
            }
            for (name, leaf, objects) in named {
                let may_have_moved = ns_id != *environment || guarded.iter().any(|prefix| fits(prefix, &name));
                let took_over = index.by_name.contains_key(&name);
                index.by_name.insert(name.clone(), Found { name, leaf, objects, space, may_have_moved, took_over });
            }
        }
        Ok(index)
    }

    /// The prefixes that are or were guarded in an environment.
    fn ever_guarded(&self, environment: &NsId) -> Vec<String> {
        let family = self.replica.head().family(environment).into_iter();
        let below = family.filter(|ns_id| ns_id != environment && self.spaces.contains_key(ns_id));
        below.filter_map(|ns_id| Some(self.names_of(&ns_id).ok()?.prefix)).collect()
    }

    /// The part of an environment that a name belongs to, with its prefix: the one with the longest fitting prefix.
    pub(crate) fn home_of(&self, environment: &NsId, name: &str) -> Result<(NsId, String)> {
        let mut flaws = Vec::new();
        let parts = self.parts(environment, &mut flaws)?;
        // A part that does not open may be the narrower home: what belongs there must not go to those who read more.
        if let Some(flaw) = flaws.iter().find(|flaw| flaw.concerns(name)) {
            return Err(flaw.error());
        }
        let homes = parts.iter().filter(|part| fits(&part.prefix, name));
        let home = homes.max_by_key(|part| part.prefix.len()).ok_or_else(|| {
            let yours: Vec<&str> = parts.iter().map(|part| part.prefix.as_str()).collect();
            Error::Refused(Fault::new(Code::Authority, format!("{name} lies outside of what you see here: {}", yours.join(", "))))
        })?;
        Ok((home.ns_id, home.prefix.clone()))
    }

    /// The namespaces of an environment that this identity reads, but those that do not open or claim what is not theirs.
    pub(crate) fn parts(&self, environment: &NsId, flaws: &mut Vec<Flaw>) -> Result<Vec<Part<'_>>> {
        let state = self.replica.head();
        let family: Vec<NsId> = state.family(environment).into_iter().filter(|ns| self.spaces.contains_key(ns)).collect();
        if family.is_empty() {
            return Err(Error::Forbidden);
        }
        let flaw = |ns_id, prefix, fault| Flaw { ns_id, secret_id: None, name: None, prefix, author: None, fault };
        let mut parts: BTreeMap<NsId, Part<'_>> = BTreeMap::new();
        for ns_id in family {
            let lineage = state.lineage(&ns_id);
            let archived = lineage.iter().filter_map(|ns| state.ns(ns)).any(|ns| ns.archived);
            let Some(space) = self.spaces.get(&ns_id)?.filter(|_| !archived) else { continue };
            let above = lineage.iter().filter(|ns| **ns != ns_id).find_map(|ns| parts.get(ns)).map(|part| part.prefix.clone());
            let prefix = match self.names_of(&ns_id) {
                Ok(names) => names.prefix,
                Err(Error::Verification(unverified)) => {
                    flaws.push(flaw(ns_id, above.unwrap_or_default(), unverified.fault().clone()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(above) = above.filter(|above| !is_below(&prefix, above)) {
                let why = format!("a guarded part of {above:?} must not claim {prefix:?}");
                flaws.push(flaw(ns_id, above, Fault::new(Code::Name, why)));
                continue;
            }
            parts.insert(ns_id, Part { ns_id, prefix, space });
        }
        let mut by_prefix: BTreeMap<&str, Vec<NsId>> = BTreeMap::new();
        for part in parts.values() {
            by_prefix.entry(&part.prefix).or_default().push(part.ns_id);
        }
        let twice: Vec<NsId> = by_prefix.into_values().filter(|claimants| claimants.len() > 1).flatten().collect();
        for part in twice.iter().filter_map(|ns_id| parts.remove(ns_id)).collect::<Vec<_>>() {
            flaws.push(flaw(part.ns_id, part.prefix, Fault::new(Code::Name, "two namespaces claim the same part of the environment")));
        }
        Ok(parts.into_values().collect())
    }

    /// One namespace's secrets by full name; a name that two live leaves claim is nobody's.
    pub(crate) fn named<'a>(
        &self,
        ns_id: &NsId,
        space: &'a Space,
        prefix: &str,
        flaws: &mut Vec<Flaw>,
    ) -> Vec<(String, &'a Leaf, &'a Objects)> {
        let mut by_name: BTreeMap<String, Vec<(&Leaf, &Objects)>> = BTreeMap::new();
        let flaw = |leaf: &Leaf, name, fault| Flaw {
            ns_id: *ns_id,
            secret_id: Some(leaf.secret_id),
            name,
            prefix: prefix.to_owned(),
            author: space.versions(&leaf.secret_id).last().map(|row| row.author),
            fault,
        };
        for (leaf, objects) in space.entries().filter(|(leaf, _)| !leaf.is_draft()) {
            match self.open_name(ns_id, prefix, leaf, objects) {
                Ok(name) => by_name.entry(name).or_default().push((leaf, objects)),
                // What is deleted is in nobody's way.
                Err(_) if leaf.is_deleted() => {}
                Err(fault) => flaws.push(flaw(leaf, None, fault)),
            }
        }
        let mut named = Vec::new();
        for (name, mut claimants) in by_name {
            let live = claimants.iter().filter(|(leaf, _)| !leaf.is_deleted()).count();
            if live > 1 {
                let fault = || Fault::new(Code::Name, format!("two secrets claim the name {name}"));
                let live = claimants.iter().filter(|(leaf, _)| !leaf.is_deleted());
                flaws.extend(live.map(|(leaf, _)| flaw(leaf, Some(name.clone()), fault())));
                continue;
            }
            // A live leaf takes the name from deleted ones; of those the youngest speaks.
            claimants.sort_by_key(|(leaf, _)| (!leaf.is_deleted(), leaf.index));
            named.extend(claimants.pop().map(|(leaf, objects)| (name, leaf, objects)));
        }
        named
    }

    /// The full name of a leaf of a namespace with this prefix.
    pub(crate) fn open_name(&self, ns_id: &NsId, prefix: &str, leaf: &Leaf, objects: &Objects) -> Result<String, Fault> {
        let key = self.key_of(ns_id, nk::epoch_of(&objects.name)?)?;
        let relative = open_name(&key, &self.org_id, ns_id, &leaf.secret_id, &objects.name)?;
        names::join(prefix, &relative)
    }
}

/// Whether a name lies under a prefix: in the folder, or it is the one secret.
pub(crate) fn fits(prefix: &str, name: &str) -> bool {
    if prefix.is_empty() || prefix.ends_with('/') { name.starts_with(prefix) } else { name == prefix }
}

/// A guarded part lies strictly within its parent, which is the environment or a folder.
pub(crate) fn is_below(prefix: &str, above: &str) -> bool {
    (above.is_empty() || above.ends_with('/')) && prefix.len() > above.len() && prefix.starts_with(above)
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_guarded_part_claims_less_than_its_parent() {
        for (prefix, above) in [("a/", ""), ("a/b/", "a/"), ("a/b", "a/"), ("key", "")] {
            assert!(is_below(prefix, above), "{prefix} {above}");
        }
        for (prefix, above) in [("", ""), ("", "a/"), ("a/", "a/"), ("DATABASE_URL", "a/"), ("b/", "a/"), ("ab/", "a"), ("a/b", "a")] {
            assert!(!is_below(prefix, above), "{prefix} {above}");
        }
    }
}
