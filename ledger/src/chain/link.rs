//! Organization links: the record that is signed, and the fifteen things it can say.

use crate::canon::{Blob, Canon};
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, InviteId, KeyId, NsId, OrgId};
use crate::sign::Signed;
use crate::{record, row};

record! {
    /// One link of the organization's chain.
    pub struct Link {
        /// Format version.
        1 => v: u64,
        /// The organization; `H(0x0100, genesis without this field)`.
        2 => org_id: OrgId,
        /// Position, from 0.
        3 => seq: u64,
        /// MTH over all earlier link hashes.
        4 => history: Hash,
        /// The number of one of [`Body`]'s types.
        5 => kind: u8,
        /// Who signs.
        6 => author_id: IdentityId,
        /// With which key.
        7 => author_key_id: KeyId,
        /// When, epoch milliseconds; never before the previous link.
        8 => ts_ms: u64,
        /// What it says, by `kind`.
        9 => body: Value,
        /// Manifest heads the author holds.
        10 => seen: Vec<Head>,
    }
}

row! {
    /// A position in a namespace's manifest.
    pub struct Head {
        /// The namespace.
        ns_id: NsId,
        /// The manifest's sequence number; 0 before its first link.
        mseq: u64,
        /// The manifest link's hash; at 0 the hash of the link that created the namespace.
        mhash: Hash,
    }
}

row! {
    /// Something sealed under the key of an epoch.
    pub struct Seal {
        /// The epoch of the key that opens it.
        epoch: u64,
        /// KV-AEAD-1.
        sealed: Blob,
    }
}

row! {
    /// The wraps that a link carries, as one root.
    pub struct WrapSet {
        /// MTH over wrap hashes in order of recipient.
        root: Hash,
        /// How many.
        count: u64,
    }
}

row! {
    /// A single wrap of a namespace's key, by its hash.
    pub struct WrapRef {
        /// The namespace.
        ns_id: NsId,
        /// The key's epoch.
        epoch: u64,
        /// `H(0x0121, record)`.
        wrap_hash: Hash,
    }
}

row! {
    /// Access an invite is meant to give.
    pub struct Intended {
        /// Where.
        ns_id: NsId,
        /// What.
        permissions: u8,
        /// Until when; 0 for ever.
        expires_ms: u64,
    }
}

record! {
    /// The organization's rules for itself.
    pub struct Policy {
        /// Oldest suite accepted; only rises.
        1 => min_suite: u64,
        /// Joins wait for an admin to compare words.
        2 => require_admin_confirm: bool,
        /// Invite codes may be mailed by the server; such members are marked.
        3 => allow_unverified: bool,
        /// A machine may not hold both production and other access.
        4 => machine_single_class: bool,
        /// How old the newest statement may be before clients warn, milliseconds.
        5 => max_staleness_ms: Option<u64>,
        /// Where the organization's server answers.
        6 => origins: Vec<String>,
        /// The audit log's checkpoint key.
        7 => log_key: Option<[u8; 32]>,
        /// Witness keys.
        8 => witnesses: Vec<[u8; 32]>,
    }
}

row! {
    /// The first link: the creator, the policy, a nonce.
    pub struct Genesis {
        /// The creator, who becomes owner.
        bundle: Signed,
        /// The first policy.
        policy: Policy,
        /// Makes the organization unique.
        nonce: [u8; 16],
    }
}

row! {
    /// Adds a member whose bundle the author has verified.
    pub struct MemberAdd {
        /// The identity.
        bundle: Signed,
        /// One of [`role`].
        role: u8,
        /// Until when; 0 for ever, never 0 for machines.
        expires_ms: u64,
        /// How the keys were verified, one of [`verified`].
        verified: u8,
    }
}

row! {
    /// Joins by an invite; signed by the new identity.
    pub struct MemberJoin {
        /// The new identity.
        bundle: Signed,
        /// The invite.
        invite_id: InviteId,
        /// The invite's signature over `[org_id, invite_id, key_id]`.
        join_sig: [u8; 64],
        /// Keys the invite carried, wrapped to the new identity by itself.
        wraps: Vec<WrapRef>,
    }
}

row! {
    /// Changes a member's role or expiry, or confirms a pending join.
    pub struct MemberSet {
        /// Whom.
        identity_id: IdentityId,
        /// The role from now on.
        role: u8,
        /// Until when.
        expires_ms: u64,
        /// Confirms a pending member.
        confirm: bool,
        /// Heads where they write, when the end comes sooner: an older anchor would still show the later one.
        fences: Vec<Head>,
    }
}

row! {
    /// Removes a member.
    pub struct MemberRemove {
        /// Whom.
        identity_id: IdentityId,
        /// The heads beyond which nothing of theirs counts.
        fences: Vec<Head>,
        /// Accepts that an environment is left without a reader.
        abandon: bool,
    }
}

row! {
    /// Replaces one's own keys.
    pub struct KeyRotate {
        /// The next bundle.
        bundle: Signed,
        /// One's namespace keys, wrapped to it.
        wraps: Vec<WrapRef>,
        /// Heads where the old key may write.
        fences: Vec<Head>,
        /// The old key leaked: everything it could read becomes owed.
        compromised: bool,
    }
}

row! {
    /// Gives a member who lost everything new keys, verified out of band.
    pub struct KeyReset {
        /// Whom.
        identity_id: IdentityId,
        /// The next bundle.
        bundle: Signed,
        /// How it was verified.
        verified: u8,
        /// Heads where the old key may write.
        fences: Vec<Head>,
        /// Accepts that an environment is left without a reader.
        abandon: bool,
    }
}

row! {
    /// A one-time identity that travels outside the server.
    pub struct Invite {
        /// Its id.
        invite_id: InviteId,
        /// Signs the join.
        sign_pk: [u8; 32],
        /// Signs the login of whoever holds the code.
        auth_pk: [u8; 32],
        /// Receives pre-wraps.
        kem_pk: [u8; crate::bundle::KEM_PK_LEN],
        /// The role it gives.
        role: u8,
        /// The access it is meant to give.
        access: Vec<Intended>,
        /// Until when it can be used.
        expires_ms: u64,
        /// Until when the member it makes is one; 0 for ever.
        member_expires_ms: u64,
        /// The code is mailed by the server: the member is marked unverified.
        mailed: bool,
        /// Keys wrapped to the invite.
        prewraps: Vec<WrapRef>,
    }
}

row! {
    /// Ends an invite.
    pub struct InviteRevoke {
        /// Which.
        invite_id: InviteId,
    }
}

row! {
    /// Creates a namespace with its first key.
    pub struct NamespaceCreate {
        /// Its id.
        ns_id: NsId,
        /// The namespace it is a guarded part of.
        parent: Option<NsId>,
        /// One of [`class`].
        class: u8,
        /// Commits to the first key.
        nk_commit: Hash,
        /// The key, sealed under the parent's.
        parent_seal: Option<Seal>,
        /// For a root: its author's wrap.
        wraps: WrapSet,
        /// Project, environment and prefix, sealed under the first key.
        names: Seal,
    }
}

row! {
    /// Archives, renames or reclassifies a namespace.
    pub struct NamespaceSet {
        /// Which.
        ns_id: NsId,
        /// Archived, with its children.
        archived: Option<bool>,
        /// New names, sealed under the current key.
        names: Option<Seal>,
        /// New class of a root.
        class: Option<u8>,
    }
}

row! {
    /// A new key for a namespace.
    pub struct NamespaceEpoch {
        /// Which.
        ns_id: NsId,
        /// The last epoch + 1.
        epoch: u64,
        /// Commits to the new key.
        nk_commit: Hash,
        /// The newest earlier key, sealed under the new one.
        previous: Seal,
        /// For a child: the new key, sealed under the parent's.
        parent_seal: Option<Seal>,
        /// The wraps for all who hold access here.
        wraps: WrapSet,
        /// The manifest's head at this link.
        fence: Head,
        /// 1 routine, 2 loss of access, 3 compromise.
        reason: u8,
    }
}

row! {
    /// Gives, changes or takes one identity's access to one namespace.
    pub struct Access {
        /// Where.
        ns_id: NsId,
        /// Whom.
        identity_id: IdentityId,
        /// What; 0 revokes.
        permissions: u8,
        /// Until when; 0 for ever.
        expires_ms: u64,
        /// The wrap that comes with it.
        wrap: Option<Hash>,
        /// Heads where write is lost.
        fences: Vec<Head>,
        /// Accepts that an environment is left without a reader.
        abandon: bool,
    }
}

row! {
    /// Changes the policy.
    pub struct PolicySet {
        /// The policy from now on.
        policy: Policy,
    }
}

row! {
    /// Vouches for the state; also the heartbeat.
    pub struct Checkpoint {
        /// The state before this link.
        state_hash: Option<Hash>,
    }
}

/// Roles.
pub mod role {
    /// No longer a member.
    pub const REMOVED: u8 = 0;
    /// May do everything but read what was not shared.
    pub const OWNER: u8 = 1;
    /// Manages people and environments.
    pub const ADMIN: u8 = 2;
    /// A person.
    pub const MEMBER: u8 = 3;
    /// An agent, a CI job, a service.
    pub const MACHINE: u8 = 4;
    /// Sees metadata and audit, never keys.
    pub const AUDITOR: u8 = 5;
    /// The break-glass identity.
    pub const RECOVERY: u8 = 6;
}

/// Permission bits; only {0, 1, 3, 4, 5, 7} are used.
pub mod permission {
    /// Reads.
    pub const READ: u8 = 1;
    /// Writes; implies read.
    pub const WRITE: u8 = 2;
    /// Grants.
    pub const MANAGE: u8 = 4;
}

/// Classes of root namespaces.
pub mod class {
    /// The built-in directory of display names.
    pub const DIRECTORY: u8 = 0;
    /// Development.
    pub const DEVELOPMENT: u8 = 1;
    /// Staging.
    pub const STAGING: u8 = 2;
    /// Production.
    pub const PRODUCTION: u8 = 3;
}

/// How keys were verified.
pub mod verified {
    /// Not at all: the code came through the server.
    pub const NOT: u8 = 0;
    /// By an invite code passed outside the server.
    pub const INVITE: u8 = 1;
    /// By comparing safety words.
    pub const WORDS: u8 = 2;
    /// The adding client made the keys itself (machine tokens).
    pub const MADE: u8 = 3;
}

macro_rules! bodies {
    ($($number:literal => $name:ident,)+) => {
        /// What a link says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, clippy::large_enum_variant, reason = "each variant is the struct of its name; links are handled one at a time")]
        pub enum Body { $($name($name),)+ }

        impl Body {
            /// Names of all kinds by number.
            pub const KINDS: &'static [(u8, &'static str)] = &[$(($number, stringify!($name)),)+];

            /// The kind's number.
            pub fn kind(&self) -> u8 {
                match self { $(Body::$name(_) => $number,)+ }
            }

            /// The body as a value.
            pub fn to_value(&self) -> Value {
                match self { $(Body::$name(body) => body.to_value(),)+ }
            }

            /// Reads the body of a kind.
            pub fn from_value(kind: u8, value: Value) -> Result<Self, Fault> {
                match kind {
                    $($number => $name::from_value(value).map(Body::$name),)+
                    _ => Err(Fault::new(Code::Upgrade, "a link of an unknown type: upgrade required")),
                }
            }
        }
    };
}

bodies! {
    1 => Genesis,
    2 => MemberAdd,
    3 => MemberJoin,
    4 => MemberSet,
    5 => MemberRemove,
    6 => KeyRotate,
    7 => KeyReset,
    8 => Invite,
    9 => InviteRevoke,
    10 => NamespaceCreate,
    11 => NamespaceSet,
    12 => NamespaceEpoch,
    13 => Access,
    14 => PolicySet,
    15 => Checkpoint,
}

impl Body {
    /// The identity bundle it brings, if any.
    pub fn bundle(&self) -> Option<&Signed> {
        match self {
            Body::Genesis(body) => Some(&body.bundle),
            Body::MemberAdd(body) => Some(&body.bundle),
            Body::MemberJoin(body) => Some(&body.bundle),
            Body::KeyRotate(body) => Some(&body.bundle),
            Body::KeyReset(body) => Some(&body.bundle),
            _ => None,
        }
    }

    /// The fences it sets.
    pub fn fences(&self) -> &[Head] {
        match self {
            Body::MemberSet(body) => &body.fences,
            Body::MemberRemove(body) => &body.fences,
            Body::KeyRotate(body) => &body.fences,
            Body::KeyReset(body) => &body.fences,
            Body::Access(body) => &body.fences,
            Body::NamespaceEpoch(body) => std::slice::from_ref(&body.fence),
            _ => &[],
        }
    }
}
