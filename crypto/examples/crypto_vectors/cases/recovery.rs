//! What helps when devices, keys or owners are lost: device links, break-glass codes with their shares, codes of new keys and to return by.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::account::{SecretKey, SlotKey};
use keyvawlt_crypto::device::DeviceKey;
use keyvawlt_crypto::link::{LinkCode, LinkKeys, LinkedDevice};
use keyvawlt_crypto::reset::{ReturnCode, keys_text, parse_keys};
use keyvawlt_crypto::{BreakGlass, Identity, Key, shamir};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{AccountId, Hash, KeyId, OrgId};

const ORIGIN: &str = "https://vault.example.com:443";

pub fn file() -> File {
    let mut rng = Seeded::new("recovery");
    let mut file = File {
        name: "recovery.json",
        about: "device links: words, text, and what is sealed; break-glass codes and shares; codes of new keys and to return by.",
        valid: vec![],
        invalid: vec![],
    };
    link_code(&mut rng, &mut file);
    link(&mut rng, &mut file);
    break_glass(&mut rng, &mut file);
    reset(&mut rng, &mut file);
    file
}

fn link_code(rng: &mut Seeded, file: &mut File) {
    let keys = LinkKeys::random(rng);
    let code = LinkCode { id: keys.id(), origin: None };
    let words = code.words().join(" ");
    let case = Case::new("a device's words").with("kind", "link_words").with("words", words.as_str());
    file.valid.push(case.bytes("kem_pk", keys.kem_pk()).bytes("link_id", code.id.0).valid());
    let slip = code.words().iter().rev().copied().collect::<Vec<_>>().join(" ");
    for (name, words) in [("words in another order", slip.as_str()), ("a word too few", words.rsplit_once(' ').expect("twelve words").0)] {
        file.invalid.push(Case::new("").with("kind", "link_words").with("words", words).refused(name, LinkCode::parse(words)));
    }
    let text = code.encode(ORIGIN).expect("an origin");
    let case = Case::new("a device's code to scan").with("kind", "link_text").with("text", text.as_str()).with("origin", ORIGIN);
    file.valid.push(case.bytes("link_id", code.id.0).valid());
}

fn link(rng: &mut Seeded, file: &mut File) {
    let kem = Key::random(rng);
    let keys = LinkKeys::of(kem.clone());
    let key = Key::random(rng);
    let slot_id = SlotKey::device(key.clone()).slot_id();
    let (account_id, secret_key) = (AccountId(rng.array()), SecretKey::random(rng));
    let device = DeviceKey { origin: ORIGIN.to_owned(), account_id, slot_id, key, secret_key };
    let linked = LinkedDevice { device, key_id: KeyId(rng.array()), generation: 7 };
    let sealed = linked.seal(&keys.id(), keys.kem_pk(), rng).expect("sealed");
    let case = Case::new("what a new device is given")
        .with("kind", "link")
        .bytes("kem_seed", kem.expose())
        .with("origin", ORIGIN)
        .bytes("sealed", &sealed)
        .bytes("account_id", linked.device.account_id)
        .bytes("slot_key", linked.device.key.expose())
        .bytes("secret_key", linked.device.secret_key.expose())
        .bytes("key_id", linked.key_id)
        .with("generation", linked.generation);
    file.valid.push(case.clone().valid());
    for (name, at) in
        [("changed where ML-KEM's half lies", 0), ("changed where X25519's half lies", 1100), ("a changed ciphertext", sealed.len() - 1)]
    {
        let changed = flipped(&sealed, at);
        file.invalid.push(case.clone().bytes("sealed", &changed).refused(name, keys.open(ORIGIN, &changed)));
    }
    let elsewhere = "https://other.example.com:443";
    file.invalid.push(case.with("origin", elsewhere).refused("at another server", keys.open(elsewhere, &sealed)));
}

fn break_glass(rng: &mut Seeded, file: &mut File) {
    let identity = Identity::make(kind::RECOVERY, 1_790_000_000_000, rng);
    let glass = BreakGlass::new(&identity, OrgId(rng.array()), 41, Hash(rng.array()), ORIGIN);
    let text = glass.encode().expect("an origin");
    let case = Case::new("a break-glass code").with("kind", "break_glass").with("text", text.as_str()).with("origin", ORIGIN);
    file.valid.push(case.bytes("identity_id", identity.id()).bytes("seed", identity.seed().expose()).valid());

    let shares = shamir::split(b"sixteen bytes...", 3, 5, rng).expect("shares");
    let shown = |places: &[usize]| places.iter().map(|place| shares[*place].as_str()).collect::<Vec<_>>();
    let case = |places: &[usize]| Case::new("any three of five shares").with("kind", "shares").with("texts", shown(places));
    for places in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        file.valid.push(case(&places).bytes("secret", b"sixteen bytes...").valid());
    }
    file.invalid.push(case(&[0, 1]).refused("too few shares", shamir::combine(&shown(&[0, 1]))));
    file.invalid.push(case(&[0, 1, 1]).refused("the same share twice", shamir::combine(&shown(&[0, 1, 1]))));
    let others = shamir::split(b"sixteen bytes...", 3, 5, rng).expect("shares");
    let mixed = [shares[0].as_str(), shares[1].as_str(), others[2].as_str()];
    let case = Case::new("").with("kind", "shares").with("texts", mixed.to_vec());
    file.invalid.push(case.refused("shares of two splits", shamir::combine(&mixed)));
}

fn reset(rng: &mut Seeded, file: &mut File) {
    let identity = Identity::make(kind::PERSON, 1_790_000_000_000, rng);
    let text = keys_text(identity.signed_bundle());
    let case = Case::new("a code of new keys").with("kind", "new_keys").with("text", text.as_str());
    file.valid.push(case.bytes("key_id", identity.key_id()).valid());
    let cut = &text[..text.len() - 9];
    file.invalid.push(Case::new("").with("kind", "new_keys").with("text", cut).refused("half a code of new keys", parse_keys(cut)));
    let code = ReturnCode {
        org_id: OrgId(rng.array()),
        seq: 12,
        link_hash: Hash(rng.array()),
        author_key_id: KeyId(rng.array()),
        origin: ORIGIN.to_owned(),
    };
    let case = Case::new("a code to return by").with("kind", "return").with("text", code.encode().expect("an origin").as_str());
    let case = case.with("origin", ORIGIN).with("seq", code.seq).bytes("org_id", code.org_id).bytes("link_hash", code.link_hash);
    file.valid.push(case.bytes("author_key_id", code.author_key_id).valid());
}
