//! A machine's token: its identity, and the place in its organization's history that it starts to verify from.
//!
//! `kvm1_` + base64url(`1 || identity_id || seed || created_ms || org_id || seq || link_hash || len || origin`) + `_` + crc32 in base62.
//! No error repeats what was read.

use crate::armor::{self, refused};
use crate::identity::Identity;
use crate::key::Key;
use crate::origin;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Fault, Hash, IdentityId, OrgId};
use std::fmt;
use zeroize::Zeroizing;

const NAME: &str = "a machine token";
const PREFIX: &str = "kvm1_";
const VERSION: u8 = 1;
/// A token is replaced by a new identity, never by new keys of the old one.
const GENERATION: u64 = 1;

/// What a machine is given once, and keeps in `KEYVAWLT_TOKEN`.
#[derive(Clone, PartialEq, Eq)]
pub struct MachineToken {
    /// Who it is.
    pub identity_id: IdentityId,
    /// What its keys follow from.
    pub seed: Key,
    /// When its bundle was made: the bundle, and so the key id, follows from it too.
    pub created_ms: u64,
    /// The organization.
    pub org_id: OrgId,
    /// The position of the checkpoint it trusts.
    pub seq: u64,
    /// That link's hash.
    pub link_hash: Hash,
    /// The server.
    pub origin: String,
}

impl MachineToken {
    /// The token of a machine that was just admitted.
    pub fn new(identity: &Identity, org_id: OrgId, seq: u64, link_hash: Hash, origin: impl Into<String>) -> Self {
        Self {
            identity_id: identity.id(),
            seed: identity.seed().clone(),
            created_ms: identity.bundle().created_ms,
            org_id,
            seq,
            link_hash,
            origin: origin.into(),
        }
    }

    /// The machine's identity.
    pub fn identity(&self) -> Identity {
        Identity::derive(self.seed.clone(), self.identity_id, kind::MACHINE, GENERATION, self.created_ms)
    }

    /// The text to print once.
    pub fn encode(&self) -> Result<Zeroizing<String>, Fault> {
        Ok(armor::wrap(PREFIX, &self.to_bytes()?))
    }

    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.identity_id.as_bytes());
        bytes.extend_from_slice(self.seed.expose());
        bytes.extend_from_slice(&self.created_ms.to_be_bytes());
        bytes.extend_from_slice(self.org_id.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.link_hash.as_bytes());
        origin::write(&self.origin, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the text, telling a slip of copying from a token of another version.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::from_bytes(NAME, &armor::unwrap(NAME, PREFIX, text.trim())?)
    }

    pub(crate) fn from_bytes(what: &'static str, bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = armor::Fields::new(what, bytes);
        if fields.take() != Ok([VERSION]) {
            return Err(refused(format!("{what} of another version: upgrade required")));
        }
        Ok(Self {
            identity_id: IdentityId(fields.take()?),
            seed: Key::from_bytes(fields.take()?),
            created_ms: u64::from_be_bytes(fields.take()?),
            org_id: OrgId(fields.take()?),
            seq: u64::from_be_bytes(fields.take()?),
            link_hash: Hash(fields.take()?),
            origin: origin::read(fields.rest())?,
        })
    }
}

impl fmt::Debug for MachineToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineToken({}, at {})", self.identity_id, self.origin)
    }
}
