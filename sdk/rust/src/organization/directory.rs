//! The directory: display names of the organization, its people, machines and environments, sealed for all its people.
//!
//! Entries are secrets named `organization`, `people/<id>`, `invites/<id>`, `machines/<id>`, `environments/<id>`, `welcomes/<id>`, `worklog/<id>-<id>`,
//! `settled/<id>`, `rules`.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::secrets::{SecretWrite, write_some};
use crate::team::duties::DUTIES;
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Questions, permission};
use keyvawlt_ledger::{IdentityId, InviteId, NsId, SecretId};
use std::collections::BTreeMap;

/// The organization's own name.
pub(crate) const ORGANIZATION: &str = "organization";

/// Before the id of an environment.
pub(crate) const ENVIRONMENTS: &str = "environments/";

pub(crate) fn environment_key(ns: &NsId) -> String {
    format!("{ENVIRONMENTS}{ns}")
}

pub(crate) fn person_key(id: &IdentityId) -> String {
    format!("people/{id}")
}

pub(crate) fn machine_key(id: &IdentityId) -> String {
    format!("machines/{id}")
}

pub(crate) fn invite_key(id: &InviteId) -> String {
    format!("invites/{id}")
}

/// Notes that a newcomer was given what the invite intended, and by whom.
pub(crate) fn welcome_key(id: &IdentityId) -> String {
    format!("welcomes/{id}")
}

/// What was agreed on about a secret that is to be rotated.
pub(crate) fn duty_key(ns: &NsId, secret: &SecretId) -> String {
    format!("{DUTIES}{ns}-{secret}")
}

/// Writes entries as part of a change, as far as the author may: a name that cannot be noted is no reason to fail.
pub(crate) fn note(change: &mut Change, entries: &[(String, String)]) -> Result<()> {
    let Some(directory) = change.replica.head().chain().and_then(|chain| chain.directory).filter(|_| !entries.is_empty()) else {
        return Ok(());
    };
    let now = change.ts_ms();
    if change.replica.head().permissions(&directory, &change.vault().identity.id(), now) & permission::WRITE == 0 {
        return Ok(());
    }
    let writes: Vec<SecretWrite> = entries.iter().map(|(name, value)| SecretWrite::new(name.as_str(), value.as_bytes())).collect();
    write_some(change, &directory, &writes, &BTreeMap::new()).map(|_| ())
}

impl Vault {
    /// The organization's name, as its directory says.
    pub fn name(&self) -> Result<String> {
        Ok(self.directory()?.remove(ORGANIZATION).unwrap_or_else(|| self.org_id.to_string()))
    }

    /// All entries of the directory that open; empty for identities that do not read it.
    pub(crate) fn directory(&self) -> Result<BTreeMap<String, String>> {
        let Some(directory) = self.replica.head().chain().and_then(|chain| chain.directory) else { return Ok(BTreeMap::new()) };
        if !self.spaces.contains_key(&directory) {
            return Ok(BTreeMap::new());
        }
        // Names are for display: one that an admin wrote badly is left out, and its bearer goes by the id.
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let index = self.index(&directory)?;
        let live = index.usable().filter(|found| !found.leaf.is_deleted());
        Ok(live.filter_map(|found| Some((found.name.clone(), text(&self.open_found(found).ok()?.value)))).collect())
    }

    /// The directory's namespace.
    pub(crate) fn directory_id(&self) -> Result<NsId> {
        self.replica.head().chain().and_then(|chain| chain.directory).ok_or_else(|| Error::not_found("directory", self.org_id.to_string()))
    }
}
