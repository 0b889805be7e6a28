//! What people type and paste: read back exactly, refused with a reason, never repeated in an error.

use keyvawlt_crypto::account::{RecoveryCode, SecretKey};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::{InviteCode, Key, MachineToken, Zeroizing, kit};
use keyvawlt_ledger::{AccountId, Code, Hash, IdentityId, InviteId, KeyId, OrgId, SlotId};
use proptest::prelude::*;

const ORIGIN: &str = "http://127.0.0.1:8200";

fn token(seed: [u8; 32]) -> MachineToken {
    MachineToken {
        identity_id: IdentityId([1; 16]),
        seed: Key::from_bytes(seed),
        created_ms: 7,
        org_id: OrgId([2; 32]),
        seq: 3,
        link_hash: Hash([4; 32]),
        origin: ORIGIN.to_owned(),
    }
}

fn invite(secret: [u8; 16]) -> InviteCode {
    InviteCode {
        invite_id: InviteId([1; 16]),
        org_id: OrgId([2; 32]),
        secret: Zeroizing::new(secret),
        inviter_id: IdentityId([3; 16]),
        inviter_key_id: KeyId([4; 32]),
        seq: 5,
        link_hash: Hash([6; 32]),
        origin: ORIGIN.to_owned(),
    }
}

proptest! {
    #[test]
    fn codes_are_read_back(seed: [u8; 32], secret: [u8; 16]) {
        prop_assert!(MachineToken::parse(&token(seed).encode().unwrap()).unwrap() == token(seed));
        prop_assert!(InviteCode::parse(&invite(secret).encode().unwrap()).unwrap() == invite(secret));
        prop_assert!(SecretKey::parse(&SecretKey::from_bytes(secret).to_text()).unwrap() == SecretKey::from_bytes(secret));
        prop_assert!(RecoveryCode::parse(&RecoveryCode::from_bytes(seed).to_text()).unwrap() == RecoveryCode::from_bytes(seed));
        let device = DeviceKey {
            origin: ORIGIN.to_owned(),
            account_id: AccountId(secret),
            slot_id: SlotId([8; 16]),
            key: Key::from_bytes(seed),
            secret_key: SecretKey::from_bytes(secret),
        };
        prop_assert!(DeviceKey::parse(&device.to_text()).unwrap() == device);
    }

    #[test]
    fn a_changed_character_is_noticed_and_nothing_is_repeated(seed: [u8; 32], at: usize, other in "[A-Za-z0-9_-]") {
        let text = token(seed).encode().unwrap();
        let at = at % text.len();
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        if changed != *text {
            let fault = MachineToken::parse(&changed).unwrap_err();
            prop_assert!(fault.why.len() < 120 && !fault.to_string().contains(&text[20..30]), "{}", fault);
        }
    }

    #[test]
    fn nothing_typed_makes_reading_panic(text in ".{0,400}") {
        let _ = MachineToken::parse(&text);
        let _ = InviteCode::parse(&text);
        let _ = SecretKey::parse(&text);
        let _ = RecoveryCode::parse(&text);
        let _ = DeviceKey::parse(&text);
        for prefix in ["kvm1_", "kvi1_", "KVS1-", "KVR1-", "origin = "] {
            let text = format!("{prefix}{text}");
            prop_assert!(MachineToken::parse(&text).is_err() && InviteCode::parse(&text).is_err());
            prop_assert!(SecretKey::parse(&text).is_err() && RecoveryCode::parse(&text).is_err() && DeviceKey::parse(&text).is_err());
        }
    }
}

#[test]
fn a_code_that_a_server_has_seen_is_refused_with_advice() {
    let code = invite([9; 16]).encode().unwrap();
    for seen in [format!("{ORIGIN}/join?code={}", *code), format!("{ORIGIN}/{}#x", *code), format!("?{}", *code)] {
        let fault = InviteCode::parse(&seen).unwrap_err();
        assert_eq!(fault.code, Code::Invite);
        assert!(fault.why.contains("revoke"), "{fault}");
    }
    assert!(InviteCode::parse(&format!(" {ORIGIN}/join#{} \n", *code)).is_ok());
}

#[test]
fn slips_are_told_apart() {
    let why = |text: &str| SecretKey::parse(text).unwrap_err().why.into_owned();
    let text = SecretKey::from_bytes([7; 16]).to_text();
    assert!(why("KVR1-AAAA").contains("begins with KVS1-"));
    assert!(why(&text[..text.len() - 1]).contains("missing"));
    assert!(why(&text.replacen(&text[5..6], "U", 1)).contains("no U"));
    let token_why = |text: &str| MachineToken::parse(text).unwrap_err().why.into_owned();
    let text = token([7; 32]).encode().unwrap();
    assert!(token_why(&text[..40]).contains("cut off") || token_why(&text[..40]).contains("checksum"));
    assert!(token_why("abc").contains("begins with kvm1_"));
}

#[test]
fn a_tokens_origin_is_checked_on_both_ways() {
    let elsewhere = MachineToken { origin: "https://a/b".to_owned(), ..token([1; 32]) };
    assert_eq!(elsewhere.encode().unwrap_err().code, Code::Canon);
}

#[test]
fn the_kit_says_all_that_a_new_machine_needs() {
    let secret_key = SecretKey::from_bytes([7; 16]);
    let page = kit::text(&AccountId([5; 16]), "ada@example.com", ORIGIN, &secret_key);
    for part in ["ada@example.com", ORIGIN, &"05".repeat(16), secret_key.to_text().as_str(), "keyvawlt login"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_kit_is_read_as_printed_and_as_copied() {
    let secret_key = SecretKey::from_bytes([7; 16]);
    let page = kit::text(&AccountId([5; 16]), "ada@example.com", ORIGIN, &secret_key);
    let read = kit::parse(&page).unwrap();
    assert_eq!(read, kit::Kit { origin: ORIGIN.to_owned(), account_id: AccountId([5; 16]), secret_key });
    let backwards: Vec<String> = page.lines().rev().map(|line| format!("  {line}\r")).collect();
    assert_eq!(kit::parse(&backwards.join("\n")).unwrap(), read);
    for (from, to) in [("Account  ", "Konto    "), ("Account suite  1", "Account suite  2"), ("KVS1-", "KVS1-0"), (ORIGIN, "nowhere")] {
        assert!(kit::parse(&page.replace(from, to)).is_err(), "{to}");
    }
}
