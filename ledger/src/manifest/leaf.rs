//! Leaves: one per secret, naming its four objects by hash, and the rules of how one may follow another.

use crate::fault::{Code, Fault};
use crate::ids::{Hash, SecretId};
use crate::{canon::Canon, hash, merkle, row};

/// Flag: the newest version is a deletion.
pub const DELETED: u8 = 1;
/// Flag: a staged next version of another secret.
pub const DRAFT: u8 = 2;

row! {
    /// One secret in the manifest.
    pub struct Leaf {
        /// Order of creation.
        index: u64,
        /// The secret.
        secret_id: SecretId,
        /// Its version, from 1.
        version: u64,
        /// The epoch the version is sealed under.
        epoch: u64,
        /// [`DELETED`], [`DRAFT`].
        flags: u8,
        /// The manifest link that wrote it.
        mseq: u64,
        /// `H(0x0131, object)`; zero when deleted.
        payload_hash: Hash,
        /// `H(0x0133, object)`; zero when deleted.
        dek_hash: Hash,
        /// `H(0x0134, object)`.
        name_hash: Hash,
        /// `H(0x0132, object)`.
        facts_hash: Hash,
    }
}

/// The four objects of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// The sealed value.
    Payload,
    /// The sealed key of the value.
    Dek,
    /// The sealed name.
    Name,
    /// The facts, in clear.
    Facts,
}

/// The hash under which a leaf names an object.
pub fn object_hash(kind: ObjectKind, object: &[u8]) -> Hash {
    let domain = match kind {
        ObjectKind::Payload => hash::PAYLOAD,
        ObjectKind::Dek => hash::DEK,
        ObjectKind::Name => hash::NAME,
        ObjectKind::Facts => hash::FACTS,
    };
    hash::hash(domain, object)
}

impl Leaf {
    /// The newest version is a deletion.
    pub fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// A staged version.
    pub fn is_draft(&self) -> bool {
        self.flags & DRAFT != 0
    }

    /// Its leaf of the manifest's tree.
    pub fn tree_hash(&self) -> Hash {
        merkle::leaf_hash(&self.to_bytes())
    }

    /// The object's hash in this leaf.
    pub fn hash_of(&self, kind: ObjectKind) -> Hash {
        match kind {
            ObjectKind::Payload => self.payload_hash,
            ObjectKind::Dek => self.dek_hash,
            ObjectKind::Name => self.name_hash,
            ObjectKind::Facts => self.facts_hash,
        }
    }

    /// Known flags; a payload exactly where it is not deleted.
    pub(super) fn check_shape(&self) -> Result<(), Fault> {
        if self.flags & !(DELETED | DRAFT) != 0 {
            return Err(Fault::new(Code::Canon, "a leaf has unknown flags"));
        }
        if self.is_deleted() != (self.payload_hash == Hash::ZERO) || self.is_deleted() != (self.dek_hash == Hash::ZERO) {
            return Err(Fault::new(Code::Canon, "a deleted leaf, and only that, has no payload"));
        }
        Ok(())
    }

    /// Whether this leaf may replace `before` (or begin a secret) in link `mseq` under `epoch`.
    pub(super) fn follows(&self, before: Option<&Leaf>, mseq: u64, epoch: u64) -> Result<(), Fault> {
        let wrong = |why: &'static str| Err(Fault::new(Code::Rollback, why));
        if self.mseq != mseq {
            return Err(Fault::new(Code::Canon, "a leaf names another link"));
        }
        self.check_shape()?;
        let Some(before) = before else {
            return if self.version == 1 && self.epoch == epoch && !self.is_deleted() {
                Ok(())
            } else {
                wrong("a new secret starts at version 1, under the current key")
            };
        };
        if self.index != before.index {
            return wrong("a leaf moved");
        }
        if self.version == before.version {
            let only_facts = Leaf { mseq: before.mseq, facts_hash: before.facts_hash, ..self.clone() } == *before;
            return if only_facts { Ok(()) } else { wrong("without a new version only facts change") };
        }
        if Some(self.version) != before.version.checked_add(1) {
            return wrong("versions follow one another");
        }
        if self.is_draft() != before.is_draft() {
            return wrong("a draft stays a draft: committing it writes the secret it stages");
        }
        if self.is_deleted() && self.name_hash != before.name_hash {
            return wrong("a deletion keeps the name");
        }
        if self.epoch == epoch { Ok(()) } else { wrong("a new version is sealed under the current key") }
    }
}
