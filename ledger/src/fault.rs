//! Why a statement was refused: one closed list of codes, the same words in every client.

use std::{borrow::Cow, fmt};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The reason of a refusal, stable for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The name users see, as in `E_ROLLBACK`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// The bytes are not the canonical encoding of a known schema.
    Canon = "E_CANON",
    /// A version, suite or field this program does not know: upgrade required.
    Upgrade = "E_UPGRADE",
    /// Larger than the protocol allows.
    Limit = "E_LIMIT",
    /// A signature does not verify.
    Sig = "E_SIG",
    /// A public key of small order or in a non-canonical form.
    WeakKey = "E_WEAK_KEY",
    /// A statement of another organization.
    OrgId = "E_ORG_ID",
    /// History went backwards, sideways or has a hole.
    Rollback = "E_ROLLBACK",
    /// Two histories that share a beginning and differ.
    Fork = "E_FORK",
    /// A time stamp is before its predecessor or too far in the future.
    Clock = "E_CLOCK",
    /// The author is not an active member with this key, or the role does not allow it.
    Authority = "E_AUTHORITY",
    /// The author of a manifest link is not an active member with this key.
    Author = "E_AUTHOR",
    /// A write beyond a fence is anchored before it.
    Fence = "E_FENCE",
    /// The namespace key must change first.
    Owed = "E_OWED",
    /// The state hash differs.
    State = "E_STATE",
    /// A namespace that no link created.
    UnknownNamespace = "E_UNKNOWN_NAMESPACE",
    /// An organization this account did not join.
    UnknownOrg = "E_UNKNOWN_ORG",
    /// An invite that is unknown, used, revoked, expired or no longer the inviter's to give.
    Invite = "E_INVITE",
    /// A wrap is missing, not included in its link, or does not open.
    Wrap = "E_WRAP",
    /// An opened key is not the one committed to.
    NkCommit = "E_NK_COMMIT",
    /// A key is not the one the chain names.
    KeySubst = "E_KEY_SUBST",
    /// The objects or leaves do not add up to the signed root.
    Root = "E_ROOT",
    /// A ciphertext does not open in its context.
    Aead = "E_AEAD",
    /// A name is malformed, or used twice.
    Name = "E_NAME",
    /// One half of a change that spans namespaces is missing.
    Part = "E_PART",
    /// The account's sealed data is missing or damaged.
    NoAccount = "E_NO_ACCOUNT",
    /// What the server shows is older than the policy allows.
    Stale = "E_STALE",
    /// The audit log is inconsistent.
    Log = "E_LOG",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: the code for programs, the reason for people. Never carries a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// What exactly was wrong.
    pub why: Cow<'static, str>,
}

impl Fault {
    /// A refusal with its reason.
    pub fn new(code: Code, why: impl Into<Cow<'static, str>>) -> Self {
        Self { code, why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.why)
    }
}

impl std::error::Error for Fault {}
