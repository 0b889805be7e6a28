//! Published vectors for the primitives, through the code that uses them where there is such code.

use crate::hex_json::{array, bytes, number, primitives, text};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305 as HpkeChaCha;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR, Serializable};
use keyvawlt_crypto::Key;
use keyvawlt_crypto::identity::kem_public;
use keyvawlt_crypto::key::{hk, hx};
use keyvawlt_ledger::{Code, Hash, merkle, sign};
use serde_json::Value;
use sha2::Sha256;

#[test]
fn ed25519_signs_and_verifies_as_rfc_8032_says() {
    for case in primitives("rfc8032_ed25519") {
        let key = SigningKey::from_bytes(&array(&case, "seed"));
        assert_eq!(key.verifying_key().to_bytes(), array(&case, "public"), "{}", case["name"]);
        let message = bytes(&case, "message");
        assert_eq!(key.sign(&message).to_bytes(), array::<64>(&case, "signature"), "{}", case["name"]);
        sign::verify_raw(&array(&case, "public"), &message, &array(&case, "signature")).unwrap();
    }
}

#[test]
fn ed25519_verifies_exactly_what_wycheproof_calls_valid() {
    for case in primitives("wycheproof_ed25519") {
        let Ok(sig) = <[u8; 64]>::try_from(bytes(&case, "signature")) else {
            assert_eq!(case["valid"], false, "{}", case["name"]);
            continue;
        };
        let verified = sign::verify_raw(&array(&case, "public"), &bytes(&case, "message"), &sig);
        assert_eq!(verified.is_ok(), case["valid"] == true, "{}", case["name"]);
    }
}

#[test]
fn x25519_agrees_with_wycheproof_and_no_identity_may_have_a_key_of_low_order() {
    for case in primitives("wycheproof_x25519") {
        let public: [u8; 32] = array(&case, "public");
        let shared = x25519_dalek::x25519(array(&case, "private"), public);
        assert_eq!(shared, array(&case, "shared"), "{}", case["name"]);
        let refused = bundle_with_x25519_half(public).is_err_and(|fault| fault.code == Code::WeakKey);
        assert_eq!(refused, case["low_order"] == true, "{}", case["name"]);
    }
}

#[test]
fn chacha20_poly1305_agrees_with_rfc_8439_and_wycheproof() {
    for case in primitives("rfc8439_chacha20_poly1305").into_iter().chain(primitives("wycheproof_chacha20_poly1305")) {
        let cipher = ChaCha20Poly1305::new((&array::<32>(&case, "key")).into());
        let nonce = array::<12>(&case, "nonce").into();
        let (aad, plaintext, ciphertext) = (bytes(&case, "aad"), bytes(&case, "plaintext"), bytes(&case, "ciphertext"));
        let opened = cipher.decrypt(&nonce, Payload { msg: &ciphertext, aad: &aad });
        if case["valid"] == false {
            assert!(opened.is_err(), "{}", case["name"]);
            continue;
        }
        assert_eq!(opened.unwrap(), plaintext, "{}", case["name"]);
        assert_eq!(cipher.encrypt(&nonce, Payload { msg: &plaintext, aad: &aad }).unwrap(), ciphertext, "{}", case["name"]);
    }
}

#[test]
fn hkdf_agrees_with_rfc_5869() {
    for case in primitives("rfc5869_hkdf_sha256") {
        let (salt, ikm, info) = (bytes(&case, "salt"), bytes(&case, "ikm"), bytes(&case, "info"));
        let mut okm = vec![0; usize::try_from(number(&case, "length")).unwrap()];
        Hkdf::<Sha256>::new(Some(&salt), &ikm).expand(&info, &mut okm).unwrap();
        assert_eq!(okm, bytes(&case, "okm"), "{}", case["name"]);
        assert_eq!(hk(&salt, &ikm, &info).expose(), &okm[..32], "our HK is its first 32 bytes");
        if info.is_empty() {
            assert_eq!(hx(&Key::from_bytes(array(&case, "prk")), "").expose(), &okm[..32], "our HX is its expand step");
        }
    }
}

#[test]
fn argon2id_agrees_with_rfc_9106() {
    for case in primitives("rfc9106_argon2id") {
        let cost = |field| u32::try_from(number(&case, field)).unwrap();
        let secret = bytes(&case, "secret");
        let mut params = argon2::ParamsBuilder::new();
        params.m_cost(cost("memory_kib")).t_cost(cost("passes")).p_cost(cost("lanes"));
        params.data(argon2::AssociatedData::new(&bytes(&case, "associated")).unwrap());
        let argon2 =
            argon2::Argon2::new_with_secret(&secret, argon2::Algorithm::Argon2id, argon2::Version::V0x13, params.build().unwrap()).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&bytes(&case, "password"), &bytes(&case, "salt"), &mut tag).unwrap();
        assert_eq!(tag, array(&case, "tag"));
    }
}

#[test]
fn xwing_agrees_with_its_draft() {
    for case in primitives("xwing") {
        let private = Key::from_bytes(array(&case, "private"));
        assert_eq!(kem_public(&private).as_slice(), bytes(&case, "public"), "{}", case["name"]);
        assert_eq!(encapsulated(&case, "public").0, bytes(&case, "ciphertext"), "{}", case["name"]);
    }
}

#[test]
fn hpke_agrees_with_rfc_9180_and_with_the_draft_of_our_suite() {
    for case in primitives("rfc9180_hpke_base") {
        opens_all::<X25519HkdfSha256>(&case);
    }
    for case in primitives("hpke_xwing") {
        opens_all::<XWing>(&case);
        let (enc, first) = encapsulated(&case, "recipient_public");
        assert_eq!(enc, bytes(&case, "enc"));
        assert_eq!(first, bytes(&case["encryptions"][0], "ciphertext"));
    }
}

#[test]
fn inclusion_proofs_agree_with_the_reference_of_rfc_6962() {
    for case in primitives("rfc6962_inclusion") {
        let leaves: Vec<Hash> = case["leaves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|leaf| merkle::leaf_hash(&hex::decode(leaf.as_str().unwrap()).unwrap()))
            .collect();
        let path: Vec<Hash> = case["path"].as_array().unwrap().iter().map(|node| node.as_str().unwrap().parse().unwrap()).collect();
        let index = number(&case, "index");
        assert_eq!(merkle::prove(&leaves, usize::try_from(index).unwrap()).unwrap(), path, "{}", case["name"]);
        let root = merkle::Tree::from_leaves(leaves.iter().copied()).root();
        let leaf = leaves[usize::try_from(index).unwrap()];
        merkle::verify_inclusion(leaf, index, leaves.len() as u64, &path, &root).unwrap();
    }
}

fn opens_all<K: Kem>(case: &Value) {
    let private = K::PrivateKey::from_bytes(&bytes(case, "recipient_private")).unwrap();
    assert_eq!(K::sk_to_pk(&private).to_bytes().as_slice(), bytes(case, "recipient_public"), "{}", text(case, "name"));
    let enc = K::EncappedKey::from_bytes(&bytes(case, "enc")).unwrap();
    let mut opener = hpke::setup_receiver::<HpkeChaCha, HkdfSha256, K>(&OpModeR::Base, &private, &enc, &bytes(case, "info")).unwrap();
    for message in case["encryptions"].as_array().unwrap() {
        let opened = opener.open(&bytes(message, "ciphertext"), &bytes(message, "aad")).unwrap();
        assert_eq!(opened, bytes(message, "plaintext"), "{}", case["name"]);
    }
}

/// What a sender makes with the case's randomness: the encapsulation, and the first encryption where the case has one.
fn encapsulated(case: &Value, public: &str) -> (Vec<u8>, Vec<u8>) {
    let public = <XWing as Kem>::PublicKey::from_bytes(&bytes(case, public)).unwrap();
    let mut randomness = Given(bytes(case, "encapsulation_randomness"));
    let info = case["info"].as_str().map(|info| hex::decode(info).unwrap()).unwrap_or_default();
    let mode = hpke::OpModeS::Base;
    let (enc, mut sealer) = hpke::setup_sender_with_rng::<HpkeChaCha, HkdfSha256, XWing>(&mode, &public, &info, &mut randomness).unwrap();
    let first = case["encryptions"].get(0).map(|first| sealer.seal(&bytes(first, "plaintext"), &bytes(first, "aad")).unwrap());
    (enc.to_bytes().to_vec(), first.unwrap_or_default())
}

/// A generator that gives out what it was given.
struct Given(Vec<u8>);

impl rand_core::TryRng for Given {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Given {}

fn bundle_with_x25519_half(public: [u8; 32]) -> Result<(), keyvawlt_ledger::Fault> {
    use keyvawlt_ledger::bundle::{Bundle, kind};
    use keyvawlt_ledger::canon::Canon;
    use keyvawlt_ledger::{Domain, IdentityId, Signed};
    let identity = keyvawlt_crypto::Identity::derive(Key::from_bytes([9; 32]), IdentityId([1; 16]), kind::PERSON, 1, 1);
    let mut bundle = identity.bundle().clone();
    bundle.kem_pk[1184..].copy_from_slice(&public);
    let signed: Signed = identity.sign(Domain::Bundle, bundle.to_bytes());
    Bundle::verify(&signed).map(|_| ())
}
