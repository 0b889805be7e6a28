//! A namespace's manifest: its own signed chain of which secrets exist, at which version, with which ciphertext hashes.
//!
//! A link is judged on the organization's state at its anchor. Absent: names and values, which are sealed objects known here by hash only.

mod head;
mod leaf;
mod listing;
mod verify;

pub use head::{NewestLink, verify_newest};
pub use leaf::{DELETED, DRAFT, Leaf, ObjectKind, object_hash};
pub use listing::Listing;
pub use verify::{Anchored, Applied, Leaves, ManifestTip, verify};

use crate::chain::Head;
use crate::ids::{Hash, IdentityId, KeyId, NsId, OrgId};
use crate::{record, row};

row! {
    /// The organization link a manifest link stands on.
    pub struct Anchor {
        /// Its position.
        seq: u64,
        /// Its hash.
        link_hash: Hash,
    }
}

record! {
    /// One link of a manifest.
    pub struct ManifestLink {
        /// Format version.
        1 => v: u64,
        /// The organization.
        2 => org_id: OrgId,
        /// The namespace.
        3 => ns_id: NsId,
        /// Position, from 1.
        4 => mseq: u64,
        /// MTH over the creating link's hash, then all earlier manifest hashes.
        5 => history: Hash,
        /// Who signs.
        6 => author_id: IdentityId,
        /// With which key.
        7 => author_key_id: KeyId,
        /// When, epoch milliseconds.
        8 => ts_ms: u64,
        /// The organization link it stands on.
        9 => anchor: Anchor,
        /// The epoch in force there.
        10 => epoch: u64,
        /// Written leaves; none is a heartbeat.
        11 => ops: Vec<Leaf>,
        /// MTH over all leaves after this link.
        12 => root: Hash,
        /// How many leaves there are, deleted ones included.
        13 => count: u64,
        /// Heads of other namespaces this change belongs with.
        14 => with: Vec<Head>,
    }
}
