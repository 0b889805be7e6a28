//! Identifiers: fixed lengths, distinct types, so that one can never stand where another belongs.

use crate::canon::Canon;
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use std::fmt;

macro_rules! id {
    ($($(#[doc = $doc:literal])+ $name:ident[$len:literal];)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Reads exactly as many bytes as the identifier has.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, Fault> {
                bytes.try_into().map(Self).map_err(|_| {
                    Fault::new(Code::Canon, concat!(stringify!($name), " must be ", stringify!($len), " bytes"))
                })
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = Fault;
            fn from_str(text: &str) -> Result<Self, Fault> {
                let wrong = || Fault::new(Code::Canon, concat!(stringify!($name), " must be ", stringify!($len), " bytes in lower-case hexadecimal"));
                // One text for one identifier: `from_str_radix` alone would also take signs and capitals.
                if text.len() != 2 * $len || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(wrong());
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Canon for $name {
            fn to_value(&self) -> Value {
                self.0.to_value()
            }
            fn from_value(value: Value) -> Result<Self, Fault> {
                <[u8; $len]>::from_value(value).map(Self)
            }
        }
    )+};
}

id! {
    /// A key holder: person, machine, recovery.
    IdentityId[16];
    /// An organization: the hash of its genesis.
    OrgId[32];
    /// A namespace: an environment or a guarded folder.
    NsId[16];
    /// A secret within a namespace.
    SecretId[16];
    /// An invite.
    InviteId[16];
    /// A person's account on a server.
    AccountId[16];
    /// One way into an account.
    SlotId[16];
    /// The hash of an identity bundle: names exactly one set of public keys.
    KeyId[32];
    /// A SHA-256 value.
    Hash[32];
}

impl Hash {
    /// Thirty-two zero bytes: "nothing here", as in a deleted leaf.
    pub const ZERO: Hash = Hash([0; 32]);
}
