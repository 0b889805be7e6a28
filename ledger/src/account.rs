//! An account's claim to an identity, made once at sign-up by that identity's own signature.
//!
//! It binds account, keys and origin, so that a claim made for one server or account is worthless at another.

use crate::bundle::Bundle;
use crate::canon::Canon;
use crate::fault::{Code, Fault};
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
