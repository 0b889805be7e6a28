//! What people agreed on about secrets to rotate: who does it until when, or why it need not be done. Entries of the directory, sealed for all
//! its people and written by those who name others there; no list: what is to be done follows from the chain.

use crate::error::{Error, Result};
use crate::organization::directory::duty_key;
use crate::secrets::{SecretWrite, write_some};
use crate::vault::Vault;
use keyvawlt_ledger::chain::permission;
use keyvawlt_ledger::{IdentityId, NsId, SecretId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was agreed on about one secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// Who replaces it.
    pub assignee: Option<IdentityId>,
    /// Until when, epoch milliseconds.
    pub due_ms: Option<u64>,
    /// More, for people.
    pub note: String,
    /// Why it need not be replaced for those who lost access before.
    pub settled: Option<Settlement>,
}

/// A decision that a secret need not be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Losses up to this moment are settled, epoch milliseconds.
    pub at_ms: u64,
    /// Who decided.
    pub by: IdentityId,
    /// Why.
    pub reason: String,
}

/// A duty as the directory keeps it, identifiers in hexadecimal.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    assignee: Option<String>,
    #[serde(default)]
    due_ms: Option<u64>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    settled: Option<SettledNote>,
}

#[derive(Serialize, Deserialize)]
struct SettledNote {
    at_ms: u64,
    by: String,
    reason: String,
}

impl Vault {
    /// Says who replaces a secret, until when. For those who write the directory: owners and admins.
    pub async fn assign(&mut self, place: (NsId, SecretId), assignee: Option<IdentityId>, due_ms: Option<u64>, note: &str) -> Result<()> {
        let note = note.to_owned();
        self.agree(place, move |duty, _, _| {
            duty.assignee = assignee.or(duty.assignee);
            duty.due_ms = due_ms.or(duty.due_ms);
            if !note.is_empty() {
                duty.note.clone_from(&note);
            }
        })
        .await
    }

    /// Decides that a secret need not be replaced for those who lost access until now, and says why.
    pub async fn settle(&mut self, place: (NsId, SecretId), reason: &str) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "say why the secret need not be replaced"));
        }
        let reason = reason.to_owned();
        self.agree(place, move |duty, by, at_ms| duty.settled = Some(Settlement { at_ms, by, reason: reason.clone() })).await
    }

    /// Decides the same for all secrets that one identity could read, and no other: a machine whose token was merely replaced.
    pub async fn settle_losses_of(&mut self, who: IdentityId, reason: &str) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "say why the secrets need not be replaced"));
        }
        self.change(|change| {
            let vault = change.vault();
            let (directory, own) = (vault.directory_id()?, vault.identity.id());
            if vault.permissions(&directory, &own) & permission::WRITE == 0 {
                return Err(Error::Forbidden);
            }
            let note = SettledNote { at_ms: change.ts_ms(), by: own.to_string(), reason: reason.to_owned() };
            let note = serde_json::to_vec(&note).map_err(|error| Error::invalid("work list", error.to_string()))?;
            write_some(change, &directory, &[SecretWrite::new(format!("{SETTLED}{who}"), note)], &BTreeMap::new()).map(|_| ())
        })
        .await
    }

    /// Until when the losses of identities were settled as a whole.
    pub(crate) fn settled_identities(&self) -> Result<BTreeMap<IdentityId, u64>> {
        let entries = self.directory()?;
        let settled = |(key, text): (&String, &String)| {
            let note: SettledNote = serde_json::from_str(text).ok()?;
            Some((key.strip_prefix(SETTLED)?.parse().ok()?, note.at_ms))
        };
        Ok(entries.iter().filter_map(settled).collect())
    }

    /// All that was agreed on.
    pub(crate) fn duties(&self) -> Result<BTreeMap<(NsId, SecretId), Duty>> {
        let entries = self.directory()?;
        let duty = |(key, text): (&String, &String)| {
            let (ns, secret) = key.strip_prefix(DUTIES)?.split_once('-')?;
            // Admins write these: one that wrote garbage does not keep the others from their work.
            Some(((ns.parse().ok()?, secret.parse().ok()?), read(text)?))
        };
        Ok(entries.iter().filter_map(duty).collect())
    }

    async fn agree(&mut self, place: (NsId, SecretId), on: impl Fn(&mut Duty, IdentityId, u64)) -> Result<()> {
        self.change(|change| {
            let vault = change.vault();
            let (directory, own) = (vault.directory_id()?, vault.identity.id());
            if vault.permissions(&directory, &own) & permission::WRITE == 0 {
                return Err(Error::Forbidden);
            }
            let mut duty = vault.duties()?.remove(&place).unwrap_or_default();
            on(&mut duty, own, change.ts_ms());
            write_some(change, &directory, &[SecretWrite::new(duty_key(&place.0, &place.1), write(&duty)?)], &BTreeMap::new()).map(|_| ())
        })
        .await
    }
}

/// Before namespace and secret.
pub(crate) const DUTIES: &str = "worklog/";

/// Before an identity.
pub(crate) const SETTLED: &str = "settled/";

fn write(duty: &Duty) -> Result<Vec<u8>> {
    let settled = duty.settled.as_ref().map(|settled| SettledNote {
        at_ms: settled.at_ms,
        by: settled.by.to_string(),
        reason: settled.reason.clone(),
    });
    let note = Note { assignee: duty.assignee.map(|id| id.to_string()), due_ms: duty.due_ms, note: duty.note.clone(), settled };
    serde_json::to_vec(&note).map_err(|error| Error::invalid("work list", error.to_string()))
}

fn read(text: &str) -> Option<Duty> {
    let note: Note = serde_json::from_str(text).ok()?;
    let settled = match note.settled {
        Some(settled) => Some(Settlement { at_ms: settled.at_ms, by: settled.by.parse().ok()?, reason: settled.reason }),
        None => None,
    };
    let assignee = note.assignee.map(|id| id.parse()).transpose().ok()?;
    Some(Duty { assignee, due_ms: note.due_ms, note: note.note, settled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_are_read_as_they_were_written_and_garbage_is_none() {
        let settled = Settlement { at_ms: 5, by: IdentityId([1; 16]), reason: "was never used".to_owned() };
        let duty = Duty { assignee: Some(IdentityId([2; 16])), due_ms: Some(7), note: "n".to_owned(), settled: Some(settled) };
        let text = String::from_utf8(write(&duty).unwrap()).unwrap();
        assert_eq!(read(&text), Some(duty));
        assert_eq!(read("{}"), Some(Duty::default()));
        assert_eq!(read(r#"{"assignee":"nobody"}"#), None);
        assert_eq!(read("garbage"), None);
    }
}
