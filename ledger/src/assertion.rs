//! Login assertions (RFC 7523): proof that the caller holds a key, the same for people, machines and invites.
//!
//! The audience is the origin the client knows by itself, never one the server names, so an assertion for one server is worthless at another.

use crate::fault::{Code, Fault};
use crate::ids::{AccountId, IdentityId, InviteId, KeyId, OrgId, SlotId};
use crate::jwt::{self, Expires};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The `typ` of an assertion.
pub const TYP: &str = "kv-login+jwt";
/// The `typ` of the access token given for one.
pub const ACCESS_TYP: &str = "kv-access+jwt";
/// An assertion's longest life: one round trip and a slow clock.
pub const MAX_ASSERTION_S: u64 = 60;
/// How long a client makes its own last: half of the most allowed, so that a clock may be off by half a minute either way.
pub const ASSERTION_LIFE_S: u64 = MAX_ASSERTION_S / 2;
/// An access token's longest life: a removed slot's token dies with it at once, a stolen one within this.
pub const MAX_ACCESS_S: u64 = 600;

/// Who proves to hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person, by one slot of the account.
    Slot(AccountId, SlotId),
    /// A machine (or recovery identity), by the login key of the bundle with this id.
    Identity(IdentityId, KeyId),
    /// The bearer of an invite code.
    Invite(OrgId, InviteId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Slot(account, slot) => write!(f, "slot:{account}:{slot}"),
            Subject::Identity(identity, key) => write!(f, "identity:{identity}:{key}"),
            Subject::Invite(org, invite) => write!(f, "invite:{org}:{invite}"),
        }
    }
}

impl FromStr for Subject {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut parts = text.split(':');
        let (Some(kind), Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(unknown());
        };
        match kind {
            "slot" => Ok(Subject::Slot(first.parse()?, second.parse()?)),
            "identity" => Ok(Subject::Identity(first.parse()?, second.parse()?)),
            "invite" => Ok(Subject::Invite(first.parse()?, second.parse()?)),
            _ => Err(unknown()),
        }
    }
}

/// The claims of assertions and of access tokens: no organization, no role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who signed: the subject itself, or for access tokens the server's origin.
    pub iss: String,
    /// The [`Subject`].
    pub sub: String,
    /// The server's origin.
    pub aud: String,
    /// Seconds since the epoch.
    pub iat: u64,
    /// Seconds since the epoch.
    pub exp: u64,
    /// 128 random bits in hexadecimal; single use for assertions.
    pub jti: String,
}

impl Expires for Claims {
    fn expires_at_s(&self) -> u64 {
        self.exp
    }
}

/// Makes an assertion.
pub fn make(subject: Subject, audience: &str, now_s: u64, jti: [u8; 16], key: &SigningKey) -> Result<String, Fault> {
    let sub = subject.to_string();
    let jti = jti.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let exp = now_s.saturating_add(ASSERTION_LIFE_S);
    let claims = Claims { iss: sub.clone(), sub, aud: audience.to_owned(), iat: now_s, exp, jti };
    jwt::sign(TYP, None, &claims, key)
}

/// Whom an assertion claims to be from; unverified, for finding the key.
pub fn claimed_subject(assertion: &str) -> Result<Subject, Fault> {
    jwt::unverified_claims::<Claims>(assertion)?.sub.parse()
}

/// Verifies an assertion. The caller then stores `jti` until `exp`, and refuses one it has seen.
pub fn verify(assertion: &str, audiences: &[&str], login_pk: &[u8; 32], now_s: u64) -> Result<Claims, Fault> {
    let claims: Claims = jwt::verify(assertion, TYP, audiences, login_pk, now_s, 0)?;
    if claims.iss != claims.sub || claims.jti.len() != 32 {
        return Err(Fault::new(Code::Sig, "the assertion's claims are malformed"));
    }
    if claims.exp.saturating_sub(claims.iat) > MAX_ASSERTION_S || claims.exp > now_s.saturating_add(MAX_ASSERTION_S) {
        return Err(Fault::new(Code::Clock, "the assertion is valid for too long: check this machine's clock"));
    }
    Ok(claims)
}

fn unknown() -> Fault {
    Fault::new(Code::Upgrade, "an unknown kind of subject: upgrade required")
}
