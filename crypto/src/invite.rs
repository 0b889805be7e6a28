//! An invite: a one-time identity that follows from sixteen bytes which travel outside the server.
//!
//! `kvi1_` + base64url(`1 || invite_id || org_id || secret || inviter_id || inviter_key_id || seq || link_hash || len || origin`) + `_` +
//! crc32 in base62, pasted or in a URL's fragment. Found in a query string, a server has seen it: it is refused.

use crate::armor::{self, refused};
use crate::identity::{kem_public, signing_key};
use crate::key::{Key, hk, hx};
use crate::origin;
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::bundle::KEM_PK_LEN;
use keyvawlt_ledger::chain::{invite_key_id, join_statement};
use keyvawlt_ledger::{Code, Domain, Fault, Hash, IdentityId, InviteId, KeyId, OrgId, Signed};
use rand_core::CryptoRng;
use std::fmt;
use zeroize::Zeroizing;

const NAME: &str = "an invite code";
const PREFIX: &str = "kvi1_";
const VERSION: u8 = 1;

/// The secret of an invite: 128 bits, since the code must fit a chat line and lives for days.
pub type InviteSecret = Zeroizing<[u8; 16]>;

/// A new secret.
pub fn make_secret(rng: &mut impl CryptoRng) -> InviteSecret {
    let mut secret = Zeroizing::new([0; 16]);
    rng.fill_bytes(secret.as_mut());
    secret
}

/// The invite's keys. Statement, login and wrap keys differ, as an identity's do.
pub struct InviteKeys {
    invite_id: InviteId,
    sign: SigningKey,
    auth: SigningKey,
    kem: Key,
    kem_pk: [u8; KEM_PK_LEN],
}

impl InviteKeys {
    /// The keys of a secret.
    pub fn derive(secret: &[u8; 16], invite_id: InviteId) -> Self {
        let prk = hk(b"kv1/invite", secret, &invite_id.0);
        let kem = hx(&prk, "kv1/inv/kem");
        let kem_pk = kem_public(&kem);
        Self { invite_id, sign: signing_key(&prk, "kv1/inv/sign"), auth: signing_key(&prk, "kv1/inv/auth"), kem, kem_pk }
    }

    /// Which invite.
    pub fn invite_id(&self) -> InviteId {
        self.invite_id
    }

    /// Verifies join signatures.
    pub fn sign_pk(&self) -> [u8; 32] {
        self.sign.verifying_key().to_bytes()
    }

    /// Verifies the invite's login assertions.
    pub fn auth_pk(&self) -> [u8; 32] {
        self.auth.verifying_key().to_bytes()
    }

    /// Receives pre-wraps.
    pub fn kem_pk(&self) -> &[u8; KEM_PK_LEN] {
        &self.kem_pk
    }

    /// Signs the invite's login assertions.
    pub fn auth_key(&self) -> &SigningKey {
        &self.auth
    }

    /// Opens pre-wraps.
    pub fn kem_seed(&self) -> &Key {
        &self.kem
    }

    /// The recipient id of pre-wraps: the invite's id in an identity's place.
    pub fn recipient_id(&self) -> IdentityId {
        IdentityId(self.invite_id.0)
    }

    /// The recipient key id of pre-wraps.
    pub fn key_id(&self) -> KeyId {
        invite_key_id(&self.sign_pk(), &self.auth_pk(), &self.kem_pk)
    }

    /// Proves, in a MemberJoin, that the new identity (by its key id) holds the invite.
    pub fn join_signature(&self, org_id: &OrgId, key_id: &KeyId) -> [u8; 64] {
        Signed::make(&self.sign, Domain::InviteJoin, join_statement(org_id, &self.invite_id, key_id)).sig
    }

    /// Compares these recomputed keys with the ones the chain names for this invite.
    pub fn check_against(&self, key_id: &KeyId) -> Result<(), Fault> {
        if self.key_id() == *key_id {
            return Ok(());
        }
        Err(Fault::new(Code::Invite, "the code is not the one of this invite"))
    }
}

impl fmt::Debug for InviteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InviteKeys({})", self.invite_id)
    }
}

/// What the newcomer is given outside the server.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode {
    /// The invite.
    pub invite_id: InviteId,
    /// The organization: nothing else is joined.
    pub org_id: OrgId,
    /// What the invite's keys follow from.
    pub secret: InviteSecret,
    /// Who invites.
    pub inviter_id: IdentityId,
    /// With which keys.
    pub inviter_key_id: KeyId,
    /// The position of a link that the chain shown must contain.
    pub seq: u64,
    /// That link's hash.
    pub link_hash: Hash,
    /// The server.
    pub origin: String,
}

impl InviteCode {
    /// The invite's keys.
    pub fn keys(&self) -> InviteKeys {
        InviteKeys::derive(&self.secret, self.invite_id)
    }

    /// The text to hand over.
    pub fn encode(&self) -> Result<Zeroizing<String>, Fault> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.invite_id.as_bytes());
        bytes.extend_from_slice(self.org_id.as_bytes());
        bytes.extend_from_slice(self.secret.as_ref());
        bytes.extend_from_slice(self.inviter_id.as_bytes());
        bytes.extend_from_slice(self.inviter_key_id.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.link_hash.as_bytes());
        origin::write(&self.origin, &mut bytes)?;
        Ok(armor::wrap(PREFIX, &bytes))
    }

    /// Reads a code, alone or in the fragment of a URL.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let bytes = armor::unwrap(NAME, PREFIX, in_fragment(text.trim())?)?;
        let mut fields = armor::Fields::new(NAME, &bytes);
        if fields.take() != Ok([VERSION]) {
            return Err(refused("an invite code of another version: upgrade required"));
        }
        Ok(Self {
            invite_id: InviteId(fields.take()?),
            org_id: OrgId(fields.take()?),
            secret: Zeroizing::new(fields.take()?),
            inviter_id: IdentityId(fields.take()?),
            inviter_key_id: KeyId(fields.take()?),
            seq: u64::from_be_bytes(fields.take()?),
            link_hash: Hash(fields.take()?),
            origin: origin::read(fields.rest())?,
        })
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InviteCode({}, at {})", self.invite_id, self.origin)
    }
}

/// The code within a text: all of it, or what follows a URL's `#`. A browser sends the rest of a URL to the server, never the fragment.
fn in_fragment(text: &str) -> Result<&str, Fault> {
    if text.starts_with(PREFIX) || !(text.contains("://") || text.contains(['?', '#'])) {
        return Ok(text);
    }
    let (sent, fragment) = text.split_once('#').unwrap_or((text, ""));
    if sent.contains(PREFIX) {
        return Err(Fault::new(
            Code::Invite,
            "the code stands in the part of the link that servers see: ask the inviter to revoke it and to send a new one",
        ));
    }
    Ok(fragment)
}
