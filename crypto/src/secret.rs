//! One version of a secret: the padded payload under its own DEK, the DEK under the namespace key, and the name under the namespace key.
//!
//! Each is bound to organization, namespace, secret and version, and the DEK to its payload, so that no object can stand where another
//! belongs. Facts are not here: they are in clear, for the server.

use crate::aead::{self, unopened};
use crate::key::{Key, hx};
use crate::pad;
use crate::plain::{self, Fields};
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::cbor::Value;
use keyvawlt_ledger::chain::Seal;
use keyvawlt_ledger::limits::{MAX_NAME, MAX_VALUE};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId, SecretId, context, hash, names, row};
use rand_core::CryptoRng;
use std::fmt;
use zeroize::Zeroizing;

/// A note is read with every value; documents belong elsewhere.
pub const MAX_NOTE: usize = 4 * 1024;
/// Tags of one secret: more is a database.
pub const MAX_TAGS: usize = 64;
/// A tag, or a kind: one word.
pub const MAX_WORD: usize = 64;

row! {
    /// Where a value was copied from when its folder was guarded: history goes on there.
    pub struct CopiedFrom {
        /// The namespace.
        ns_id: NsId,
        /// The secret.
        secret_id: SecretId,
        /// The version.
        version: u64,
        /// `H(0x0131, …)` of that version.
        payload_hash: Hash,
    }
}

/// What a version of a secret holds. Wiped when dropped, printed by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The name, relative to the namespace's prefix; the same as in the name object.
    pub name: String,
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// `secret`, `config` or a later kind.
    pub kind: String,
    /// For people.
    pub note: String,
    /// For people.
    pub tags: Vec<String>,
    /// The secret whose next version this stages.
    pub draft_of: Option<SecretId>,
    /// Where the value was copied from.
    pub from: Option<CopiedFrom>,
}

impl Payload {
    /// A secret of kind `secret` with nothing but a name and a value.
    pub fn new(name: impl Into<String>, value: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            value: Zeroizing::new(value),
            kind: "secret".to_owned(),
            note: String::new(),
            tags: Vec::new(),
            draft_of: None,
            from: None,
        }
    }

    /// Refuses what is larger than the protocol allows, and names outside the grammar.
    pub fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        if self.value.len() > MAX_VALUE {
            return Err(Fault::new(Code::Limit, "a value must not exceed 64 KiB"));
        }
        if self.note.len() > MAX_NOTE {
            return Err(Fault::new(Code::Limit, "a note must not exceed 4 KiB"));
        }
        if self.tags.len() > MAX_TAGS || self.tags.iter().chain([&self.kind]).any(|word| word.len() > MAX_WORD) {
            return Err(Fault::new(Code::Limit, "at most 64 tags, each of at most 64 bytes"));
        }
        Ok(())
    }

    fn to_plain(&self) -> Zeroizing<Vec<u8>> {
        plain::encode(Value::Map(vec![
            (1, self.name.to_value()),
            (2, Value::Bytes(self.value.to_vec())),
            (3, self.kind.to_value()),
            (4, self.note.to_value()),
            (5, self.tags.to_value()),
            (6, self.draft_of.to_value()),
            (7, self.from.to_value()),
        ]))
    }

    fn from_plain(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::read(bytes, upgrade)?;
        let payload = Self {
            name: Canon::from_value(fields.take(1)?)?,
            value: Zeroizing::new(Blob::from_value(fields.take(2)?)?.0),
            kind: Canon::from_value(fields.take(3)?)?,
            note: Canon::from_value(fields.take(4)?)?,
            tags: Canon::from_value(fields.take(5)?)?,
            draft_of: Canon::from_value(fields.take(6)?)?,
            from: Canon::from_value(fields.take(7)?)?,
        };
        fields.end()?;
        payload.check().map(|()| payload)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload(…)")
    }
}

/// The two objects of a version that its leaf names by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedVersion {
    /// The sealed payload.
    pub payload: Vec<u8>,
    /// The sealed DEK.
    pub dek: Vec<u8>,
}

impl SealedVersion {
    /// `H(0x0131, payload)`.
    pub fn payload_hash(&self) -> Hash {
        hash::hash(hash::PAYLOAD, &self.payload)
    }

    /// `H(0x0133, dek)`.
    pub fn dek_hash(&self) -> Hash {
        hash::hash(hash::DEK, &self.dek)
    }
}

/// Seals one version under a fresh DEK.
#[expect(clippy::too_many_arguments, reason = "each is a field of the context, in the protocol's order")]
pub fn seal_version(
    nk: &Key,
    org: &OrgId,
    ns: &NsId,
    secret_id: &SecretId,
    version: u64,
    epoch: u64,
    payload: &Payload,
    rng: &mut impl CryptoRng,
) -> Result<SealedVersion, Fault> {
    payload.check()?;
    let dek = Key::random(rng);
    let payload = aead::seal(&dek, &payload_ctx(org, ns, secret_id, version), &pad::pad(&payload.to_plain()), rng);
    let dek = aead::seal(&hx(nk, "kv1/nk/dek"), &dek_ctx(org, ns, secret_id, version, epoch, &payload), dek.expose(), rng);
    Ok(SealedVersion { payload, dek })
}

/// Opens one version with the key of its epoch.
#[expect(clippy::too_many_arguments, reason = "each is a field of the context, in the protocol's order")]
pub fn open_version(
    nk: &Key,
    org: &OrgId,
    ns: &NsId,
    secret_id: &SecretId,
    version: u64,
    epoch: u64,
    payload: &[u8],
    dek: &[u8],
) -> Result<Payload, Fault> {
    let dek = aead::open(&hx(nk, "kv1/nk/dek"), &dek_ctx(org, ns, secret_id, version, epoch, payload), dek)?;
    let padded = aead::open(&Key::from_slice(&dek)?, &payload_ctx(org, ns, secret_id, version), payload)?;
    Payload::from_plain(pad::unpad(&padded)?)
}

/// Seals a relative name as the canonical `[epoch, sealed]`. It carries no version: an unchanged name keeps its object.
pub fn seal_name(
    nk: &Key,
    org: &OrgId,
    ns: &NsId,
    secret_id: &SecretId,
    epoch: u64,
    name: &str,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, Fault> {
    check_name(name)?;
    let sealed = aead::seal(&hx(nk, "kv1/nk/name"), &name_ctx(org, ns, secret_id), &pad::pad64(name.as_bytes()), rng);
    Ok(Seal { epoch, sealed: Blob(sealed) }.to_bytes())
}

/// Which epoch's key opens a name object.
pub fn name_epoch(object: &[u8]) -> Result<u64, Fault> {
    crate::nk::epoch_of(object)
}

/// Opens a name with the key of [`name_epoch`].
pub fn open_name(nk: &Key, org: &OrgId, ns: &NsId, secret_id: &SecretId, object: &[u8]) -> Result<String, Fault> {
    let object = Seal::from_bytes(object)?;
    let padded = aead::open(&hx(nk, "kv1/nk/name"), &name_ctx(org, ns, secret_id), &object.sealed.0)?;
    let name = std::str::from_utf8(pad::unpad64(&padded)?).map_err(|_| unopened())?;
    check_name(name).map(|()| name.to_owned())
}

/// `H(0x0134, object)`.
pub fn name_hash(object: &[u8]) -> Hash {
    hash::hash(hash::NAME, object)
}

/// A relative name is empty where the prefix is the whole name; whether it fits its prefix is checked by whoever knows that.
fn check_name(name: &str) -> Result<(), Fault> {
    if name.len() > MAX_NAME {
        return Err(Fault::new(Code::Limit, "a name must not exceed 256 bytes"));
    }
    if name.is_empty() { Ok(()) } else { names::check(name) }
}

fn upgrade() -> Fault {
    Fault::new(Code::Upgrade, "the secret has unknown or missing fields: upgrade required")
}

fn payload_ctx(org: &OrgId, ns: &NsId, secret_id: &SecretId, version: u64) -> Vec<u8> {
    context("kv1/secret", &[org.to_value(), ns.to_value(), secret_id.to_value(), version.to_value()])
}

fn dek_ctx(org: &OrgId, ns: &NsId, secret_id: &SecretId, version: u64, epoch: u64, payload: &[u8]) -> Vec<u8> {
    let payload_hash = hash::hash(hash::PAYLOAD, payload);
    let fields = [org.to_value(), ns.to_value(), secret_id.to_value(), version.to_value(), epoch.to_value(), payload_hash.to_value()];
    context("kv1/dek", &fields)
}

fn name_ctx(org: &OrgId, ns: &NsId, secret_id: &SecretId) -> Vec<u8> {
    context("kv1/name", &[org.to_value(), ns.to_value(), secret_id.to_value()])
}
