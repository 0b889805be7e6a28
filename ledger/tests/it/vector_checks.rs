//! The committed vectors are those the program makes, and each case gives the result it states.

use crate::people::id;
use crate::story::until;
use crate::vectors::files;
use crate::world::World;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Entry, Key, Link, Replica, View, apply, state_hash};
use keyvawlt_ledger::manifest::{ManifestLink, ManifestTip};
use keyvawlt_ledger::merkle::{leaf_hash, prove, root, verify_inclusion};
use keyvawlt_ledger::{Hash, NsId, OrgId, Signed, hash};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn committed(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(name: &str) -> Json {
    serde_json::from_str(&committed(name)).expect("as the format says")
}

fn cases<'a>(file: &'a Json, which: &str) -> &'a [Json] {
    file[which].as_array().map(Vec::as_slice).expect("as the format says")
}

fn text<'a>(case: &'a Json, field: &str) -> &'a str {
    case[field].as_str().expect("as the format says")
}

fn signed(case: &Json) -> Signed {
    Signed::from_parts(
        &hex::decode(text(case, "payload")).expect("as the format says"),
        &hex::decode(text(case, "signature")).expect("as the format says"),
    )
    .expect("as the format says")
}

fn after(case: &Json) -> usize {
    usize::try_from(case["after"].as_u64().expect("as the format says")).expect("as the format says")
}

#[test]
fn the_committed_files_are_what_the_program_makes() {
    for (name, content) in files() {
        assert!(
            committed(name) == content,
            "{name} differs: run `cargo run -p keyvawlt-ledger --example ledger_vectors` and read the change"
        );
    }
}

#[test]
fn every_link_gives_its_stated_result() {
    let file = read("links.json");
    let now = file["now_ms"].as_u64().unwrap();
    let org_id: OrgId = text(&file, "org_id").parse().unwrap();
    let mut states = vec![Replica::new(org_id)];
    for case in cases(&file, "valid") {
        let mut replica = states.last().unwrap().clone();
        let applied = replica.append(&signed(case), now).unwrap();
        assert_eq!(applied.hash.to_string(), text(case, "hash"));
        assert_eq!(replica.head().state_hash().to_string(), text(case, "state_hash"));
        states.push(replica);
    }
    for case in cases(&file, "invalid") {
        let replica = &states[after(case)];
        let fault = apply(&replica.head(), replica.tip(), &signed(case), now).unwrap_err();
        assert_eq!(fault.code.as_str(), text(case, "error"), "{}: {fault}", text(case, "name"));
    }
    let kinds: BTreeSet<u8> = cases(&file, "valid").iter().map(|case| Link::from_bytes(signed(case).payload()).unwrap().kind).collect();
    assert_eq!(kinds, (1..=15).collect());
}

#[test]
fn every_manifest_link_gives_its_stated_result() {
    let file = read("manifest.json");
    let ns_id: NsId = text(&file, "ns_id").parse().unwrap();
    let mut world = World::begins();
    world.replica = until(usize::MAX);
    world.now = file["now_ms"].as_u64().unwrap();
    let created = cases(&read("links.json"), "valid").iter().map(signed).find(|signed| {
        let body = Link::from_bytes(signed.payload()).unwrap().body;
        matches!(body, keyvawlt_ledger::cbor::Value::Array(fields) if fields[0] == ns_id.to_value())
    });
    let tip = ManifestTip::before_first(world.org_id(), ns_id, created.unwrap().hash(hash::LINK));
    let empty = crate::world::Manifest { tip, leaves: BTreeMap::new(), tree: keyvawlt_ledger::merkle::Tree::default(), links: vec![] };
    world.manifests.insert(ns_id, empty);
    let mut worlds = vec![world];
    for case in cases(&file, "valid") {
        let mut next = worlds.last().unwrap().clone();
        let applied = next.judges(&ns_id, &signed(case)).unwrap();
        assert_eq!(applied.hash.to_string(), text(case, "hash"));
        worlds.push(next);
    }
    for case in cases(&file, "invalid") {
        let fault = worlds[after(case)].clone().judges(&ns_id, &signed(case)).unwrap_err();
        assert_eq!(fault.code.as_str(), text(case, "error"), "{}: {fault}", text(case, "name"));
    }
    assert!(ManifestLink::from_bytes(signed(&cases(&file, "valid")[0]).payload()).unwrap().ops[0].secret_id.0 == id("a"));
}

#[test]
fn the_state_gives_its_hash() {
    let file = read("state.json");
    let entries: BTreeMap<Key, Entry> = cases(&file, "entries")
        .iter()
        .map(|case| {
            let key = Key::from_bytes(hex::decode(text(case, "key")).unwrap());
            let entry = Entry::from_bytes(&key, &hex::decode(text(case, "value")).unwrap()).unwrap();
            (key, entry)
        })
        .collect();
    assert_eq!(state_hash(&entries).to_string(), text(&file, "state_hash"));
}

#[test]
fn trees_give_the_known_answers() {
    let file = read("merkle.json");
    let hashes = |list: &Json| -> Vec<Hash> { list.as_array().unwrap().iter().map(|h| h.as_str().unwrap().parse().unwrap()).collect() };
    let leaves: Vec<Vec<u8>> = cases(&file, "leaves").iter().map(|leaf| hex::decode(leaf.as_str().unwrap()).unwrap()).collect();
    let roots = hashes(&file["roots"]);
    for (size, known) in roots.iter().enumerate() {
        assert_eq!(root(&leaves[..size]), *known, "{size} leaves");
    }
    for case in cases(&file, "paths") {
        let (index, size) = (case["index"].as_u64().unwrap(), case["size"].as_u64().unwrap());
        let (at, count) = (usize::try_from(index).unwrap(), usize::try_from(size).unwrap());
        let leaf_hashes: Vec<Hash> = leaves[..count].iter().map(|leaf| leaf_hash(leaf)).collect();
        let path = hashes(&case["path"]);
        assert_eq!(prove(&leaf_hashes, at).unwrap(), path);
        verify_inclusion(leaf_hashes[at], index, size, &path, &roots[count]).unwrap();
    }
}
