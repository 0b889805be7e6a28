//! Accounts: Secret Key, recovery code, password, slots, blob, pins, claim.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::account::{
    AccountBlob, OrgPin, Pins, RecoveryCode, SecretKey, SlotKey, claim, open_account_key, open_pins, root_key, seal_account_key, seal_pins,
};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::{Identity, Key};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::{AccountId, FORMAT, Fault, Hash, NsId, OrgId, SlotId, account};
use serde_json::json;

/// When assertions are made, seconds.
const NOW_S: u64 = 1_790_000_000;
const ORIGIN: &str = "https://vault.example.com:443";

pub fn file() -> File {
    let mut rng = Seeded::new("account");
    let mut file = File {
        name: "account.json",
        about: "Secret Key and recovery code as text; the password's root key; slots; the account blob; pins; the identity's claim; login assertions.",
        valid: vec![],
        invalid: vec![],
    };
    texts(&mut rng, &mut file);
    unlock(&mut rng, &mut file);
    data(&mut rng, &mut file);
    claims(&mut rng, &mut file);
    assertions(&mut rng, &mut file);
    file
}

fn texts(rng: &mut Seeded, file: &mut File) {
    let bytes: [u8; 16] = rng.array();
    let text = SecretKey::from_bytes(bytes).to_text();
    let case = Case::new("a Secret Key").with("kind", "secret_key").bytes("bytes", bytes).with("text", text.as_str());
    file.valid.push(case.valid());
    let sloppy = text.to_lowercase().replace('-', " ").replace('0', "o");
    let case = Case::new("typed in lower case, with spaces, O for 0").with("kind", "secret_key").bytes("bytes", bytes);
    file.valid.push(case.with("text", sloppy).valid());
    let code: [u8; 32] = rng.array();
    let recovery = RecoveryCode::from_bytes(code).to_text();
    let case = Case::new("a recovery code").with("kind", "recovery_code").bytes("bytes", code).with("text", recovery.as_str());
    file.valid.push(case.valid());
    let last = if text.ends_with('7') { "8" } else { "7" };
    let mistyped = [
        ("a mistyped last character", format!("{}{last}", &text[..text.len() - 1])),
        ("a missing character", text[..text.len() - 1].to_owned()),
        ("the letter U", text.replacen(&text[5..6], "U", 1)),
        ("without its beginning", text[5..].to_owned()),
        ("a recovery code instead", recovery.to_string()),
        ("nothing", String::new()),
    ];
    for (name, text) in mistyped {
        let case = Case::new("").with("kind", "secret_key").with("text", text.as_str());
        file.invalid.push(case.refused(name, SecretKey::parse(&text)));
    }
}

fn unlock(rng: &mut Seeded, file: &mut File) {
    let account_id = AccountId(rng.array());
    let secret_key = SecretKey::from_bytes(rng.array());
    // The second password is the first in another Unicode form: both are one password.
    for (name, password) in [("a password", "correct horse ﬁle é"), ("the same password, decomposed", "correct horse file e\u{301}")] {
        let root = root_key(password, &secret_key, &account_id);
        let case = Case::new(name).with("kind", "root").with("password", password).bytes("secret_key", secret_key.expose());
        let slot = SlotKey::password(root.clone());
        let login = slot.login_key().verifying_key().to_bytes();
        let case = case.bytes("account_id", account_id).bytes("root", root.expose());
        file.valid.push(case.bytes("login_pk", login).bytes("slot_id", slot.slot_id()).valid());
    }
    let (slot, ak) = (Key::random(rng), Key::random(rng));
    let slot_key = SlotKey::device(slot.clone());
    let slot_id = slot_key.slot_id();
    let sealed = seal_account_key(&slot_key, &account_id, &slot_id, &ak, rng);
    let case = Case::new("a slot")
        .with("kind", "slot")
        .bytes("account_id", account_id)
        .bytes("slot_id", slot_id)
        .bytes("slot_key", slot.expose())
        .bytes("sealed", &sealed);
    let login = slot_key.login_key().verifying_key().to_bytes();
    file.valid.push(case.clone().bytes("account_key", ak.expose()).bytes("login_pk", login).valid());
    let other = SlotId([7; 16]);
    let moved = open_account_key(&slot_key, &account_id, &other, &sealed);
    file.invalid.push(case.clone().bytes("slot_id", other).refused("the account key of another slot", moved));
    let bit = flipped(&sealed, 80);
    let damaged = open_account_key(&slot_key, &account_id, &slot_id, &bit);
    file.invalid.push(case.bytes("sealed", &bit).refused("a bit of the sealed account key", damaged));
    let device = DeviceKey { origin: ORIGIN.to_owned(), account_id, slot_id, key: slot.clone(), secret_key: secret_key.clone() };
    let case = Case::new("a device key file").with("kind", "device").with("text", device.to_text().as_str());
    let case = case.with("origin", ORIGIN).bytes("account_id", account_id).bytes("slot_id", slot_id);
    file.valid.push(case.bytes("slot_key", slot.expose()).bytes("secret_key", secret_key.expose()).valid());
}

fn data(rng: &mut Seeded, file: &mut File) {
    let (account_id, ak) = (AccountId(rng.array()), Key::random(rng));
    let identity = Identity::make(kind::PERSON, 1_790_000_000_000, rng);
    let mut blob = AccountBlob::new(&identity);
    blob.add(&identity.next(1_790_000_000_001, rng));
    blob.generation = 3;
    blob.org_ids = vec![OrgId(rng.array()), OrgId(rng.array())];
    blob.pins = 2;
    let sealed = blob.seal(&ak, &account_id, rng);
    let case = Case::new("an account blob")
        .with("kind", "blob")
        .bytes("account_id", account_id)
        .bytes("account_key", ak.expose())
        .with("generation", 3)
        .bytes("sealed", &sealed);
    let seeds = blob.seeds.iter().map(|row| {
        json!({ "generation": row.generation, "seed": hex::encode(row.seed.expose()), "created_ms": row.created_ms, "kind": row.kind })
    });
    let orgs: Vec<_> = blob.org_ids.iter().map(ToString::to_string).collect();
    let spelled = case.clone().bytes("identity_id", blob.identity_id).with("seeds", seeds.collect::<Vec<_>>());
    file.valid.push(spelled.with("org_ids", orgs).with("pins", blob.pins).valid());
    let open = |generation, sealed: &[u8]| AccountBlob::open(&ak, &account_id, generation, sealed);
    file.invalid.push(case.clone().with("generation", 4).refused("an older blob shown as the newest", open(4, &sealed)));
    let bit = flipped(&sealed, 80);
    file.invalid.push(case.clone().bytes("sealed", &bit).refused("a bit of the blob", open(3, &bit)));
    file.invalid.push(case.clone().bytes("sealed", b"").refused("no blob", open(3, b"")));
    blob.seeds.reverse();
    let disordered = blob.seal(&ak, &account_id, rng);
    file.invalid.push(case.bytes("sealed", &disordered).refused("seeds out of order", open(3, &disordered)));
    pins(rng, file, &account_id, &ak, &blob.org_ids);
}

fn pins(rng: &mut Seeded, file: &mut File, account_id: &AccountId, ak: &Key, orgs: &[OrgId]) {
    let head = Head { ns_id: NsId(rng.array()), mseq: 12, mhash: Hash(rng.array()) };
    let organizations = orgs.iter().map(|org_id| OrgPin {
        org_id: *org_id,
        seq: 70,
        link_hash: Hash(rng.array()),
        state_hash: Hash(rng.array()),
        heads: vec![head.clone()],
    });
    let pins = Pins { v: FORMAT, generation: 2, organizations: organizations.collect() };
    let sealed = seal_pins(ak, account_id, &pins, rng);
    let case = Case::new("pins")
        .with("kind", "pins")
        .bytes("account_id", account_id)
        .bytes("account_key", ak.expose())
        .with("generation", 2)
        .bytes("sealed", &sealed);
    file.valid.push(case.clone().bytes("pins", pins.to_bytes()).valid());
    let open = |generation, sealed: &[u8]| open_pins(ak, account_id, generation, sealed);
    let bit = flipped(&sealed, 80);
    file.invalid.push(case.clone().bytes("sealed", &bit).refused("a bit of the pins", open(2, &bit)));
    file.invalid.push(case.clone().with("generation", 3).refused("older pins than the blob names", open(3, &sealed)));
    file.invalid.push(case.bytes("sealed", b"").refused("no pins, although the blob names some", open(2, b"")));
}

fn claims(rng: &mut Seeded, file: &mut File) {
    let account_id = AccountId(rng.array());
    let identity = Identity::make(kind::PERSON, 1_790_000_000_000, rng);
    let other = Identity::make(kind::PERSON, 1_790_000_000_000, rng);
    let signed = claim(&identity, &account_id, ORIGIN);
    let case = Case::new("a claim")
        .with("kind", "claim")
        .bytes("account_id", account_id)
        .with("origin", ORIGIN)
        .bytes("bundle_payload", identity.signed_bundle().payload())
        .bytes("bundle_signature", identity.signed_bundle().sig)
        .bytes("payload", signed.payload())
        .bytes("signature", signed.sig);
    file.valid.push(case.clone().valid());
    let verify = |account_id: &AccountId, origin: &str| -> Result<_, Fault> {
        account::verify(identity.signed_bundle(), &signed, account_id, &[origin])
    };
    let elsewhere = "https://other.example.com:443";
    file.invalid.push(case.clone().with("origin", elsewhere).refused("a claim made for another server", verify(&account_id, elsewhere)));
    let another = AccountId([7; 16]);
    file.invalid.push(case.clone().bytes("account_id", another).refused("a claim of another account", verify(&another, ORIGIN)));
    let theirs = other.signed_bundle();
    let stolen = account::verify(theirs, &signed, &account_id, &[ORIGIN]);
    let case = case.bytes("bundle_payload", theirs.payload()).bytes("bundle_signature", theirs.sig);
    file.invalid.push(case.refused("a claim by another identity", stolen));
}

fn assertions(rng: &mut Seeded, file: &mut File) {
    let slot = SlotKey::device(Key::random(rng));
    let subject = Subject::Slot(AccountId(rng.array()), slot.slot_id());
    let login = slot.login_key();
    let public = login.verifying_key().to_bytes();
    let token = assertion::make(subject, ORIGIN, NOW_S, rng.array(), &login).expect("claims of text");
    let case = Case::new("a login assertion")
        .with("kind", "assertion")
        .with("subject", subject.to_string())
        .with("origin", ORIGIN)
        .with("now_s", NOW_S)
        .bytes("login_pk", public)
        .with("token", token.as_str());
    file.valid.push(case.clone().valid());
    let verify = |token: &str, origin: &str, public: &[u8; 32], now_s| assertion::verify(token, &[origin], public, now_s);
    let late = NOW_S + 60;
    file.invalid.push(case.clone().with("now_s", late).refused("an assertion a minute later", verify(&token, ORIGIN, &public, late)));
    let elsewhere = "https://other.example.com:443";
    let replayed = verify(&token, elsewhere, &public, NOW_S);
    file.invalid.push(case.clone().with("origin", elsewhere).refused("an assertion for another server", replayed));
    let other = SlotKey::device(Key::random(rng)).login_key().verifying_key().to_bytes();
    file.invalid.push(case.clone().bytes("login_pk", other).refused("an assertion by another key", verify(&token, ORIGIN, &other, NOW_S)));
    let early = NOW_S - 120;
    let ahead = verify(&token, ORIGIN, &public, early);
    file.invalid.push(case.clone().with("now_s", early).refused("an assertion from the future", ahead));
    // {"typ":"kv-login+jwt","alg":"none"} in place of the header.
    let unsigned = format!("eyJ0eXAiOiJrdi1sb2dpbitqd3QiLCJhbGciOiJub25lIn0.{}", token.split_once('.').expect("a header").1);
    let none = verify(&unsigned, ORIGIN, &public, NOW_S);
    file.invalid.push(case.with("token", unsigned).refused("an assertion with the algorithm none", none));
}
