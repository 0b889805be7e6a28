//! Login assertions: one algorithm, one audience, one minute.

use crate::people::{Person, bytes, id};
use keyvawlt_ledger::assertion::{ACCESS_TYP, Claims, Subject, TYP, claimed_subject, make, verify};
use keyvawlt_ledger::{AccountId, Code, InviteId, SlotId, jwt};
use serde_json::{Value as Json, json};

const NOW: u64 = 1_790_000_000;
const HERE: &str = "https://vault.example:443";

fn bob() -> (Person, Subject) {
    let bob = Person::named("bob");
    let subject = Subject::Identity(bob.id, bob.key_id);
    (bob, subject)
}

#[test]
fn an_assertion_is_good_here_and_for_a_minute() {
    let (bob, subject) = bob();
    let login_pk = bob.auth.verifying_key().to_bytes();
    let assertion = make(subject, HERE, NOW, id("jti"), &bob.auth).unwrap();
    assert_eq!(claimed_subject(&assertion).unwrap(), subject);
    let says = |audience: &str, now| verify(&assertion, &[audience], &login_pk, now).map(|claims| claims.sub).map_err(|fault| fault.code);
    // A client's clock may be half a minute off, either way.
    for now in [NOW - 30, NOW, NOW + 29] {
        assert_eq!(says(HERE, now), Ok(subject.to_string()));
    }
    assert_eq!(says(HERE, NOW + 30), Err(Code::Sig));
    assert_eq!(says(HERE, NOW - 31), Err(Code::Clock));
    assert_eq!(says("https://other.example:443", NOW), Err(Code::Sig));
    assert_eq!(verify(&assertion, &[HERE], &bob.sign.verifying_key().to_bytes(), NOW).unwrap_err().code, Code::Sig);
}

#[test]
fn claims_that_live_too_long_or_contradict_themselves_are_refused() {
    let (bob, subject) = bob();
    let login_pk = bob.auth.verifying_key().to_bytes();
    let sub = subject.to_string();
    let good = Claims { iss: sub.clone(), sub, aud: HERE.to_owned(), iat: NOW, exp: NOW + 60, jti: "0".repeat(32) };
    let tries = |typ: &str, claims: &Claims| {
        let token = jwt::sign(typ, None, claims, &bob.auth).unwrap();
        verify(&token, &[HERE], &login_pk, NOW).map(drop).map_err(|fault| fault.code)
    };
    assert_eq!(tries(TYP, &good), Ok(()));
    assert_eq!(tries(ACCESS_TYP, &good), Err(Code::Sig));
    assert_eq!(tries(TYP, &Claims { exp: NOW + 61, ..good.clone() }), Err(Code::Clock));
    assert_eq!(tries(TYP, &Claims { iat: NOW - 1, ..good.clone() }), Err(Code::Clock));
    assert_eq!(tries(TYP, &Claims { exp: u64::MAX, ..good.clone() }), Err(Code::Clock));
    assert_eq!(tries(TYP, &Claims { iss: "slot:".to_owned(), ..good.clone() }), Err(Code::Sig));
    assert_eq!(tries(TYP, &Claims { jti: "0".repeat(31), ..good }), Err(Code::Sig));
}

/// TV25
#[test]
fn no_header_chooses_the_algorithm_or_the_key() {
    let (bob, subject) = bob();
    let login_pk = bob.auth.verifying_key().to_bytes();
    let good = make(subject, HERE, NOW, bytes("jti"), &bob.auth).unwrap();
    let (_, rest) = good.split_once('.').unwrap();
    let (claims, sig) = rest.split_once('.').unwrap();
    for header in
        [json!({"alg": "none", "typ": TYP}), json!({"alg": "HS256", "typ": TYP}), json!({"alg": "ES256", "typ": TYP}), json!({"typ": TYP})]
    {
        for sig in [sig, ""] {
            let token = format!("{}.{claims}.{sig}", base64url(&header));
            assert_eq!(verify(&token, &[HERE], &login_pk, NOW).unwrap_err().code, Code::Sig, "{header}");
        }
    }
    for length in 0..good.len() {
        assert!(verify(&good[..length], &[HERE], &login_pk, NOW).is_err());
    }
    assert_eq!(verify(&"a".repeat(5000), &[HERE], &login_pk, NOW).unwrap_err().code, Code::Sig);
}

#[test]
fn a_subject_has_one_text() {
    let bob = Person::named("bob");
    let org_id = crate::world::World::begins().org_id();
    for subject in [
        Subject::Slot(AccountId(id("a")), SlotId(id("s"))),
        Subject::Identity(bob.id, bob.key_id),
        Subject::Invite(org_id, InviteId(id("i"))),
    ] {
        assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        for other in
            [subject.to_string().to_uppercase(), format!("{subject}:"), format!(" {subject}"), subject.to_string().replacen(':', ":+", 1)]
        {
            assert!(other.parse::<Subject>().is_err(), "{other}");
        }
    }
    assert!("+f".repeat(16).parse::<SlotId>().is_err(), "a sign is not a digit");
}

fn base64url(value: &Json) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = value.to_string().into_bytes();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | (u32::from(*byte) << (16 - 8 * at)));
        text.extend((0..=chunk.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63])));
    }
    text
}
