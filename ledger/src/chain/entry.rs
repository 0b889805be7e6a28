//! The chain's state as a set of entries: what a link reads, what it changes, and what the state hash covers.

use super::link::{Head, Intended, Policy, Seal, WrapRef};
use crate::canon::Canon;
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, InviteId, KeyId, NsId};
use crate::{hash, merkle, row};

/// An entry's key: an ASCII noun, `/`, raw identifiers. Keys sort as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The policy.
    pub fn policy() -> Self {
        Self(b"policy".to_vec())
    }
    /// What concerns the chain as a whole.
    pub fn chain() -> Self {
        Self(b"chain".to_vec())
    }
    /// A member.
    pub fn member(id: &IdentityId) -> Self {
        Self::join(b"member/", &[&id.0])
    }
    /// An invite.
    pub fn invite(id: &InviteId) -> Self {
        Self::join(b"invite/", &[&id.0])
    }
    /// A namespace.
    pub fn ns(id: &NsId) -> Self {
        Self::join(b"ns/", &[&id.0])
    }
    /// One epoch of a namespace.
    pub fn epoch(ns: &NsId, epoch: u64) -> Self {
        Self::join(b"epoch/", &[&ns.0, b"/", &epoch.to_be_bytes()])
    }
    /// Explicit access.
    pub fn access(ns: &NsId, id: &IdentityId) -> Self {
        Self::join(b"access/", &[&ns.0, b"/", &id.0])
    }
    /// Index: where an identity has explicit access.
    pub fn access_of(id: &IdentityId, ns: &NsId) -> Self {
        Self::join(b"access-of/", &[&id.0, b"/", &ns.0])
    }
    /// Index: children of a namespace.
    pub fn child(parent: &NsId, ns: &NsId) -> Self {
        Self::join(b"child/", &[&parent.0, b"/", &ns.0])
    }
    /// Index: open invites that carry a namespace's key.
    pub fn prewrap(ns: &NsId, invite: &InviteId) -> Self {
        Self::join(b"prewrap/", &[&ns.0, b"/", &invite.0])
    }

    /// Prefix of all namespaces.
    pub fn namespaces() -> Vec<u8> {
        b"ns/".to_vec()
    }
    /// Prefix of all explicit access in a namespace.
    pub fn accesses(ns: &NsId) -> Vec<u8> {
        Self::join(b"access/", &[&ns.0, b"/"]).0
    }
    /// Prefix of all namespaces an identity has explicit access to.
    pub fn accesses_of(id: &IdentityId) -> Vec<u8> {
        Self::join(b"access-of/", &[&id.0, b"/"]).0
    }
    /// Prefix of a namespace's children.
    pub fn children(ns: &NsId) -> Vec<u8> {
        Self::join(b"child/", &[&ns.0, b"/"]).0
    }
    /// Prefix of the invites that carry a namespace's key.
    pub fn prewraps(ns: &NsId) -> Vec<u8> {
        Self::join(b"prewrap/", &[&ns.0, b"/"]).0
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key read back from storage.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The last identifier of the key, for keys that end in 16 raw bytes.
    pub fn last_id(&self) -> Option<[u8; 16]> {
        self.0.last_chunk::<16>().copied()
    }

    /// The identifiers of the key of explicit access.
    pub fn access_ids(&self) -> Option<(NsId, IdentityId)> {
        let (ns, rest) = self.0.strip_prefix(b"access/")?.split_first_chunk::<16>()?;
        let id = rest.strip_prefix(b"/")?.try_into().ok()?;
        Some((NsId(*ns), IdentityId(id)))
    }

    /// Whether the state hash covers it: indexes are derived, and are left out.
    pub fn is_hashed(&self) -> bool {
        ![&b"access-of/"[..], b"child/", b"prewrap/"].iter().any(|index| self.0.starts_with(index))
    }

    fn join(noun: &[u8], parts: &[&[u8]]) -> Self {
        let mut key = noun.to_vec();
        for part in parts {
            key.extend_from_slice(part);
        }
        Self(key)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

row! {
    /// `chain`.
    pub struct ChainEntry {
        /// Time of the newest link.
        last_ts_ms: u64,
        /// The newest checkpoint that carried a state hash.
        last_checkpoint: u64,
        /// Owners and recovery identities that never expire: at least one remains.
        guardians: u64,
        /// Current members.
        members: u64,
        /// Namespaces, archived ones included.
        namespaces: u64,
        /// The directory, once created.
        directory: Option<NsId>,
    }
}

row! {
    /// `member/<id>`.
    pub struct Member {
        /// One of [`role`](super::link::role); 0 keeps only the generation.
        role: u8,
        /// The bundle's kind.
        kind: u8,
        /// Statement key.
        sign_pk: [u8; 32],
        /// The bundle.
        key_id: KeyId,
        /// The bundle's generation.
        generation: u64,
        /// Until when; 0 for ever.
        expires_ms: u64,
        /// Waits for an admin's confirmation.
        pending: bool,
        /// How the keys were verified.
        verified: u8,
        /// Invites the member made before this link are void: it entered, lost its keys, or lost the right to invite there.
        reset_seq: u64,
    }
}

row! {
    /// `invite/<id>`.
    pub struct InviteEntry {
        /// Who invites.
        inviter: IdentityId,
        /// The link that made it.
        seq: u64,
        /// Signs the join.
        sign_pk: [u8; 32],
        /// Signs the login of whoever holds the code.
        auth_pk: [u8; 32],
        /// `H(0x0104, [sign_pk, auth_pk, kem_pk])`.
        key_id: KeyId,
        /// The role it gives.
        role: u8,
        /// The access it is meant to give.
        access: Vec<Intended>,
        /// Until when it can be used.
        expires_ms: u64,
        /// Until when the member it makes is one.
        member_expires_ms: u64,
        /// Mailed by the server.
        mailed: bool,
        /// The keys it carries.
        prewraps: Vec<WrapRef>,
        /// 0 open, 1 used, 2 revoked.
        state: u8,
        /// Who used it.
        used_by: Option<IdentityId>,
    }
}

row! {
    /// The wraps of the newest epoch, and who signed for them.
    pub struct WrapsEntry {
        /// MTH in order of recipients.
        root: Hash,
        /// How many.
        count: u64,
        /// Their granter.
        author: IdentityId,
        /// The granter's key.
        author_key_id: KeyId,
    }
}

row! {
    /// A fence.
    pub struct Fence {
        /// The newest manifest position that counts without it.
        mseq: u64,
        /// Its hash.
        mhash: Hash,
        /// The link that set it: later writes are anchored there or after.
        seq: u64,
    }
}

row! {
    /// `ns/<id>`.
    pub struct Ns {
        /// The namespace it is a guarded part of.
        parent: Option<NsId>,
        /// The root's class.
        class: u8,
        /// Archived.
        archived: bool,
        /// Sealed names.
        names: Seal,
        /// Hash of the link that created it.
        create_hash: Hash,
        /// The current epoch.
        epoch: u64,
        /// Commits to the current key.
        nk_commit: Hash,
        /// The current key under the parent's.
        parent_seal: Option<Seal>,
        /// The wraps of the current epoch.
        wraps: WrapsEntry,
        /// The newest fence.
        fence: Option<Fence>,
        /// The highest head vouched for in a link: position and hash.
        seen: Option<Head>,
        /// The key must change before anything new is written.
        owed: bool,
        /// For a root: namespaces below it, itself included.
        family: u64,
    }
}

row! {
    /// `epoch/<ns>/<n>`.
    pub struct EpochEntry {
        /// Commits to the key.
        nk_commit: Hash,
        /// The newest earlier key its author held.
        previous: Option<Seal>,
    }
}

row! {
    /// A wrap given by a single link since the last epoch.
    pub struct Granted {
        /// `H(0x0121, record)`.
        wrap_hash: Hash,
        /// By whom.
        author: IdentityId,
        /// With which key.
        author_key_id: KeyId,
    }
}

row! {
    /// `access/<ns>/<id>`.
    pub struct AccessEntry {
        /// Permission bits.
        permissions: u8,
        /// Until when; 0 for ever.
        expires_ms: u64,
        /// The wrap, where granted since the last epoch; otherwise it is in the epoch's set.
        wrap: Option<Granted>,
    }
}

/// An entry's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the struct of its key")]
pub enum Entry {
    Policy(Policy),
    Chain(ChainEntry),
    Member(Member),
    Invite(Box<InviteEntry>),
    Ns(Box<Ns>),
    Epoch(EpochEntry),
    Access(AccessEntry),
    Mark,
}

impl Entry {
    /// Canonical bytes of the value.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Entry::Policy(e) => e.to_bytes(),
            Entry::Chain(e) => e.to_bytes(),
            Entry::Member(e) => e.to_bytes(),
            Entry::Invite(e) => e.to_bytes(),
            Entry::Ns(e) => e.to_bytes(),
            Entry::Epoch(e) => e.to_bytes(),
            Entry::Access(e) => e.to_bytes(),
            Entry::Mark => crate::cbor::encode(&Value::Bool(true)),
        }
    }

    /// Reads a value; its key says of what type.
    pub fn from_bytes(key: &Key, bytes: &[u8]) -> Result<Self, Fault> {
        let noun = key.0.split(|b| *b == b'/').next().unwrap_or_default();
        Ok(match noun {
            b"policy" => Entry::Policy(Policy::from_bytes(bytes)?),
            b"chain" => Entry::Chain(ChainEntry::from_bytes(bytes)?),
            b"member" => Entry::Member(Member::from_bytes(bytes)?),
            b"invite" => Entry::Invite(Box::new(InviteEntry::from_bytes(bytes)?)),
            b"ns" => Entry::Ns(Box::new(Ns::from_bytes(bytes)?)),
            b"epoch" => Entry::Epoch(EpochEntry::from_bytes(bytes)?),
            b"access" => Entry::Access(AccessEntry::from_bytes(bytes)?),
            b"access-of" | b"child" | b"prewrap" => Entry::Mark,
            _ => return Err(Fault::new(Code::State, "a state entry of an unknown kind")),
        })
    }
}

/// One entry's leaf of the state tree: `H(0x0110, [key, value])`, as an RFC 6962 leaf hash.
pub(super) fn state_leaf(key: &Key, entry: &Entry) -> Hash {
    let pair = Value::Array(vec![Value::Bytes(key.0.clone()), Value::Bytes(entry.to_bytes())]);
    merkle::leaf_hash(&hash::hash(hash::STATE_ENTRY, &crate::cbor::encode(&pair)).0)
}

/// `MTH` over `H(0x0110, [key, value])` of the hashed entries, which must come in order of their keys.
pub fn state_hash<'a>(entries: impl IntoIterator<Item = (&'a Key, &'a Entry)>) -> Hash {
    let mut tree = merkle::Frontier::default();
    entries.into_iter().filter(|(key, _)| key.is_hashed()).for_each(|(key, entry)| tree.push(state_leaf(key, entry)));
    tree.root()
}
