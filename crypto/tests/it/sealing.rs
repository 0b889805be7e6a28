//! Whatever is sealed opens again; whatever is changed by a bit does not; nothing panics.

use keyvawlt_crypto::account::{AccountBlob, OrgPin, Pins, SlotKey, open_account_key, open_pins, seal_account_key, seal_pins};
use keyvawlt_crypto::key::hx;
use keyvawlt_crypto::secret::{Payload, SealedVersion, open_name, open_version, seal_name, seal_version};
use keyvawlt_crypto::wraps::{Granter, Recipient, unwrap_nk, wrap_nk};
use keyvawlt_crypto::{Identity, Key, Zeroizing, aead, nk, pad};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{AccountId, Code, NsId, OrgId, SecretId, SlotId, context, hash};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

const ORG: OrgId = OrgId([1; 32]);
const NS: NsId = NsId([2; 16]);
const SECRET: SecretId = SecretId([3; 16]);

fn any_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

fn any_payload() -> impl Strategy<Value = Payload> {
    (
        "[a-z_][a-zA-Z0-9_.-]{0,20}(/[a-z0-9_]{1,10}){0,3}",
        any_bytes(6000),
        "[a-z]{0,10}",
        ".{0,100}",
        proptest::collection::vec("[a-z]{0,20}", 0..5),
    )
        .prop_map(|(name, value, kind, note, tags)| Payload {
            kind,
            note,
            tags,
            draft_of: (value.len() % 2 == 0).then_some(SecretId([9; 16])),
            ..Payload::new(name, value)
        })
}

fn with_bit(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let at = at % (changed.len() * 8);
    changed[at / 8] ^= 1 << (at % 8);
    changed
}

proptest! {
    #[test]
    fn what_is_sealed_opens_only_unchanged(key: [u8; 32], ctx in any_bytes(80), plaintext in any_bytes(300), seed: u64, at: usize) {
        let key = Key::from_bytes(key);
        let sealed = aead::seal(&key, &ctx, &plaintext, &mut StdRng::seed_from_u64(seed));
        prop_assert!(*aead::open(&key, &ctx, &sealed).unwrap() == plaintext);
        let fault = aead::open(&key, &ctx, &with_bit(&sealed, at)).unwrap_err();
        prop_assert_eq!(&fault, &aead::open(&key, &ctx, b"").unwrap_err(), "one uniform error");
        prop_assert_eq!(fault.code, Code::Aead);
    }

    #[test]
    fn padding_is_undone_and_has_one_form(content in any_bytes(9000)) {
        prop_assert!(pad::unpad(&pad::pad(&content)).unwrap() == content);
        prop_assert!(pad::unpad64(&pad::pad64(&content)).unwrap() == content);
        if let Ok(read) = pad::unpad(&content) {
            prop_assert_eq!(&*pad::pad(read), &content);
        }
    }

    #[test]
    fn a_version_opens_only_in_its_place(payload in any_payload(), key: [u8; 32], seed: u64, version in 1..u64::MAX, at: usize) {
        let nk = Key::from_bytes(key);
        let sealed = seal_version(&nk, &ORG, &NS, &SECRET, version, 1, &payload, &mut StdRng::seed_from_u64(seed)).unwrap();
        let open = |version, epoch, sealed: &SealedVersion| open_version(&nk, &ORG, &NS, &SECRET, version, epoch, &sealed.payload, &sealed.dek);
        prop_assert!(open(version, 1, &sealed).unwrap() == payload);
        prop_assert!(open(version - 1, 1, &sealed).is_err() && open(version, 2, &sealed).is_err());
        let changed = SealedVersion { payload: with_bit(&sealed.payload, at), ..sealed.clone() };
        prop_assert_eq!(open(version, 1, &changed).unwrap_err().code, Code::Aead);
        let changed = SealedVersion { dek: with_bit(&sealed.dek, at), ..sealed };
        prop_assert_eq!(open(version, 1, &changed).unwrap_err().code, Code::Aead);
    }

    #[test]
    fn a_name_opens_only_as_its_secrets(payload in any_payload(), key: [u8; 32], seed: u64) {
        let nk = Key::from_bytes(key);
        let object = seal_name(&nk, &ORG, &NS, &SECRET, 5, &payload.name, &mut StdRng::seed_from_u64(seed)).unwrap();
        prop_assert_eq!(keyvawlt_crypto::secret::name_epoch(&object).unwrap(), 5);
        prop_assert_eq!(open_name(&nk, &ORG, &NS, &SECRET, &object).unwrap(), payload.name);
        prop_assert!(open_name(&nk, &ORG, &NS, &SecretId([4; 16]), &object).is_err());
    }

    #[test]
    fn nothing_that_arrives_makes_an_opening_panic(junk in any_bytes(2500), key: [u8; 32]) {
        let key = Key::from_bytes(key);
        let commit = nk::commit(&ORG, &NS, 1, &key);
        prop_assert!(open_version(&key, &ORG, &NS, &SECRET, 1, 1, &junk, &junk).is_err());
        prop_assert!(open_name(&key, &ORG, &NS, &SECRET, &junk).is_err());
        prop_assert!(nk::open_ns_names(&key, &ORG, &NS, &junk).is_err());
        prop_assert!(nk::open_previous(&key, &ORG, &NS, 2, 1, &junk, &commit).is_err());
        prop_assert!(nk::open_parent(&key, &ORG, &NS, 1, &NS, 1, &junk, &commit).is_err());
        prop_assert!(AccountBlob::open(&key, &AccountId([1; 16]), 1, &junk).is_err());
        prop_assert!(open_pins(&key, &AccountId([1; 16]), 1, &junk).is_err());
        prop_assert!(open_account_key(&SlotKey::device(key), &AccountId([1; 16]), &SlotId([1; 16]), &junk).is_err());
        prop_assert!(Wrap::from_bytes(&junk).is_err());
        let _ = pad::unpad(&junk);
        let _ = pad::unpad64(&junk);
    }

    #[test]
    fn what_a_key_holder_seals_in_a_payloads_place_never_panics(junk in any_bytes(700), key: [u8; 32], seed: u64) {
        let (nk, mut rng) = (Key::from_bytes(key), StdRng::seed_from_u64(seed));
        let account = AccountId([1; 16]);
        for inner in [pad::pad(&junk), Zeroizing::new(junk.clone())] {
            let blob_ctx = context("kv1/account", &[account.to_value(), 1_u64.to_value()]);
            prop_assert!(AccountBlob::open(&nk, &account, 1, &aead::seal(&nk, &blob_ctx, &inner, &mut rng)).is_err());
            let place = [ORG.to_value(), NS.to_value(), SECRET.to_value(), 1_u64.to_value()];
            let payload = aead::seal(&nk, &context("kv1/secret", &place), &inner, &mut rng);
            let bound = [1_u64.to_value(), hash::hash(hash::PAYLOAD, &payload).to_value()];
            let dek = aead::seal(&hx(&nk, "kv1/nk/dek"), &context("kv1/dek", &[&place[..], &bound].concat()), nk.expose(), &mut rng);
            prop_assert!(open_version(&nk, &ORG, &NS, &SECRET, 1, 1, &payload, &dek).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_wrap_opens_only_unchanged(seed: u64, epoch: u64, at: usize) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (reader, granter) = (Identity::make(kind::PERSON, 1, &mut rng), Identity::make(kind::PERSON, 1, &mut rng));
        let key = Key::random(&mut rng);
        let commit = nk::commit(&ORG, &NS, epoch, &key);
        let recipient = Recipient::of(reader.bundle(), reader.key_id());
        let granter = Granter { id: granter.id(), key_id: granter.key_id() };
        let wrap = wrap_nk(&key, &ORG, &NS, epoch, &recipient, &granter, &commit, &mut rng).unwrap();
        let open = |wrap: &Wrap| unwrap_nk(wrap, &reader.id(), &reader.key_id(), reader.kem_seed());
        prop_assert_eq!(open(&wrap).unwrap(), key);
        // A changed bit either breaks the record's canonical form, or leaves a wrap that does not open.
        if let Ok(changed) = Wrap::from_bytes(&with_bit(&wrap.to_bytes(), at)) {
            prop_assert_eq!(open(&changed).unwrap_err().code, Code::Wrap);
        }
    }

    #[test]
    fn accounts_round_trip(seed: u64, orgs in 0_usize..40) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (ak, slot, account) = (Key::random(&mut rng), SlotKey::device(Key::random(&mut rng)), AccountId([6; 16]));
        let identity = Identity::make(kind::PERSON, 5, &mut rng);
        let mut blob = AccountBlob::new(&identity);
        blob.org_ids = vec![ORG; orgs];
        let opened = AccountBlob::open(&ak, &account, 1, &blob.seal(&ak, &account, &mut rng)).unwrap();
        prop_assert_eq!(opened.identity().unwrap().key_id(), identity.key_id());
        prop_assert!(opened == blob);
        let hash = hash::hash(hash::PAYLOAD, &seed.to_be_bytes());
        let heads = vec![Head { ns_id: NS, mseq: seed, mhash: hash }];
        let pin = OrgPin { org_id: ORG, seq: seed, link_hash: hash, state_hash: hash, heads };
        let pins = Pins { v: 1, generation: 7, organizations: vec![pin; orgs] };
        let sealed = seal_pins(&ak, &account, &pins, &mut rng);
        prop_assert_eq!(open_pins(&ak, &account, 7, &sealed).unwrap(), pins);
        prop_assert_eq!(open_pins(&ak, &account, 8, &sealed).unwrap_err().code, Code::NoAccount);
        let sealed = seal_account_key(&slot, &account, &slot.slot_id(), &ak, &mut rng);
        prop_assert_eq!(open_account_key(&slot, &account, &slot.slot_id(), &sealed).unwrap(), ak);
    }
}

#[test]
fn what_exceeds_the_limits_is_not_sealed() {
    let mut rng = StdRng::seed_from_u64(1);
    let nk = Key::random(&mut rng);
    let mut seal =
        |payload: Payload| seal_version(&nk, &ORG, &NS, &SECRET, 1, 1, &payload, &mut rng).map(|_| ()).map_err(|fault| fault.code);
    assert_eq!(seal(Payload::new("a", vec![0; 65_536])), Ok(()));
    assert_eq!(seal(Payload::new("a", vec![0; 65_537])), Err(Code::Limit));
    assert_eq!(seal(Payload::new("a".repeat(257), vec![])), Err(Code::Limit));
    assert_eq!(seal(Payload::new("../a", vec![])), Err(Code::Name));
    assert_eq!(seal(Payload::new("", vec![])), Ok(()), "the one secret of a namespace whose prefix is its name");
    assert_eq!(seal(Payload { note: "x".repeat(5000), ..Payload::new("a", vec![]) }), Err(Code::Limit));
    assert_eq!(seal(Payload { tags: vec![String::new(); 65], ..Payload::new("a", vec![]) }), Err(Code::Limit));
}

#[test]
fn nothing_secret_is_printed() {
    let mut rng = StdRng::seed_from_u64(1);
    let identity = Identity::make(kind::PERSON, 1, &mut rng);
    let blob = AccountBlob::new(&identity);
    let payload = Payload::new("the-name", b"the-value".to_vec());
    let printed = format!("{:?} {:?} {identity:?} {blob:?} {payload:?}", identity.seed(), identity.kem_seed());
    for secret in [hex::encode(identity.seed().expose()), hex::encode(identity.kem_seed().expose()), "the-value".into(), "the-name".into()]
    {
        assert!(!printed.contains(&secret), "{printed}");
    }
}
