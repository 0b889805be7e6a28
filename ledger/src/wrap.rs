//! Wrap records: a namespace key encrypted to one identity. Their hashes are on the chain, so a server can neither invent nor swap one.

use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, KeyId, NsId, OrgId};
use crate::{canon::Canon, hash, merkle, row};

/// Length of an X-Wing encapsulation.
pub const ENC_LEN: usize = 1120;
/// A 32-byte key and its Poly1305 tag.
pub const CT_LEN: usize = 48;

row! {
    /// One wrap: the fields of its HPKE `info` in order, then `enc` and `ct`.
    pub struct Wrap {
        /// The organization.
        org_id: OrgId,
        /// The namespace whose key is wrapped.
        ns_id: NsId,
        /// The key's epoch.
        epoch: u64,
        /// For whom (an identity, or an invite).
        recipient_id: IdentityId,
        /// For which of its keys.
        recipient_key_id: KeyId,
        /// By whom.
        granter_id: IdentityId,
        /// By which of its keys.
        granter_key_id: KeyId,
        /// The commitment the opened key must meet.
        nk_commit: Hash,
        /// X-Wing encapsulation.
        enc: [u8; ENC_LEN],
        /// The sealed key.
        ct: [u8; CT_LEN],
    }
}

impl Wrap {
    /// `H(0x0121, record)`.
    pub fn hash(&self) -> Hash {
        hash::hash(hash::WRAP, &self.to_bytes())
    }
}

/// The root over a link's wraps, which must be in strictly ascending order of recipient.
pub fn root(wraps: &[Wrap]) -> Result<Hash, Fault> {
    if !wraps.is_sorted_by(|a, b| a.recipient_id < b.recipient_id) {
        return Err(Fault::new(Code::Wrap, "wraps must be in order of their recipients, each once"));
    }
    Ok(merkle::root(wraps.iter().map(|wrap| wrap.hash().0)))
}

/// Proves that a wrap is in the set whose root a link carries.
pub fn verify_in_root(wrap_hash: Hash, index: u64, count: u64, path: &[Hash], root: &Hash) -> Result<(), Fault> {
    merkle::verify_inclusion(merkle::leaf_hash(&wrap_hash.0), index, count, path, root)
        .map_err(|_| Fault::new(Code::Wrap, "the wrap is not in the set its link signs"))
}
