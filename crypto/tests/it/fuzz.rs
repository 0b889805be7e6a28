//! Bytes from somebody else, for everything that the keys' room reads: codes and files that people copy, and sealed objects of a server. The driver is
//! the ledger's.

#[path = "../../../ledger/tests/it/fuzz/driver.rs"]
mod driver;

use driver::{Target, fuzz};
use keyvawlt_crypto::account::{AccountBlob, OrgPin, Pins, RecoveryCode, SecretKey, open_pins};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::{Identity, InviteCode, Key, MachineToken, aead, invite, kit, nk, pad, secret, wraps};
use keyvawlt_ledger::canon::{Canon, context};
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{AccountId, FORMAT, Fault, Hash, InviteId, NsId, OrgId, SecretId, SlotId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::Path;

const KEY: [u8; 32] = [3; 32];
const ACCOUNT: AccountId = AccountId([4; 16]);
const ORG: OrgId = OrgId([5; 32]);
const ORIGIN: &str = "https://vault.example:443";
const NS: NsId = NsId([6; 16]);
const SECRET: SecretId = SecretId([7; 16]);

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn key() -> Key {
    Key::from_bytes(KEY)
}

fn said<T>(outcome: Result<T, Fault>) -> String {
    outcome.map_or_else(
        |fault| format!("{}: {}", fault.code, fault.why.replace(|character: char| character.is_ascii_digit(), "")),
        |_| "taken".to_owned(),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An account's sealed data with any content.
fn read_blob(bytes: &[u8]) -> String {
    let ctx = context("kv1/account", &[ACCOUNT.to_value(), 1_u64.to_value()]);
    said(AccountBlob::open(&key(), &ACCOUNT, 1, &aead::seal(&key(), &ctx, &pad::pad(bytes), &mut rng())))
}

/// Pins with any content.
fn read_pins(bytes: &[u8]) -> String {
    let ctx = context("kv1/pins", &[ACCOUNT.to_value(), 1_u64.to_value()]);
    said(open_pins(&key(), &ACCOUNT, 1, &aead::seal(&key(), &ctx, &pad::pad(bytes), &mut rng())))
}

fn open_wrap(bytes: &[u8]) -> String {
    let me = Identity::derive(key(), keyvawlt_ledger::IdentityId([1; 16]), 1, 1, 1);
    match Wrap::from_bytes(bytes) {
        Ok(wrap) => said(wraps::unwrap_nk(&wrap, &me.id(), &me.key_id(), me.kem_seed())),
        Err(fault) => said::<()>(Err(fault)),
    }
}

fn unpadded(bytes: &[u8]) -> String {
    if let Ok(content) = pad::unpad(bytes) {
        assert_eq!(*pad::pad(content), bytes, "a second padding was taken");
    }
    if let Ok(content) = pad::unpad64(bytes) {
        assert_eq!(*pad::pad64(content), bytes, "a second padding was taken");
    }
    format!("{} {}", said(pad::unpad(bytes)), said(pad::unpad64(bytes)))
}

fn targets() -> Vec<Target> {
    let rng = &mut rng();
    let device = DeviceKey {
        origin: ORIGIN.to_owned(),
        account_id: ACCOUNT,
        slot_id: SlotId([8; 16]),
        key: key(),
        secret_key: SecretKey::from_bytes([9; 16]),
    };
    let me = Identity::derive(key(), keyvawlt_ledger::IdentityId([1; 16]), 1, 1, 1);
    let token = MachineToken::new(&me, ORG, 1, Hash([1; 32]), ORIGIN.to_owned()).encode().unwrap();
    let code = InviteCode {
        invite_id: InviteId([1; 16]),
        org_id: ORG,
        secret: invite::make_secret(rng),
        inviter_id: me.id(),
        inviter_key_id: me.key_id(),
        seq: 3,
        link_hash: Hash([2; 32]),
        origin: ORIGIN.to_owned(),
    };
    let code = code.encode().unwrap();
    let page = kit::text(&ACCOUNT, "a@b.c", ORIGIN, &device.secret_key);
    let name = secret::seal_name(&key(), &ORG, &NS, &SECRET, 1, "stripe/key", rng).unwrap();
    let names = nk::NsNames { project: "a".to_owned(), environment: "b".to_owned(), prefix: String::new() };
    let names = nk::seal_ns_names(&key(), &ORG, &NS, 1, &names, rng);
    let granter = wraps::Granter { id: me.id(), key_id: me.key_id() };
    let recipient = wraps::Recipient::of(me.bundle(), me.key_id());
    let wrap = wraps::wrap_nk(&key(), &ORG, &NS, 1, &recipient, &granter, &Hash([2; 32]), rng).unwrap();
    let blob = AccountBlob::new(&me);
    let plain =
        aead::open(&key(), &context("kv1/account", &[ACCOUNT.to_value(), blob.generation.to_value()]), &blob.seal(&key(), &ACCOUNT, rng));
    let heads = vec![Head { ns_id: NS, mseq: 1, mhash: Hash([1; 32]) }];
    let pin = OrgPin { org_id: ORG, seq: 1, link_hash: Hash([1; 32]), state_hash: Hash([2; 32]), heads };
    let pins = Pins { v: FORMAT, generation: 1, organizations: vec![pin] };
    let target = |name, seeds: Vec<Vec<u8>>, run| Target { name, seeds, run };
    vec![
        target("device-key", vec![device.to_text().as_bytes().to_vec()], |bytes| said(DeviceKey::parse(&text(bytes)))),
        target("kit", vec![page.as_bytes().to_vec()], |bytes| said(kit::parse(&text(bytes)))),
        target("machine-token", vec![token.as_bytes().to_vec()], |bytes| said(MachineToken::parse(&text(bytes)))),
        target("invite-code", vec![code.as_bytes().to_vec()], |bytes| said(InviteCode::parse(&text(bytes)))),
        target("secret-key", vec![device.secret_key.to_text().as_bytes().to_vec()], |bytes| said(SecretKey::parse(&text(bytes)))),
        target("recovery-code", vec![RecoveryCode::from_bytes(KEY).to_text().as_bytes().to_vec()], |bytes| {
            said(RecoveryCode::parse(&text(bytes)))
        }),
        target("account-blob", vec![pad::unpad(&plain.unwrap()).unwrap().to_vec()], read_blob),
        target("pins", vec![pins.to_bytes()], read_pins),
        target("sealed", vec![aead::seal(&key(), b"ctx", b"value", rng)], |bytes| said(aead::open(&key(), b"ctx", bytes))),
        target("padding", vec![pad::pad(b"value").to_vec(), pad::pad64(b"name").to_vec()], unpadded),
        target("name", vec![name], |bytes| said(secret::open_name(&key(), &ORG, &NS, &SECRET, bytes))),
        target("namespace-names", vec![names], |bytes| said(nk::open_ns_names(&key(), &ORG, &NS, bytes))),
        target("wrap", vec![wrap.to_bytes()], open_wrap),
    ]
}

#[test]
fn no_bytes_make_a_reader_of_keys_panic_hang_or_grow() {
    fuzz(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"), targets());
}
