//! What this machine has taken in and committed, as it was signed: with it a server that was restored from a backup gets back what it lacks.
//!
//! Only a help for others: what counts here is what was verified, and a journal that cannot be written stops nothing. The oldest goes first.

use super::state::StateDir;
use crate::error::{Error, Result};
use crate::vault::Vault;
use keyvawlt_proto::v1;
use prost::Message as _;

/// Bytes of an organization's journal: months of a busy team's links and small values, or days of large ones, where backups are daily.
const MAX_BYTES: u64 = 64 << 20;
/// Files of it: each is one change, or one answer.
const MAX_FILES: usize = 4_096;

impl Vault {
    /// Notes changes that are verified and remembered.
    pub(crate) fn note<'a>(&self, changes: impl IntoIterator<Item = &'a v1::Batch>) {
        let mut changes = changes.into_iter().peekable();
        if changes.peek().is_none() {
            return;
        }
        if let Err(error) = self.journal().and_then(|journal| changes.try_for_each(|change| add(&journal, change))) {
            tracing::debug!(%error, "a server that loses this change will not get it back from here");
        }
    }

    /// The changes that were noted, oldest first.
    pub(crate) fn noted(&self) -> Result<Vec<v1::Batch>> {
        let journal = self.journal()?;
        let mut changes = Vec::new();
        for name in names(&journal)? {
            let damaged = || Error::Storage {
                path: journal.path().join(&name),
                why: "the file is damaged: move it away to bring back what the others hold".to_owned(),
            };
            let bytes = journal.read_checked(&name, None, damaged)?.unwrap_or_default();
            changes.push(v1::Batch::decode(bytes.as_slice()).map_err(|_| damaged())?);
        }
        Ok(changes)
    }

    fn journal(&self) -> Result<StateDir> {
        self.state.below(&format!("{}.journal", self.org_id))
    }
}

fn add(journal: &StateDir, change: &v1::Batch) -> Result<()> {
    let mut names = names(journal)?;
    let next = names.last().and_then(|name| number(name)).map_or(0, |last| last + 1);
    let (bytes, _) = StateDir::checked(change.encode_to_vec());
    let name = format!("{next:020}-{}", bytes.len());
    journal.write(&name, &bytes)?;
    names.push(name);
    let mut left: u64 = names.iter().filter_map(|name| size(name)).sum();
    let mut files = names.len();
    for name in names {
        if left <= MAX_BYTES && files <= MAX_FILES {
            break;
        }
        (left, files) = (left - size(&name).unwrap_or_default(), files - 1);
        journal.remove(&name)?;
    }
    Ok(())
}

/// Its files in order; others are none of them.
fn names(journal: &StateDir) -> Result<Vec<String>> {
    let mut names = journal.files()?;
    names.retain(|name| number(name).is_some() && size(name).is_some());
    names.sort();
    Ok(names)
}

fn number(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

fn size(name: &str) -> Option<u64> {
    name.split_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_what_is_no_change_stays() {
        let folder = tempfile::tempdir().unwrap();
        let journal = StateDir::open(folder.path()).unwrap();
        journal.write("notes", b"mine").unwrap();
        let change = |byte: u8| v1::Batch { wraps: vec![vec![byte; 20 << 20].into()], ..v1::Batch::default() };
        for byte in 0..5 {
            add(&journal, &change(byte)).unwrap();
        }
        let left: Vec<Option<u64>> = names(&journal).unwrap().iter().map(|name| number(name)).collect();
        assert_eq!(left, [Some(2), Some(3), Some(4)]);
        assert_eq!(journal.read("notes").unwrap().unwrap(), b"mine");
    }
}
