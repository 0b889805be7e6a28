//! Work lists: what somebody could read who no longer may, to be rotated at its provider.
//!
//! The directory notes only who could read which namespaces, up to which key; each reader of a namespace makes the list from its own verified
//! state. So no name of a secret reaches people who do not read it, and a list covers what its author could not see.

use crate::directory::worklist_key;
use crate::error::{Error, Result};
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Key, Questions, View, class, permission};
use keyvawlt_ledger::{IdentityId, NsId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Namespaces in one note: each takes under 60 bytes, and a value at most 64 KiB.
const NAMESPACES_PER_NOTE: usize = 1_000;

/// A secret to rotate at its provider, since somebody who could read it has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateItem {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The secret.
    pub name: String,
    /// The namespace.
    pub ns_id: NsId,
    /// The newest version that was readable.
    pub version: u64,
    /// Who could read it.
    pub because_of: String,
}

/// What a removal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Namespaces that got a new key in the same change.
    pub rekeyed: Vec<NsId>,
    /// What the removed member could decrypt: to be rotated.
    pub worklist: Vec<RotateItem>,
    /// Where the member could read and this identity cannot: its readers have the list.
    pub unseen: Vec<NsId>,
}

/// What one identity could read: namespaces, and the newest key it had of each.
pub(crate) struct Lost {
    who: IdentityId,
    read: BTreeMap<NsId, u64>,
}

/// The same as the directory keeps it, identifiers in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Note {
    who: String,
    read: Vec<(String, u64)>,
}

impl Lost {
    /// What an identity holds keys of now, everywhere or in one namespace and below. Access that has lapsed counts while its key is current.
    pub(crate) fn of(vault: &Vault, who: &IdentityId, below: Option<&NsId>) -> Self {
        let state = vault.chain().head();
        let current = |id: NsId| {
            let ns = state.ns(&id).filter(|ns| ns.class != class::DIRECTORY)?;
            let lineage = state.lineage(&id);
            let given = lineage.iter().filter_map(|ns| state.access(ns, who)).any(|access| access.permissions & permission::READ != 0);
            (given && below.is_none_or(|top| lineage.contains(top))).then_some((id, ns.epoch))
        };
        let read = state.scan(b"ns/").iter().filter_map(Key::last_id).map(NsId).filter_map(current).collect();
        Self { who: *who, read }
    }

    /// Leaves out what can still be read: access to a guarded folder may have gone, and access above it not.
    pub(crate) fn keep_what_is_gone(&mut self, state: &impl Questions, now_ms: u64) {
        self.read.retain(|ns_id, _| state.permissions(ns_id, &self.who, now_ms) & permission::READ == 0);
    }

    /// The entries that note it, for the loss at link `seq`.
    pub(crate) fn notes(&self, seq: u64) -> Result<Vec<(String, String)>> {
        let read: Vec<(String, u64)> = self.read.iter().map(|(ns_id, epoch)| (ns_id.to_string(), *epoch)).collect();
        let note = |(part, read): (usize, &[(String, u64)])| {
            let note = Note { who: self.who.to_string(), read: read.to_vec() };
            serde_json::to_string(&note).map(|text| (worklist_key(seq, part), text)).map_err(|error| malformed(&error))
        };
        read.chunks(NAMESPACES_PER_NOTE).enumerate().map(note).collect()
    }

    fn from_note(text: &str) -> Result<Self> {
        let note: Note = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        let read = note.read.into_iter().map(|(ns_id, epoch)| ns_id.parse().map(|ns_id| (ns_id, epoch)));
        let read = read.collect::<Result<_, _>>().map_err(|fault| malformed(&fault))?;
        Ok(Self { who: note.who.parse().map_err(|fault| malformed(&fault))?, read })
    }
}

impl Vault {
    /// What still has to be rotated because somebody lost access, as far as this identity reads it. A version sealed under a later key, or a
    /// deletion, settles an item.
    pub fn worklist(&self) -> Result<Vec<RotateItem>> {
        let notes = self.directory()?.into_iter().filter(|(key, _)| key.starts_with("worklists/"));
        // Admins write these: one that wrote garbage does not keep the others from their work.
        let lost: Vec<Lost> = notes.filter_map(|(_, text)| Lost::from_note(&text).ok()).collect();
        self.to_rotate(&lost)
    }

    /// Every live secret whose value is still one that was lost.
    pub(crate) fn to_rotate(&self, lost: &[Lost]) -> Result<Vec<RotateItem>> {
        let mut items = Vec::new();
        if lost.is_empty() {
            return Ok(items);
        }
        let names = self.display_names()?;
        for environment in self.environments()? {
            let index = self.index(&environment.ns_id)?;
            let (mut named, mut buried) = (Vec::new(), None);
            for found in index.usable().filter(|found| !found.leaf.is_deleted()) {
                let places = self.lies_under(found, &mut buried)?;
                named.push((found.space.tip.ns_id, places, self.number_of(found), found.name.clone()));
            }
            // What no name leads to was readable all the same.
            let flawed = index.flaws.iter().filter_map(|flaw| {
                let leaf = self.spaces.get(&flaw.ns_id).ok()??.leaf(&flaw.secret_id?)?;
                let name = flaw.name.clone().unwrap_or_else(|| "(a name that does not open)".to_owned());
                Some((flaw.ns_id, vec![(flaw.ns_id, leaf.epoch)], leaf.version, name))
            });
            for (ns_id, places, version, name) in named.into_iter().chain(flawed) {
                let known_to = |lost: &&Lost| places.iter().any(|(ns_id, epoch)| lost.read.get(ns_id).is_some_and(|last| epoch <= last));
                for lost in lost.iter().filter(known_to) {
                    items.push(RotateItem {
                        project: environment.project.clone(),
                        environment: environment.name.clone(),
                        name: name.clone(),
                        ns_id,
                        version,
                        because_of: names.get(&lost.who).cloned().unwrap_or_else(|| lost.who.to_string()),
                    });
                }
            }
        }
        Ok(items)
    }

    /// Lost namespaces that this identity does not read.
    pub(crate) fn unseen(&self, lost: &Lost) -> Vec<NsId> {
        lost.read.keys().filter(|ns_id| !self.spaces.contains_key(ns_id)).copied().collect()
    }
}

fn malformed(error: &impl std::fmt::Display) -> Error {
    Error::invalid("work list", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::limits::{MAX_NAMESPACES, MAX_VALUE};

    #[test]
    fn whoever_could_read_everything_is_noted_in_values_that_fit() {
        let ids = (0..MAX_NAMESPACES).map(|nth| NsId((u128::from(nth)).to_be_bytes()));
        let lost = Lost { who: IdentityId([7; 16]), read: ids.map(|ns_id| (ns_id, u64::from(u32::MAX))).collect() };
        let notes = lost.notes(5).unwrap();
        assert!(notes.iter().all(|(_, text)| text.len() <= MAX_VALUE));
        let read: Vec<Lost> = notes.iter().map(|(_, text)| Lost::from_note(text).unwrap()).collect();
        assert!(read.iter().all(|note| note.who == lost.who));
        assert_eq!(read.into_iter().flat_map(|note| note.read).collect::<BTreeMap<_, _>>(), lost.read);
        assert!(Lost { who: lost.who, read: BTreeMap::new() }.notes(5).unwrap().is_empty());
    }
}
