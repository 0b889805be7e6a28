//! An identity with its private keys: everything follows from one 32-byte seed.
//!
//! Statement, login and wrap keys are separate, so that a signature or an opening in one role is worthless in another.

use crate::key::{Key, hk, hx};
use ed25519_dalek::SigningKey;
use hpke::{Deserializable, Kem, Serializable, kem::XWing};
use keyvawlt_ledger::bundle::{self, Bundle, KEM_PK_LEN};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::{Code, Domain, FORMAT, Fault, IdentityId, KeyId, SUITE, Signed};
use rand_core::CryptoRng;
use std::fmt;

/// A person, a machine or a break-glass identity, able to sign, log in and open wraps.
pub struct Identity {
    seed: Key,
    bundle: Bundle,
    signed: Signed,
    key_id: KeyId,
    sign: SigningKey,
    auth: SigningKey,
    kem: Key,
}

impl Identity {
    /// A new identity of generation 1.
    pub fn make(kind: u8, created_ms: u64, rng: &mut impl CryptoRng) -> Self {
        let mut id = [0; IdentityId::LEN];
        rng.fill_bytes(&mut id);
        Self::derive(Key::random(rng), IdentityId(id), kind, 1, created_ms)
    }

    /// The next keys of the same identity, from a fresh seed.
    #[must_use]
    pub fn next(&self, created_ms: u64, rng: &mut impl CryptoRng) -> Self {
        Self::derive(Key::random(rng), self.id(), self.bundle.kind, self.bundle.generation.saturating_add(1), created_ms)
    }

    /// The identity of a seed. The same arguments give the same keys, bundle and key id.
    pub fn derive(seed: Key, id: IdentityId, kind: u8, generation: u64, created_ms: u64) -> Self {
        let prk = hk(b"kv1/identity", seed.expose(), &id.0);
        let sign = signing_key(&prk, "kv1/id/sign");
        let auth = signing_key(&prk, "kv1/id/auth");
        let kem = hx(&prk, "kv1/id/kem");
        let bundle = Bundle {
            v: FORMAT,
            suite: SUITE,
            identity_id: id,
            kind,
            sign_pk: sign.verifying_key().to_bytes(),
            auth_pk: auth.verifying_key().to_bytes(),
            kem_pk: kem_public(&kem),
            generation,
            created_ms,
        };
        let signed = Signed::make(&sign, Domain::Bundle, bundle.to_bytes());
        let key_id = bundle::key_id(signed.payload());
        Self { seed, bundle, signed, key_id, sign, auth, kem }
    }

    /// Who.
    pub fn id(&self) -> IdentityId {
        self.bundle.identity_id
    }

    /// The hash that names this set of keys.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The public half.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The public half as it is shown to others, signed by itself.
    pub fn signed_bundle(&self) -> &Signed {
        &self.signed
    }

    /// Which set of keys of this identity.
    pub fn generation(&self) -> u64 {
        self.bundle.generation
    }

    /// What everything follows from.
    pub fn seed(&self) -> &Key {
        &self.seed
    }

    /// Signs a statement.
    pub fn sign(&self, domain: Domain, payload: Vec<u8>) -> Signed {
        Signed::make(&self.sign, domain, payload)
    }

    /// Signs login assertions, and nothing else.
    pub fn auth_key(&self) -> &SigningKey {
        &self.auth
    }

    /// The X-Wing private key (a seed), for [`unwrap_nk`](crate::wraps::unwrap_nk).
    pub fn kem_seed(&self) -> &Key {
        &self.kem
    }

    /// The ten words others compare.
    pub fn safety_words(&self) -> [&'static str; 10] {
        crate::safety_words(&self.key_id)
    }

    /// Compares these recomputed keys with the ones a chain names for this identity.
    pub fn check_against(&self, key_id: &KeyId) -> Result<(), Fault> {
        if self.key_id == *key_id {
            return Ok(());
        }
        Err(Fault::new(Code::KeySubst, "the keys shown for this identity are not the ones its seed gives"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, generation {})", self.id(), self.generation())
    }
}

/// An Ed25519 key of one purpose.
pub(crate) fn signing_key(prk: &Key, label: &str) -> SigningKey {
    SigningKey::from_bytes(hx(prk, label).expose())
}

/// The X-Wing public key of a private seed.
pub fn kem_public(kem_seed: &Key) -> [u8; KEM_PK_LEN] {
    let mut public = [0; KEM_PK_LEN];
    XWing::sk_to_pk(&kem_private(kem_seed)).write_exact(&mut public);
    public
}

pub(crate) fn kem_private(kem_seed: &Key) -> <XWing as Kem>::PrivateKey {
    <XWing as Kem>::PrivateKey::from_bytes(kem_seed.expose()).expect("every 32 bytes are an X-Wing private key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::bundle::kind;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn a_seed_gives_the_same_keys_again_and_a_bundle_others_accept() {
        let made = Identity::make(kind::PERSON, 1_700_000_000_000, &mut StdRng::seed_from_u64(1));
        let again = Identity::derive(made.seed().clone(), made.id(), kind::PERSON, 1, 1_700_000_000_000);
        assert_eq!(made.signed_bundle(), again.signed_bundle());
        let (bundle, key_id) = Bundle::verify(made.signed_bundle()).unwrap();
        assert_eq!((&bundle, key_id), (made.bundle(), made.key_id()));
        assert!(made.check_against(&key_id).is_ok());
        assert_ne!(made.auth_key().verifying_key().to_bytes(), bundle.sign_pk);
    }

    #[test]
    fn other_keys_of_the_same_identity_are_a_substitution() {
        let mut rng = StdRng::seed_from_u64(2);
        let first = Identity::make(kind::MACHINE, 1, &mut rng);
        let next = first.next(2, &mut rng);
        assert_eq!((next.id(), next.generation()), (first.id(), 2));
        assert_eq!(first.check_against(&next.key_id()).unwrap_err().code, Code::KeySubst);
        assert!(!format!("{first:?}").contains(&hex::encode(first.seed().expose())));
    }
}
