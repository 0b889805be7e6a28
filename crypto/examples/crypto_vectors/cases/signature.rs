//! Statements: Ed25519 with a domain number, and the keys and signatures that libraries disagree on.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::sign::{check_public_key, verify};
use keyvawlt_ledger::{Domain, Signed};

const DOMAINS: [(Domain, u16); 6] = [
    (Domain::OrgLink, 1),
    (Domain::Manifest, 2),
    (Domain::Bundle, 3),
    (Domain::InviteJoin, 4),
    (Domain::HealthReport, 5),
    (Domain::Account, 6),
];

/// The group order, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// Public keys of small order in every encoding, and other points written in a second form.
const WEAK: [(&str, &str); 14] = [
    ("the identity", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("the identity, sign bit set", "0100000000000000000000000000000000000000000000000000000000000080"),
    ("order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("order 2, sign bit set", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("order 4", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("order 4, negative", "0000000000000000000000000000000000000000000000000000000000000080"),
    ("order 8, first", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ("order 8, first, negative", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    ("order 8, second", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ("order 8, second, negative", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    ("the identity as y = p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("order 4 as y = p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("a point of large order as y = p + 3", "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("not on the curve", "0200000000000000000000000000000000000000000000000000000000000000"),
];

pub fn file() -> File {
    let mut rng = Seeded::new("signature");
    let seed: [u8; 32] = rng.array();
    let key = SigningKey::from_bytes(&seed);
    let public = key.verifying_key().to_bytes();
    let case = |name: &str, domain: u16, payload: &[u8], sig: &[u8]| {
        Case::new(name).bytes("public", public).with("domain", domain).bytes("payload", payload).bytes("signature", sig)
    };
    let payload = b"\x83\x01\x02\x03".to_vec();
    let valid = DOMAINS
        .map(|(domain, number)| {
            let signed = Signed::make(&key, domain, payload.clone());
            case(&format!("domain {number}"), number, &payload, &signed.sig).bytes("seed", seed).valid()
        })
        .to_vec();
    let sig = Signed::make(&key, Domain::OrgLink, payload.clone()).sig;
    let mut invalid =
        vec![case("", 2, &payload, &sig).refused("a signature of another domain", verify(&public, Domain::Manifest, &payload, &sig))];
    let changed = flipped(&payload, 3);
    invalid.push(case("", 1, &changed, &sig).refused("another payload", verify(&public, Domain::OrgLink, &changed, &sig)));
    for (name, sig) in [
        ("a bit of R", to_sig(&flipped(sig, 0))),
        ("a bit of S", to_sig(&flipped(sig, 32))),
        ("S + ℓ, which is the same scalar", with_order_added(&sig)),
        ("R of small order", small_r(&sig)),
    ] {
        invalid.push(case("", 1, &payload, &sig).refused(name, verify(&public, Domain::OrgLink, &payload, &sig)));
    }
    for (name, public) in WEAK {
        let public = array(public);
        // Under the identity, this one signature fits every message for libraries without the rule.
        let mut sig = [0; 64];
        sig[0] = 1;
        let case = case("", 1, &payload, &sig).bytes("public", public);
        assert_eq!(
            verify(&public, Domain::OrgLink, &payload, &sig).expect_err("a weak key").code,
            check_public_key(&public).expect_err("a weak key").code,
            "{name}"
        );
        invalid.push(case.refused(name, check_public_key(&public)));
    }
    File {
        name: "signature.json",
        about: "sig = Ed25519(seed, \"KVSIG1\" || 00 || u16(domain) || payload), verified strictly.",
        valid,
        invalid,
    }
}

fn array(text: &str) -> [u8; 32] {
    hex::decode(text).expect("hexadecimal").try_into().expect("32 bytes")
}

fn to_sig(bytes: &[u8]) -> [u8; 64] {
    bytes.try_into().expect("64 bytes")
}

fn with_order_added(sig: &[u8; 64]) -> [u8; 64] {
    let mut sum = *sig;
    let mut carry = 0;
    for (digit, add) in sum[32..].iter_mut().zip(array(ORDER)) {
        let total = u16::from(*digit) + u16::from(add) + carry;
        *digit = total.to_be_bytes()[1];
        carry = total >> 8;
    }
    assert_eq!(carry, 0);
    sum
}

fn small_r(sig: &[u8; 64]) -> [u8; 64] {
    let mut changed = *sig;
    changed[..32].copy_from_slice(&array(WEAK[0].1));
    changed
}
