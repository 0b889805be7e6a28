//! An account's claim to an identity, made once at sign-up by that identity's own signature.
//!
//! It binds account, keys and origin, so that a claim made for one server or account is worthless at another.

use crate::bundle::{Bundle, KEM_PK_LEN};
use crate::canon::Canon;
use crate::cbor::Value;
use crate::fault::{Code, Fault};
use crate::hash::{LINK_KEY, hash};
use crate::ids::{AccountId, KeyId};
use crate::row;
use crate::sign::{Domain, Signed};

row! {
    /// "This account, at this origin, acts as me."
    pub struct Claim {
        /// The account.
        account_id: AccountId,
        /// The identity's keys.
        key_id: KeyId,
        /// The server, as scheme://host:port.
        origin: String,
    }
}

/// What a new device shows of its keys for a device link: 128 bits of their hash, which nobody meets with keys of his own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(pub [u8; LinkId::LEN]);

impl LinkId {
    /// Bytes.
    pub const LEN: usize = 16;
}

impl Canon for LinkId {
    fn to_value(&self) -> Value {
        self.0.to_value()
    }

    fn from_value(value: Value) -> Result<Self, Fault> {
        Canon::from_value(value).map(Self)
    }
}

/// Names a device link by the new device's X-Wing public key.
pub fn link_id(kem_pk: &[u8; KEM_PK_LEN]) -> LinkId {
    let hash = hash(LINK_KEY, kem_pk);
    let mut id = [0; LinkId::LEN];
    id.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
    LinkId(id)
}

/// Verifies a bundle and its claim; returns what the account is bound to.
pub fn verify(bundle: &Signed, claim: &Signed, account_id: &AccountId, origins: &[&str]) -> Result<(Bundle, KeyId), Fault> {
    let (bundle, key_id) = Bundle::verify(bundle)?;
    claim.verify(&bundle.sign_pk, Domain::Account)?;
    let said = Claim::from_bytes(claim.payload())?;
    if said.account_id != *account_id || said.key_id != key_id {
        return Err(Fault::new(Code::KeySubst, "the claim is for another account or other keys"));
    }
    if !origins.contains(&said.origin.as_str()) {
        return Err(Fault::new(Code::Sig, "the claim is for another server"));
    }
    Ok((bundle, key_id))
}
