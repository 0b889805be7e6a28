//! The tables of weak points against what the curve itself says.

use crate::people::bytes;
use ed25519_dalek::{SigningKey, VerifyingKey};
use keyvawlt_ledger::bundle::check_kem_pk;
use keyvawlt_ledger::sign::{check_public_key, verify, verify_raw};
use keyvawlt_ledger::{Code, Domain, Signed};

/// A point of order eight: the first of libsodium's list that is not degenerate.
const ORDER_EIGHT: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
    0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

/// The prime 2^255 − 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// All points of small order, by adding one of order eight to itself.
fn small_order() -> Vec<[u8; 32]> {
    let generator = VerifyingKey::from_bytes(&ORDER_EIGHT).expect("a point of the curve").to_edwards();
    let mut point = generator;
    let mut points = Vec::new();
    for _ in 0..8 {
        points.push(point.compress().to_bytes());
        point += generator;
    }
    points.sort_unstable();
    points.dedup();
    points
}

/// `y + p` where that still fits 255 bits.
fn non_canonical(y: &[u8; 32]) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    let mut carry = 0u16;
    for ((out, a), b) in sum.iter_mut().zip(y).zip(P) {
        let digit = u16::from(*a) + u16::from(b) + carry;
        *out = digit.to_le_bytes()[0];
        carry = digit >> 8;
    }
    (sum[31] < 0x80 && carry == 0).then_some(sum)
}

/// Every way to write a point: sign bit set or not, reduced or not.
fn spellings(point: &[u8; 32]) -> Vec<[u8; 32]> {
    let mut y = *point;
    y[31] &= 0x7f;
    let forms = [Some(y), non_canonical(&y)].into_iter().flatten();
    forms
        .flat_map(|form| {
            [0, 0x80].map(|sign| {
                let mut bytes = form;
                bytes[31] |= sign;
                bytes
            })
        })
        .collect()
}

#[test]
fn all_eight_points_of_small_order_are_refused_in_every_spelling() {
    let points = small_order();
    assert_eq!(points.len(), 8);
    let spelled: Vec<[u8; 32]> = points.iter().flat_map(spellings).collect();
    assert!(spelled.len() >= 14);
    for key in spelled {
        assert_eq!(check_public_key(&key).unwrap_err().code, Code::WeakKey);
    }
}

#[test]
fn every_key_the_curve_calls_weak_is_refused_and_sound_ones_are_not() {
    for n in 0..64 {
        let key = SigningKey::from_bytes(&bytes(&format!("key {n}"))).verifying_key();
        assert!(!key.is_weak() && check_public_key(&key.to_bytes()).is_ok());
    }
    for first in 0..=255 {
        for top in [0, 0x7f, 0x80, 0xff] {
            let mut key = [if matches!(top, 0 | 0x80) { 0 } else { 0xff }; 32];
            (key[0], key[31]) = (first, top);
            let sound =
                VerifyingKey::from_bytes(&key).is_ok_and(|point| !point.is_weak() && point.to_edwards().compress().to_bytes() == key);
            assert_eq!(check_public_key(&key).is_ok(), sound, "{key:02x?}");
        }
    }
}

/// One signature that fits every message, in libraries without the check.
#[test]
fn the_identity_as_a_key_signs_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut sig = [0; 64];
    sig[0] = 1;
    for domain in [Domain::OrgLink, Domain::Manifest, Domain::Bundle] {
        assert_eq!(verify(&identity, domain, b"anything", &sig).unwrap_err().code, Code::WeakKey);
    }
}

#[test]
fn small_order_r_and_unreduced_s_are_refused() {
    let key = SigningKey::from_bytes(&bytes("key"));
    let public = key.verifying_key().to_bytes();
    let good = Signed::make(&key, Domain::OrgLink, b"payload".to_vec());
    good.verify(&public, Domain::OrgLink).unwrap();
    for r in small_order().iter().flat_map(spellings) {
        let mut sig = good.sig;
        sig[..32].copy_from_slice(&r);
        assert_eq!(verify_raw(&public, b"payload", &sig).unwrap_err().code, Code::Sig);
    }
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0x10,
    ];
    let mut sig = good.sig;
    let mut carry = 0u16;
    for (byte, add) in sig[32..].iter_mut().zip(order) {
        let digit = u16::from(*byte) + u16::from(add) + carry;
        *byte = digit.to_le_bytes()[0];
        carry = digit >> 8;
    }
    assert_eq!(good_with(&good, sig).verify(&public, Domain::OrgLink).unwrap_err().code, Code::Sig);
}

fn good_with(good: &Signed, sig: [u8; 64]) -> Signed {
    Signed { sig, ..good.clone() }
}

/// RFC 7748: with such a point every shared secret is zero.
#[test]
fn x25519_points_are_refused_exactly_where_the_shared_secret_is_zero() {
    let sound = crate::people::Person::named("sound").kem_pk;
    let with = |u: [u8; 32]| {
        let mut key = sound;
        key[1184..].copy_from_slice(&u);
        key
    };
    let scalar = bytes("scalar");
    let eights = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut tried: Vec<[u8; 32]> = eights.map(|text| hex::decode(text).unwrap().try_into().unwrap()).to_vec();
    for first in 0..=255 {
        for top in [0, 0x7f] {
            let mut u = [if top == 0 { 0 } else { 0xff }; 32];
            (u[0], u[31]) = (first, top);
            tried.push(u);
        }
    }
    tried.extend((0..64).map(|n| bytes(&format!("point {n}"))));
    let mut refused = 0;
    for mut u in tried {
        for high_bit in [0, 0x80] {
            u[31] = (u[31] & 0x7f) | high_bit;
            let zero = x25519_dalek::x25519(scalar, u) == [0; 32];
            assert_eq!(check_kem_pk(&with(u)).is_err(), zero, "{u:02x?}");
            refused += usize::from(zero);
        }
    }
    assert_eq!(refused, 14, "seven coordinates, with and without the ignored bit");
}
