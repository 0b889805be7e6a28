//! Namespace keys: the commitment that the chain carries, and the two seals that make one wrap enough.
//!
//! Every opening ends with the commitment: a key that a server or a granter invents is refused, whatever it opens.

use crate::aead::{self, unopened};
use crate::key::{Key, hx};
use crate::{pad, plain};
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::Seal;
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId, context, hash, names, record};
use rand_core::CryptoRng;

record! {
    /// What a namespace is called, for those who hold its key.
    pub struct NsNames {
        /// The project.
        1 => project: String,
        /// The environment.
        2 => environment: String,
        /// Empty for the environment itself; a folder ending in `/`, or one full name, for a guarded part.
        3 => prefix: String,
    }
}

/// `H(0x0120, [org_id, ns_id, epoch, HX(NK, "kv1/nk/commit")])`: binds a key to its place without telling anything about it.
pub fn commit(org: &OrgId, ns: &NsId, epoch: u64, nk: &Key) -> Hash {
    let fields = vec![org.to_value(), ns.to_value(), epoch.to_value(), hx(nk, "kv1/nk/commit").expose().to_value()];
    hash::hash(hash::NK_COMMIT, &cbor::encode(&Value::Array(fields)))
}

/// Checks an opened key against the commitment on the chain.
pub fn check_commit(org: &OrgId, ns: &NsId, epoch: u64, nk: &Key, expected: &Hash) -> Result<(), Fault> {
    if commit(org, ns, epoch, nk) == *expected {
        return Ok(());
    }
    Err(Fault::new(Code::NkCommit, "the namespace key is not the one the chain commits to"))
}

/// Seals an earlier key under the new one: holders of the newest key walk back. The result goes into `Seal { epoch: old_epoch, … }`.
pub fn seal_previous(
    nk_new: &Key,
    org: &OrgId,
    ns: &NsId,
    new_epoch: u64,
    old_epoch: u64,
    nk_old: &Key,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    aead::seal(&hx(nk_new, "kv1/nk/prev"), &previous_ctx(org, ns, new_epoch, old_epoch), nk_old.expose(), rng)
}

/// Opens an earlier key and checks it against that epoch's commitment.
pub fn open_previous(
    nk_new: &Key,
    org: &OrgId,
    ns: &NsId,
    new_epoch: u64,
    old_epoch: u64,
    sealed: &[u8],
    expected: &Hash,
) -> Result<Key, Fault> {
    let opened = aead::open(&hx(nk_new, "kv1/nk/prev"), &previous_ctx(org, ns, new_epoch, old_epoch), sealed)?;
    let nk_old = Key::from_slice(&opened)?;
    check_commit(org, ns, old_epoch, &nk_old, expected).map(|()| nk_old)
}

/// Seals a child's key under its parent's: who reads the parent reads the child. The result goes into `Seal { epoch: parent_epoch, … }`.
#[expect(clippy::too_many_arguments, reason = "each is a field of the context, in the protocol's order")]
pub fn seal_parent(
    nk_parent: &Key,
    org: &OrgId,
    ns: &NsId,
    epoch: u64,
    parent: &NsId,
    parent_epoch: u64,
    nk_child: &Key,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    aead::seal(&hx(nk_parent, "kv1/nk/child"), &parent_ctx(org, ns, epoch, parent, parent_epoch), nk_child.expose(), rng)
}

/// Opens a child's key and checks it against the child's commitment.
#[expect(clippy::too_many_arguments, reason = "each is a field of the context, in the protocol's order")]
pub fn open_parent(
    nk_parent: &Key,
    org: &OrgId,
    ns: &NsId,
    epoch: u64,
    parent: &NsId,
    parent_epoch: u64,
    sealed: &[u8],
    expected: &Hash,
) -> Result<Key, Fault> {
    let opened = aead::open(&hx(nk_parent, "kv1/nk/child"), &parent_ctx(org, ns, epoch, parent, parent_epoch), sealed)?;
    let nk_child = Key::from_slice(&opened)?;
    check_commit(org, ns, epoch, &nk_child, expected).map(|()| nk_child)
}

/// Seals a namespace's names as the canonical `[epoch, sealed]` that links carry.
pub fn seal_ns_names(nk: &Key, org: &OrgId, ns: &NsId, epoch: u64, names: &NsNames, rng: &mut impl CryptoRng) -> Vec<u8> {
    let padded = pad::pad64(&plain::encode(names.to_value()));
    let sealed = aead::seal(&hx(nk, "kv1/nk/ns"), &names_ctx(org, ns, epoch), &padded, rng);
    Seal { epoch, sealed: Blob(sealed) }.to_bytes()
}

/// Which epoch's key opens a namespace's names, or a secret's name.
pub fn epoch_of(object: &[u8]) -> Result<u64, Fault> {
    Seal::from_bytes(object).map(|object| object.epoch)
}

/// Opens a namespace's names with the key of [`epoch_of`] the object.
pub fn open_ns_names(nk: &Key, org: &OrgId, ns: &NsId, object: &[u8]) -> Result<NsNames, Fault> {
    let object = Seal::from_bytes(object)?;
    let padded = aead::open(&hx(nk, "kv1/nk/ns"), &names_ctx(org, ns, object.epoch), &object.sealed.0)?;
    let opened = NsNames::from_bytes(pad::unpad64(&padded)?).map_err(|_| unopened())?;
    names::check_prefix(&opened.prefix).map(|()| opened)
}

fn previous_ctx(org: &OrgId, ns: &NsId, new_epoch: u64, old_epoch: u64) -> Vec<u8> {
    context("kv1/nk/prev", &[org.to_value(), ns.to_value(), new_epoch.to_value(), old_epoch.to_value()])
}

fn parent_ctx(org: &OrgId, ns: &NsId, epoch: u64, parent: &NsId, parent_epoch: u64) -> Vec<u8> {
    context("kv1/nk/child", &[org.to_value(), ns.to_value(), epoch.to_value(), parent.to_value(), parent_epoch.to_value()])
}

fn names_ctx(org: &OrgId, ns: &NsId, epoch: u64) -> Vec<u8> {
    context("kv1/ns", &[org.to_value(), ns.to_value(), epoch.to_value()])
}
