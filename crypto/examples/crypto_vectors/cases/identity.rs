//! Identities: keys of a seed, bundles, key ids, safety words.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use ed25519_dalek::SigningKey;
use keyvawlt_crypto::{Identity, Key, safety_words};
use keyvawlt_ledger::bundle::{Bundle, kind};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::{Domain, IdentityId, Signed};

const CREATED_MS: u64 = 1_790_000_000_000;

pub fn file() -> File {
    let mut rng = Seeded::new("identity");
    let mut valid = Vec::new();
    for (name, kind, generation) in
        [("a person", kind::PERSON, 1), ("a machine", kind::MACHINE, 1), ("a person after a rotation", kind::PERSON, 2)]
    {
        let seed: [u8; 32] = rng.array();
        let identity = Identity::derive(Key::from_bytes(seed), IdentityId(rng.array()), kind, generation, CREATED_MS);
        valid.push(described(name, &seed, &identity).valid());
    }
    File {
        name: "identity.json",
        about: "seed → PRK = HK(\"kv1/identity\", seed, identity_id) → sign, auth, kem; the bundle {1:v … 9:created_ms}, signed by itself in domain 3.",
        valid,
        invalid: refused_bundles(&mut rng),
    }
}

fn described(name: &str, seed: &[u8; 32], identity: &Identity) -> Case {
    let bundle = identity.bundle();
    let signed = identity.signed_bundle();
    Case::new(name)
        .bytes("seed", seed)
        .bytes("identity_id", bundle.identity_id)
        .with("kind", bundle.kind)
        .with("generation", bundle.generation)
        .with("created_ms", bundle.created_ms)
        .bytes("sign_pk", bundle.sign_pk)
        .bytes("auth_pk", bundle.auth_pk)
        .bytes("kem_seed", identity.kem_seed().expose())
        .bytes("kem_pk", bundle.kem_pk)
        .bytes("payload", signed.payload())
        .bytes("signature", signed.sig)
        .bytes("key_id", identity.key_id())
        .with("words", safety_words(&identity.key_id()).join(" "))
}

fn refused_bundles(rng: &mut Seeded) -> Vec<serde_json::Value> {
    let seed: [u8; 32] = rng.array();
    let identity = Identity::derive(Key::from_bytes(seed), IdentityId(rng.array()), kind::PERSON, 1, CREATED_MS);
    let signer = SigningKey::from_bytes(&rng.array());
    let other = SigningKey::from_bytes(&rng.array());
    let public = |key: &SigningKey| key.verifying_key().to_bytes();
    let sound = Bundle { sign_pk: public(&signer), auth_pk: public(&other), ..identity.bundle().clone() };
    let mut small_x25519 = sound.kem_pk;
    small_x25519[1184..].fill(0);
    let resigned = [
        ("another format version", Bundle { v: 2, ..sound.clone() }),
        ("another suite", Bundle { suite: 2, ..sound.clone() }),
        ("kind 0", Bundle { kind: 0, ..sound.clone() }),
        ("kind 4, reserved", Bundle { kind: 4, ..sound.clone() }),
        ("one key for statements and login", Bundle { auth_pk: public(&signer), ..sound.clone() }),
        ("a login key of small order", Bundle { auth_pk: [0; 32], ..sound.clone() }),
        ("an X25519 half of small order", Bundle { kem_pk: small_x25519, ..sound.clone() }),
        ("signed by another key", Bundle { sign_pk: public(&other), auth_pk: public(&signer), ..sound.clone() }),
    ];
    let case = |signed: &Signed| Case::new("").bytes("payload", signed.payload()).bytes("signature", signed.sig);
    let mut refused = Vec::new();
    for (name, bundle) in resigned {
        let signed = Signed::make(&signer, Domain::Bundle, bundle.to_bytes());
        refused.push(case(&signed).refused(name, Bundle::verify(&signed)));
    }
    let signed = identity.signed_bundle();
    let bit = Signed { sig: flipped(signed.sig, 40).try_into().expect("64 bytes"), ..signed.clone() };
    refused.push(case(&bit).refused("a bit of the signature", Bundle::verify(&bit)));
    let mut with_more = signed.payload().to_vec();
    with_more[0] += 1;
    with_more.extend_from_slice(&[0x0a, 0x00]);
    let with_more = identity.sign(Domain::Bundle, with_more);
    refused.push(case(&with_more).refused("a tenth field", Bundle::verify(&with_more)));
    let other_domain = identity.sign(Domain::Account, signed.payload().to_vec());
    refused.push(case(&other_domain).refused("signed in another domain", Bundle::verify(&other_domain)));
    refused
}
