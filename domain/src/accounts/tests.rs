use super::*;
use crate::scratch::{NOW, on_each_engine};
use crate::tokens::Tokens;
use crate::{Random, Store};
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::account::Claim;
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Code, Domain, SlotId};

const ORIGIN: &str = "http://127.0.0.1:8420";
const ID: AccountId = AccountId([1; 16]);
const SLOT: SlotId = SlotId([2; 16]);

fn origins() -> Vec<String> {
    vec![ORIGIN.to_owned()]
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn keys_of(identity: u8, generation: u64) -> (Signed, Signed) {
    let sign = key(10);
    let bundle = Bundle {
        v: 1,
        suite: 1,
        identity_id: IdentityId([identity; 16]),
        kind: kind::PERSON,
        sign_pk: sign.verifying_key().to_bytes(),
        auth_pk: key(11).verifying_key().to_bytes(),
        kem_pk: [9; 1216],
        generation,
        created_ms: NOW,
    };
    let bundle = Signed::make(&sign, Domain::Bundle, bundle.to_bytes());
    let key_id = keyvawlt_ledger::bundle::key_id(bundle.payload());
    let claim = Claim { account_id: ID, key_id, origin: ORIGIN.to_owned() };
    (bundle, Signed::make(&sign, Domain::Account, claim.to_bytes()))
}

fn slot(id: SlotId, kind: SlotKind, login: u8) -> Slot {
    let login_pk = key(login).verifying_key().to_bytes();
    Slot { id, kind, login_pk, sealed_ak: vec![0; 112], label: "laptop".to_owned() }
}

fn ada() -> NewAccount {
    let (bundle, claim) = keys_of(3, 1);
    NewAccount {
        account_id: ID,
        email: "ada@example.com".to_owned(),
        bundle,
        claim,
        slots: vec![slot(SLOT, SlotKind::Password, 12)],
        blob: vec![7; 300],
        generation: 1,
        request_id: [4; 16],
    }
}

async fn signed_up(store: &Store) {
    let tx = store.write().await.unwrap();
    sign_up(&tx, ada(), &origins()).await.unwrap();
    tx.commit().await.unwrap();
}

fn login(slot_id: SlotId, login: u8, at_ms: u64, jti: u8) -> String {
    assertion::make(Subject::Slot(ID, slot_id), ORIGIN, at_ms / 1000, [jti; 16], &key(login)).unwrap()
}

fn ring() -> (tempfile::TempDir, Tokens) {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::load(&folder.path().join("token.key"), Random::System).unwrap();
    (folder, tokens)
}

async fn code_of(store: &Store) -> CodeMail {
    let tx = store.write().await.unwrap();
    let mail = draw_code(&tx, &ID).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    mail
}

#[tokio::test]
async fn whoever_signs_up_is_kept_and_may_repeat_the_call() {
    on_each_engine(async |store| {
        signed_up(store).await;
        signed_up(store).await;
        let tx = store.write().await.unwrap();
        let account = read_account(&tx, &ID).await.unwrap();
        assert_eq!((account.email.as_str(), account.generation), ("ada@example.com", 1));
        assert_eq!(account.email_verified_at, None);
        assert_eq!(list_slots(&tx, &ID).await.unwrap().len(), 1);
        assert_eq!(sealed_account_key(&tx, &ID, &SLOT).await.unwrap(), vec![0; 112]);
        // One code, though the call came twice.
        assert_eq!(crate::jobs::counts(&tx).await.unwrap().due, 1);
        let again = NewAccount { request_id: [5; 16], ..ada() };
        assert!(matches!(sign_up(&tx, again, &origins()).await, Err(Error::Conflict { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_claim_for_another_server_or_a_machine_or_a_bad_address_is_refused() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        let elsewhere = sign_up(&tx, ada(), &["https://elsewhere:443".to_owned()]).await;
        assert!(matches!(elsewhere, Err(Error::Fault(_))));
        for email in ["", "ada", "a@b@c", "ada@example.com\r\nBcc: x@y", "Ada <ada@example.com>", "@b", "a@", "ä@b.c"] {
            let outcome = sign_up(&tx, NewAccount { email: email.to_owned(), ..ada() }, &origins()).await;
            assert!(matches!(outcome, Err(Error::Invalid { field: "email", .. })), "{email}");
        }
        let devices = NewAccount { slots: vec![slot(SLOT, SlotKind::Device, 12)], ..ada() };
        assert!(sign_up(&tx, devices, &origins()).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_slot_logs_in_once_per_assertion() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let (_folder, tokens) = ring();
        let first = login(SLOT, 12, NOW, 1);
        let access = log_in(store, &tokens, &origins(), &first).await.unwrap();
        let session = tokens.verify(&access.token, &origins(), NOW).unwrap();
        let tx = store.read().await.unwrap();
        let acts_as = principal(&tx, session.subject).await.unwrap().unwrap();
        assert_eq!((acts_as.account, acts_as.identity), (Some(ID), IdentityId([3; 16])));
        tx.commit().await.unwrap();
        for bad in [first, login(SLOT, 13, NOW, 2), login(SlotId([9; 16]), 12, NOW, 3)] {
            let outcome = log_in(store, &tokens, &origins(), &bad).await;
            assert!(matches!(outcome, Err(Error::Unauthenticated { .. })));
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_slot_and_a_wrong_key_are_answered_alike() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let (_folder, tokens) = ring();
        let wrong = log_in(store, &tokens, &origins(), &login(SLOT, 13, NOW, 2)).await.err().unwrap();
        let unknown = log_in(store, &tokens, &origins(), &login(SlotId([9; 16]), 12, NOW, 3)).await.err().unwrap();
        assert_eq!(wrong.to_string(), unknown.to_string());
    })
    .await;
}

#[tokio::test]
async fn a_clock_off_by_hours_is_named() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let (_folder, tokens) = ring();
        for at in [NOW - 3 * 3_600_000, NOW + 3 * 3_600_000] {
            match log_in(store, &tokens, &origins(), &login(SLOT, 12, at, 1)).await {
                Err(Error::Fault(fault)) => {
                    assert_eq!(fault.code, Code::Clock);
                    assert!(fault.why.contains("10800 seconds"), "{}", fault.why);
                }
                other => panic!("{:?}", other.map(drop)),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_removed_slot_acts_as_nobody_and_one_way_in_remains() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let device = SlotId([5; 16]);
        let tx = store.write().await.unwrap();
        for _ in ["", "once more: its answer was lost"] {
            add_slot(&tx, &ID, slot(device, SlotKind::Device, 13)).await.unwrap();
        }
        assert!(matches!(add_slot(&tx, &ID, slot(device, SlotKind::Device, 14)).await, Err(Error::Conflict { .. })));
        assert!(matches!(remove_slot(&tx, &ID, &SLOT).await, Err(Error::Conflict { .. })));
        assert!(principal(&tx, Subject::Slot(ID, device)).await.unwrap().is_some());
        remove_slot(&tx, &ID, &device).await.unwrap();
        assert!(principal(&tx, Subject::Slot(ID, device)).await.unwrap().is_none());
        assert!(matches!(remove_slot(&tx, &ID, &device).await, Err(Error::Forbidden)));
    })
    .await;
}

#[tokio::test]
async fn an_address_is_proved_by_the_newest_code_within_five_guesses() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let old = code_of(store).await;
        let new = code_of(store).await;
        assert_eq!((new.email.as_str(), new.code.len()), ("ada@example.com", 8));
        assert!(verify_email(store, &ID, &old.code).await.is_err());
        let dashed = format!(" {}-{} ", &new.code[..4], &new.code[4..]);
        verify_email(store, &ID, &dashed).await.unwrap();
        let tx = store.write().await.unwrap();
        assert_eq!(read_account(&tx, &ID).await.unwrap().email_verified_at, Some(NOW));
        assert!(draw_code(&tx, &ID).await.unwrap().is_none(), "nothing left to prove");
    })
    .await;
}

#[tokio::test]
async fn guesses_are_counted_and_codes_end() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let code = code_of(store).await.code;
        let wrong = if code == "00000000" { "00000001" } else { "00000000" };
        for _ in 0..5 {
            assert!(verify_email(store, &ID, wrong).await.is_err());
        }
        assert!(verify_email(store, &ID, &code).await.is_err(), "the right one came too late");
        let code = code_of(store).await.code;
        store.clock().advance_ms(CODE_TTL_MS);
        assert!(verify_email(store, &ID, &code).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_code_that_was_drawn_while_the_clock_was_ahead_is_void_and_another_can_be_asked_for() {
    on_each_engine(async |store| {
        signed_up(store).await;
        store.clock().set_ms(NOW + 365 * 24 * 60 * 60 * 1000);
        let code = code_of(store).await.code;
        store.clock().set_ms(NOW);
        assert!(verify_email(store, &ID, &code).await.is_err());
        let tx = store.write().await.unwrap();
        resend_code(&tx, &ID).await.unwrap();
        drop(tx);
        let code = code_of(store).await.code;
        verify_email(store, &ID, &code).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn codes_are_sent_again_after_a_minute_and_never_flood_an_address() {
    on_each_engine(async |store| {
        signed_up(store).await;
        code_of(store).await;
        let tx = store.write().await.unwrap();
        assert!(matches!(resend_code(&tx, &ID).await, Err(Error::RateLimited { retry_after_ms: 60_000 })));
        for _ in 0..20 {
            change_email(&tx, &ID, "Stranger@example.com").await.unwrap();
        }
        // One of the sign-up, and the stranger's share.
        assert_eq!(crate::jobs::counts(&tx).await.unwrap().due, 1 + 6);
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_devices_hears_that_it_was_second() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let tx = store.write().await.unwrap();
        let blob = |generation| Changes { blob: Some((generation, vec![8; 10])), ..Changes::default() };
        update_account(&tx, &ID, blob(2), &origins()).await.unwrap();
        update_account(&tx, &ID, blob(2), &origins()).await.expect("the same once more: its answer was lost");
        let other = Changes { blob: Some((2, vec![9; 10])), ..Changes::default() };
        let late = update_account(&tx, &ID, other, &origins()).await;
        assert!(matches!(late, Err(Error::Conflict { current: Some(2), .. })));
        let more = Changes { pins: Some(vec![5; 10]), ..blob(2) };
        assert!(matches!(update_account(&tx, &ID, more, &origins()).await, Err(Error::Conflict { .. })));
        let pins = Changes { pins: Some(vec![6; 10]), ..Changes::default() };
        update_account(&tx, &ID, pins, &origins()).await.unwrap();
        let account = read_account(&tx, &ID).await.unwrap();
        assert_eq!((account.generation, account.blob, account.pins), (2, vec![8; 10], Some(vec![6; 10])));
    })
    .await;
}

#[tokio::test]
async fn keys_are_replaced_by_later_ones_of_the_same_identity() {
    on_each_engine(async |store| {
        signed_up(store).await;
        let tx = store.write().await.unwrap();
        let keys = |identity, generation| Changes { keys: Some(keys_of(identity, generation)), ..Changes::default() };
        update_account(&tx, &ID, keys(3, 2), &origins()).await.unwrap();
        assert!(matches!(update_account(&tx, &ID, keys(3, 1), &origins()).await, Err(Error::Conflict { .. })));
        assert!(matches!(update_account(&tx, &ID, keys(4, 3), &origins()).await, Err(Error::Invalid { .. })));
    })
    .await;
}
