//! What the library says of secrets, and what is told to it. No `Debug` here shows a value, a note or a tag.

use crate::secrets::facts::FactsInput;
use crate::secrets::versions::VersionState;
use keyvawlt_crypto::Zeroizing;
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::{IdentityId, NsId, SecretId};
use std::fmt;

/// A secret, as listed: no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// The full name.
    pub name: String,
    /// The namespace that holds it.
    pub ns_id: NsId,
    /// Its id there.
    pub secret_id: SecretId,
    /// The newest version.
    pub version: u64,
    /// When it was written, epoch milliseconds. `None` where this machine started from a listing: [`crate::Vault::take_history`] tells.
    pub updated_ms: Option<u64>,
    /// By whom; likewise.
    pub author: Option<IdentityId>,
    /// What the server was told.
    pub facts: Option<Facts>,
    /// The newest version is a deletion.
    pub deleted: bool,
}

/// An opened secret. Its `Debug` shows no value.
#[derive(Clone)]
pub struct Secret {
    /// What a listing shows.
    pub info: SecretInfo,
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// A note for people.
    pub note: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("info", &self.info).finish_non_exhaustive()
    }
}

/// One version in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionInfo {
    /// The version.
    pub version: u64,
    /// When, epoch milliseconds.
    pub at_ms: u64,
    /// By whom.
    pub author: IdentityId,
    /// It is a deletion.
    pub deleted: bool,
    /// How it stands.
    pub state: VersionState,
}

/// A value to write. Its `Debug` shows no value.
#[derive(Clone)]
pub struct SecretWrite {
    /// The full name.
    pub name: String,
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// A note; `None` keeps the present one.
    pub note: Option<String>,
    /// Tags; `None` keeps the present ones.
    pub tags: Option<Vec<String>>,
    /// Facts; `None` keeps the present ones, except that an expiry ends with the version it was told for.
    pub facts: Option<FactsInput>,
    /// Refuse unless this is the newest version; 0 for "must be new".
    pub if_version: Option<u64>,
}

impl SecretWrite {
    /// Just a name and a value.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), value: Zeroizing::new(value.into()), note: None, tags: None, facts: None, if_version: None }
    }
}

impl fmt::Debug for SecretWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretWrite").field("name", &self.name).field("if_version", &self.if_version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value_and_no_note() {
        let write =
            SecretWrite { note: Some("canary".to_owned()), tags: Some(vec!["canary".to_owned()]), ..SecretWrite::new("a/b", "canary") };
        let info = SecretInfo {
            name: "a/b".to_owned(),
            ns_id: NsId([1; 16]),
            secret_id: SecretId([2; 16]),
            version: 1,
            updated_ms: Some(0),
            author: Some(IdentityId([3; 16])),
            facts: None,
            deleted: false,
        };
        let value = Zeroizing::new(b"canary".to_vec());
        let secret = Secret { info, value, note: "canary".to_owned(), tags: vec!["canary".to_owned()] };
        // A value as bytes would be a list of numbers.
        let shown = format!("{write:?} {secret:?}");
        assert!(shown.contains("a/b"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
    }
}
