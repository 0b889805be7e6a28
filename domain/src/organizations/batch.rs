//! What a change consists of, decoded and bounded before anything looks at it.

use crate::error::{Error, Result};
use crate::policy::Deed;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::cbor::count_items;
use keyvawlt_ledger::chain::{Body, Checkpoint, Link};
use keyvawlt_ledger::limits::{MAX_BATCH, MAX_FACTS, MAX_ITEMS};
use keyvawlt_ledger::manifest::{ManifestLink, ObjectKind};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{IdentityId, NsId, SecretId, Signed};
use std::collections::{BTreeMap, BTreeSet};

/// A sealed value: 64 KiB with a note and tags, padded by at most an eighth, and the seal itself.
pub const MAX_PAYLOAD: usize = 96 * 1024;
/// A sealed 32-byte key is 112 bytes long; twice that leaves room for another suite.
pub const MAX_DEK: usize = 256;
/// A sealed name: 256 bytes, padded, and the seal.
pub const MAX_SEALED_NAME: usize = 512;
/// Statements of one batch: each costs a signature check while other writers of the organization wait.
const MAX_STATEMENTS: usize = 4096;
/// State hashes of one batch: each goes through the whole state. A change needs one, and one more when the chain's interval falls into it.
const MAX_STATE_HASHES: usize = 4;

/// One object of a secret, as it came.
#[derive(Clone, Debug)]
pub struct Object {
    /// Of which namespace.
    pub ns_id: NsId,
    /// Of which secret.
    pub secret_id: SecretId,
    /// The version it belongs to.
    pub version: u64,
    /// Which of the four.
    pub kind: ObjectKind,
    /// The object.
    pub data: Vec<u8>,
}

/// A change: organization links, then manifest links anchored in the last of them, and what they name by hash.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) links: Vec<(Signed, Link)>,
    pub(super) manifest_links: Vec<(Signed, ManifestLink)>,
    pub(super) wraps: BTreeMap<(NsId, u64, IdentityId), Wrap>,
    pub(super) objects: Vec<Object>,
}

impl Batch {
    /// Decodes a batch and holds it against the limits.
    pub fn decode(links: Vec<Signed>, manifest_links: Vec<Signed>, wraps: &[impl AsRef<[u8]>], objects: Vec<Object>) -> Result<Self> {
        if links.is_empty() && manifest_links.is_empty() {
            return Err(Error::invalid("batch", "must change something"));
        }
        if links.len() + manifest_links.len() > MAX_STATEMENTS {
            return Err(Error::TooLarge { what: "the number of statements of a batch", limit: MAX_STATEMENTS as u64 });
        }
        let statements: usize = links.iter().chain(&manifest_links).map(|signed| signed.payload().len()).sum();
        let attached =
            wraps.iter().map(|wrap| wrap.as_ref().len()).sum::<usize>() + objects.iter().map(|object| object.data.len()).sum::<usize>();
        if statements + attached > MAX_BATCH {
            return Err(Error::TooLarge { what: "a batch", limit: MAX_BATCH as u64 });
        }
        objects.iter().try_for_each(check_object)?;
        check_items(&links, &manifest_links, wraps)?;
        let links = decode(links, Link::from_bytes)?;
        check_state_hashes(&links)?;
        Ok(Self { links, manifest_links: decode(manifest_links, ManifestLink::from_bytes)?, wraps: decode_wraps(wraps)?, objects })
    }

    /// What committing it amounts to.
    pub(super) fn deeds(&self) -> Vec<Deed> {
        let mut deeds: BTreeSet<Deed> = self.links.iter().map(|(_, link)| Deed::CommitLink(link.kind)).collect();
        if !self.manifest_links.is_empty() {
            deeds.insert(Deed::CommitManifest);
        }
        deeds.into_iter().collect()
    }
}

/// Decoded items take many times the room of the bytes they came in.
fn check_items(links: &[Signed], manifest_links: &[Signed], wraps: &[impl AsRef<[u8]>]) -> Result<()> {
    let statements = links.iter().chain(manifest_links).map(Signed::payload);
    let mut items = 0;
    for document in statements.chain(wraps.iter().map(AsRef::as_ref)) {
        items += count_items(document)?;
        if items > MAX_ITEMS {
            return Err(Error::TooLarge { what: "the number of items of a batch", limit: MAX_ITEMS as u64 });
        }
    }
    Ok(())
}

fn check_state_hashes(links: &[(Signed, Link)]) -> Result<()> {
    let hashes =
        |link: &Link| matches!(Body::from_value(link.kind, link.body.clone()), Ok(Body::Checkpoint(body)) if body.state_hash.is_some());
    let checkpoint = Body::Checkpoint(Checkpoint { state_hash: None }).kind();
    let count = links.iter().filter(|(_, link)| link.kind == checkpoint && hashes(link)).count();
    if count > MAX_STATE_HASHES {
        return Err(Error::TooLarge { what: "the number of state hashes of a batch", limit: MAX_STATE_HASHES as u64 });
    }
    Ok(())
}

fn decode<T>(statements: Vec<Signed>, read: impl Fn(&[u8]) -> Result<T, keyvawlt_ledger::Fault>) -> Result<Vec<(Signed, T)>> {
    statements
        .into_iter()
        .map(|signed| Ok((read(signed.payload())?, signed)))
        .map(|pair| pair.map(|(link, signed)| (signed, link)))
        .collect()
}

fn decode_wraps(records: &[impl AsRef<[u8]>]) -> Result<BTreeMap<(NsId, u64, IdentityId), Wrap>> {
    let mut wraps = BTreeMap::new();
    for record in records {
        let wrap = Wrap::from_bytes(record.as_ref())?;
        if wraps.insert((wrap.ns_id, wrap.epoch, wrap.recipient_id), wrap).is_some() {
            return Err(Error::invalid("batch.wraps", "the same key is wrapped twice for one recipient"));
        }
    }
    Ok(wraps)
}

fn check_object(object: &Object) -> Result<()> {
    let (what, limit) = match object.kind {
        ObjectKind::Payload => ("a sealed value", MAX_PAYLOAD),
        ObjectKind::Dek => ("a sealed key", MAX_DEK),
        ObjectKind::Name => ("a sealed name", MAX_SEALED_NAME),
        ObjectKind::Facts => ("facts", MAX_FACTS),
    };
    if object.data.len() > limit { Err(Error::TooLarge { what, limit: limit as u64 }) } else { Ok(()) }
}
