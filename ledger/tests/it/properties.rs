//! What holds for any bytes, any bit, any order.

use crate::story::{story, until};
use crate::world::sign;
use crate::writing::sign_manifest;
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::{
    Applied, Body, Checkpoint, Entry, Key, Link, NamespaceCreate, Policy, Replica, Tip, View, apply, class, state_hash,
};
use keyvawlt_ledger::manifest::{Leaf, ManifestLink};
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Domain, Fault, Hash, NsId, Signed, account, assertion, facts, names};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::Uint),
        prop_oneof![Just(23u64), Just(24), Just(255), Just(256), Just(65535), Just(65536), Just(u64::from(u32::MAX)), Just(1 << 32)]
            .prop_map(Value::Uint),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,12}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::btree_map(any::<u64>(), inner, 0..8).prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

fn items(value: &Value) -> usize {
    match value {
        Value::Array(inner) => 1 + inner.iter().map(items).sum::<usize>(),
        Value::Map(pairs) => 1 + pairs.iter().map(|(_, inner)| 1 + items(inner)).sum::<usize>(),
        _ => 1,
    }
}

fn entries(replica: &Replica) -> BTreeMap<Key, Entry> {
    let head = replica.head();
    head.scan(b"").into_iter().filter_map(|key| head.get(&key).map(|entry| (key, entry))).collect()
}

proptest! {
    #[test]
    fn a_value_has_one_encoding(value in any_value()) {
        let bytes = cbor::encode(&value);
        prop_assert_eq!(cbor::count_items(&bytes).unwrap(), items(&value));
        prop_assert_eq!(cbor::decode(&bytes).unwrap(), value);
    }

    #[test]
    fn whatever_decodes_was_encoded_so(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = cbor::decode(&bytes) {
            prop_assert_eq!(cbor::encode(&value), bytes);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,80}", value in any_value()) {
        for bytes in [bytes.clone(), cbor::encode(&value)] {
            let _ = cbor::count_items(&bytes);
            let _ = (Link::from_bytes(&bytes), ManifestLink::from_bytes(&bytes), Leaf::from_bytes(&bytes), Wrap::from_bytes(&bytes));
            let _ = (Bundle::from_bytes(&bytes), Policy::from_bytes(&bytes), account::Claim::from_bytes(&bytes), facts::read(&bytes));
            let _ = (Frontier::from_bytes(&bytes), Replica::from_bytes(&bytes), keyvawlt_ledger::chain::org_id_of(&bytes));
            for noun in ["policy", "chain", "member/", "invite/", "ns/", "epoch/", "access/", "child/", "x"] {
                let _ = Entry::from_bytes(&Key::from_bytes(noun.as_bytes().to_vec()), &bytes);
            }
            let signed = Signed { payload: Blob(bytes), sig: [3; 64] };
            let _ = (Bundle::verify(&signed), signed.verify(&[9; 32], Domain::OrgLink));
            prop_assert!(apply(&story().replica.head(), story().replica.tip(), &signed, story().now).is_err());
        }
        for kind in 0..17 {
            let _ = Body::from_value(kind, value.clone());
        }
        let _ = (names::check(&text), names::check_prefix(&text), names::join(&text, &text), text.parse::<NsId>());
        let _ = (assertion::claimed_subject(&text), text.parse::<assertion::Subject>());
    }

    #[test]
    fn a_body_of_any_shape_under_a_good_signature_does_not_panic(kind in 2u8..17, value in any_value(), field in 0usize..8, numbers in any::<[u64; 3]>()) {
        let world = story();
        let mut link = world.link(&world.owner, &Body::Checkpoint(Checkpoint { state_hash: None }));
        link.kind = kind;
        link.body = value.clone();
        let _ = apply(&world.replica.head(), world.replica.tip(), &sign(&world.owner, &link), world.now);
        // And a real body of that kind with one field replaced.
        let real = world.links.iter().filter_map(|signed| Link::from_bytes(signed.payload()).ok()).find(|link| link.kind == kind);
        if let Some(Link { body: Value::Array(mut fields), .. }) = real {
            if let Some(slot) = fields.get_mut(field) {
                *slot = if let Value::Uint(_) = slot { Value::Uint(numbers[0]) } else { value };
            }
            link.body = Value::Array(fields);
            link.ts_ms = numbers[1];
            let _ = apply(&world.replica.head(), world.replica.tip(), &sign(&world.owner, &link), numbers[2]);
            link.ts_ms = world.now;
            let _ = apply(&world.replica.head(), world.replica.tip(), &sign(&world.owner, &link), world.now);
        }
    }

    #[test]
    fn any_flipped_bit_of_a_link_is_refused(at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let seq = at.index(story().links.len());
        let good = &story().links[seq];
        let length = good.payload().len() + 64;
        let bit = bit.index(length * 8);
        let replica = until(seq);
        prop_assert!(apply(&replica.head(), replica.tip(), &flipped(good, bit), story().now).is_err());
        prop_assert!(apply(&replica.head(), replica.tip(), good, story().now).is_ok());
    }

    #[test]
    fn any_flipped_bit_of_a_manifest_link_is_refused(bit in any::<prop::sample::Index>()) {
        let mut world = story().clone();
        let production = NsId(crate::people::id("production"));
        let owner = world.owner.clone();
        let good = sign_manifest(&owner, &world.manifest_link(&owner, &production, vec![world.next_version(&production, "a"), world.fresh(&production, "c", 0)]));
        let bit = bit.index((good.payload().len() + 64) * 8);
        let bad = flipped(&good, bit);
        let known = ManifestLink::from_bytes(bad.payload()).is_ok_and(|link| world.replica.link(link.anchor.seq).is_some());
        if known {
            prop_assert!(world.judges(&production, &bad).is_err());
        }
        prop_assert!(world.judges(&production, &good).is_ok());
    }

    #[test]
    fn dropped_swapped_and_repeated_links_are_refused(first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>(), what in 0..3) {
        let count = story().links.len();
        let (first, second) = (first.index(count), second.index(count));
        let mut links = story().links.clone();
        match what {
            0 => { links.remove(first.min(count - 2)); }
            1 if first == second => return Ok(()),
            1 => links.swap(first, second),
            _ => links.insert(second, links[first].clone()),
        }
        let mut replica = Replica::new(story().org_id());
        prop_assert!(links.iter().any(|link| replica.append(link, story().now).is_err()));
    }

    #[test]
    fn a_replica_restored_midway_goes_on_like_one_that_never_stopped(at in any::<prop::sample::Index>(), damage in any::<prop::sample::Index>()) {
        let at = 1 + at.index(story().links.len() - 1);
        let bytes = until(at).to_bytes();
        let mut damaged = bytes.clone();
        damaged[damage.index(bytes.len())] ^= 1;
        prop_assert!(Replica::from_bytes(&damaged).is_err());
        let (mut restored, mut whole) = (Replica::from_bytes(&bytes).unwrap(), until(at));
        for link in &story().links[at..] {
            prop_assert_eq!(restored.append(link, story().now).unwrap().changes, whole.append(link, story().now).unwrap().changes);
            prop_assert_eq!(restored.head().state_hash(), whole.head().state_hash());
        }
        prop_assert_eq!(restored.tip(), whole.tip());
        prop_assert_eq!(entries(&restored), entries(&story().replica));
    }
}

fn flipped(signed: &Signed, bit: usize) -> Signed {
    let mut bad = signed.clone();
    let (byte, mask) = (bit / 8, 1 << (bit % 8));
    match bad.payload.0.get_mut(byte) {
        Some(payload) => *payload ^= mask,
        None => bad.sig[byte - signed.payload().len()] ^= mask,
    }
    bad
}

#[test]
fn a_plain_map_a_replica_and_its_snapshots_tell_the_same_state() {
    let mut map: BTreeMap<Key, Entry> = BTreeMap::new();
    let mut tip = Tip::before_genesis(story().org_id());
    for (seq, link) in story().links.iter().enumerate() {
        let applied = apply(&map, &tip, link, story().now).unwrap();
        for (key, change) in applied.changes {
            match change {
                Some(entry) => map.insert(key, entry),
                None => map.remove(&key),
            };
        }
        tip = applied.tip;
        let snapshot = story().replica.at(seq as u64).unwrap();
        assert_eq!(snapshot.state_hash(), state_hash(&map), "after link {seq}");
        assert_eq!(snapshot.scan(b""), map.keys().cloned().collect::<Vec<_>>());
    }
    assert_eq!(entries(&story().replica), map);
}

/// What a server has at hand: rows it loaded for this link, and a note of those it lacks.
struct Rows {
    loaded: BTreeMap<Key, Option<Entry>>,
    scanned: BTreeMap<Vec<u8>, Vec<Key>>,
    missed: RefCell<(BTreeSet<Key>, BTreeSet<Vec<u8>>)>,
    state: Hash,
}

impl View for Rows {
    fn get(&self, key: &Key) -> Option<Entry> {
        self.loaded.get(key).cloned().unwrap_or_else(|| {
            self.missed.borrow_mut().0.insert(key.clone());
            None
        })
    }
    fn scan(&self, prefix: &[u8]) -> Vec<Key> {
        self.scanned.get(prefix).cloned().unwrap_or_else(|| {
            self.missed.borrow_mut().1.insert(prefix.to_vec());
            vec![]
        })
    }
    fn state_hash(&self) -> Hash {
        self.state
    }
}

/// Judges a link as a server does: over the rows it names, which are loaded from `state` until nothing is missing.
pub fn judged_by_rows<V: View>(state: &V, tip: &Tip, link: &Signed, now_ms: u64) -> Result<Applied, Fault> {
    let mut rows = Rows { loaded: BTreeMap::new(), scanned: BTreeMap::new(), missed: RefCell::default(), state: state.state_hash() };
    for _ in 0..30 {
        let judged = apply(&rows, tip, link, now_ms);
        let (keys, prefixes) = rows.missed.take();
        if keys.is_empty() && prefixes.is_empty() {
            return judged;
        }
        rows.loaded.extend(keys.into_iter().map(|key| (key.clone(), state.get(&key))));
        rows.scanned.extend(prefixes.into_iter().map(|prefix| (prefix.clone(), state.scan(&prefix))));
    }
    panic!("a handful of rounds load everything");
}

#[test]
fn a_server_that_loads_only_the_named_rows_judges_the_same() {
    for (seq, link) in story().links.iter().enumerate() {
        let replica = until(seq);
        let whole = apply(&replica.head(), replica.tip(), link, story().now).unwrap();
        let judged = judged_by_rows(&replica.head(), replica.tip(), link, story().now).unwrap();
        assert_eq!((judged.changes, judged.needs, judged.hash), (whole.changes, whole.needs, whole.hash), "link {seq}");
    }
}

#[test]
fn every_link_is_refused_at_another_place_of_the_story() {
    let foreign = NamespaceCreate { ns_id: NsId([8; 16]), ..story().root(class::STAGING) };
    let signed = story().signs(&story().owner, &Body::NamespaceCreate(foreign));
    for seq in 0..story().links.len() {
        let replica = until(seq);
        assert!(apply(&replica.head(), replica.tip(), &signed, story().now).is_err());
    }
}
