//! Which wraps a link must come with. The link signs their hashes; here the records themselves are held against it.

use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, KeyId, NsId, OrgId};
use crate::wrap::{self, Wrap};
use std::collections::BTreeMap;

/// The wraps one link needs in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapNeed {
    /// The namespace.
    pub ns_id: NsId,
    /// The key's epoch.
    pub epoch: u64,
    /// The key's commitment.
    pub nk_commit: Hash,
    /// Who wraps.
    pub granter: (IdentityId, KeyId),
    /// For whom: all of them, and nobody else, in order.
    pub recipients: Vec<(IdentityId, KeyId)>,
    /// The wrap's hash for a single one, the root for an epoch's set.
    pub hash: Hash,
    /// Whether `hash` is a root.
    pub is_set: bool,
}

impl WrapNeed {
    /// Takes the wraps this need asks for out of the batch's, and checks them.
    pub fn take(&self, org_id: &OrgId, wraps: &mut BTreeMap<(NsId, u64, IdentityId), Wrap>) -> Result<Vec<Wrap>, Fault> {
        let mut taken = Vec::with_capacity(self.recipients.len());
        for (recipient, key_id) in &self.recipients {
            let wrap = wraps
                .remove(&(self.ns_id, self.epoch, *recipient))
                .ok_or_else(|| Fault::new(Code::Wrap, format!("the wrap for {recipient} is missing")))?;
            if wrap.org_id != *org_id
                || wrap.recipient_key_id != *key_id
                || (wrap.granter_id, wrap.granter_key_id) != self.granter
                || wrap.nk_commit != self.nk_commit
            {
                return Err(Fault::new(Code::Wrap, format!("the wrap for {recipient} is for another key, granter or namespace")));
            }
            taken.push(wrap);
        }
        let hash = if self.is_set { wrap::root(&taken)? } else { taken.first().map_or(Hash::ZERO, Wrap::hash) };
        if hash == self.hash { Ok(taken) } else { Err(Fault::new(Code::Wrap, "the wraps are not those the link signs")) }
    }
}
