//! Manifests: every row of the judgement, and what fences and owed keys hold back.

use crate::people::{Person, bytes, id};
use crate::world::{ALL, DAY, HOUR, MINUTE, READ, START, WRITE, World};
use crate::writing::sign_manifest;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::{Access, Body, Checkpoint, Fence, Head, KeyRotate, Link, NamespaceSet, class, role};
use keyvawlt_ledger::manifest::{Anchor, DELETED, DRAFT, Leaf, ManifestLink};
use keyvawlt_ledger::{Code, Domain, Hash, NsId, OrgId, Signed};

/// Production, with one secret `a` that Wendy wrote.
fn house() -> (World, NsId, Person) {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let wendy = world.adds("wendy", role::MEMBER);
    world.gives(&production, &wendy, WRITE);
    world.writes(&wendy, &production, vec![world.fresh(&production, "a", 0)]);
    (world, production, wendy)
}

#[test]
fn secrets_are_added_changed_deleted_and_brought_back() {
    let (mut world, ns, wendy) = house();
    world.writes(&wendy, &ns, vec![world.fresh(&ns, "b", 0), world.next_version(&ns, "a"), world.fresh(&ns, "c", 1)]);
    world.writes(&wendy, &ns, vec![world.facts(&ns, "a", "expires")]);
    world.writes(&wendy, &ns, vec![world.deletion(&ns, "b")]);
    assert_eq!((world.manifests[&ns].tip.count, world.manifests[&ns].tip.live), (3, 2));
    let back = world.next_version(&ns, "b");
    world.writes(&wendy, &ns, vec![Leaf { flags: 0, ..back }]);
    assert_eq!(world.manifests[&ns].tip.live, 3);
    world.writes(&wendy, &ns, vec![]);
    assert_eq!((world.manifests[&ns].tip.mseq, world.manifests[&ns].tip.author), (6, Some(wendy.id)));
}

#[test]
fn a_draft_is_a_leaf_of_its_own_and_is_committed_in_one_link() {
    let (mut world, ns, wendy) = house();
    let draft = Leaf { flags: DRAFT, ..world.fresh(&ns, "staged", 0) };
    world.writes(&wendy, &ns, vec![draft]);
    let live = Leaf { flags: 0, ..world.next_version(&ns, "staged") };
    world.refuses_write(Code::Rollback, &wendy, &ns, vec![live]);
    let commits = vec![world.next_version(&ns, "a"), world.deletion(&ns, "staged")];
    assert_eq!(commits[1].flags, DRAFT | DELETED);
    world.writes(&wendy, &ns, commits);
}

#[test]
fn a_link_has_its_place_and_nothing_else() {
    let (world, ns, wendy) = house();
    let good = world.manifest_link(&wendy, &ns, vec![]);
    let refuses = |code, link: ManifestLink| world.refuses_signed_manifest(code, &ns, &sign_manifest(&wendy, &link));
    refuses(Code::OrgId, ManifestLink { org_id: OrgId([1; 32]), ..good.clone() });
    refuses(Code::UnknownNamespace, ManifestLink { ns_id: world.directory, ..good.clone() });
    for other in [0, 1, 3, u64::MAX] {
        refuses(Code::Rollback, ManifestLink { mseq: other, ..good.clone() });
    }
    refuses(Code::Fork, ManifestLink { history: Hash::ZERO, ..good.clone() });
    let earlier = world.replica.link(2).unwrap().0;
    refuses(Code::Rollback, ManifestLink { anchor: Anchor { seq: 2, link_hash: earlier }, ..good.clone() });
    refuses(Code::Fork, ManifestLink { anchor: Anchor { link_hash: Hash::ZERO, ..good.anchor.clone() }, ..good.clone() });
    refuses(Code::Upgrade, ManifestLink { v: 2, ..good });
}

/// TV42, TV26
#[test]
fn time_never_goes_back_behind_the_manifest_or_the_anchor() {
    let (mut world, ns, wendy) = house();
    world.waits(HOUR);
    world.writes(&wendy, &ns, vec![]);
    let good = world.manifest_link(&wendy, &ns, vec![]);
    world.refuses_manifest(Code::Clock, &wendy, &ManifestLink { ts_ms: world.now - 1, ..good.clone() });
    world.refuses_manifest(Code::Clock, &wendy, &ManifestLink { ts_ms: world.now + 10 * MINUTE + 1, ..good });
    world.waits(HOUR);
    world.accepts(&wendy, Checkpoint { state_hash: None });
    let good = world.manifest_link(&wendy, &ns, vec![]);
    world.refuses_manifest(Code::Clock, &wendy, &ManifestLink { ts_ms: world.now - 1, ..good });
}

/// TV14, TV10
#[test]
fn a_link_is_signed_by_a_member_with_the_current_key() {
    let (mut world, ns, wendy) = house();
    let good = world.manifest_link(&wendy, &ns, vec![]);
    let payload = good.to_bytes();
    world.refuses_signed_manifest(Code::Sig, &ns, &Signed::make(&wendy.sign, Domain::OrgLink, payload.clone()));
    world.refuses_signed_manifest(Code::Sig, &ns, &Signed::make(&world.owner.sign, Domain::Manifest, payload));
    world.refuses_write(Code::Author, &Person::named("stranger"), &ns, vec![]);
    let next = wendy.renewed();
    world.accepts(&wendy, world.rotation(&wendy, &next));
    world.refuses_write(Code::Author, &wendy, &ns, vec![]);
    world.writes(&next, &ns, vec![]);
}

/// TV10, TV40
#[test]
fn only_writers_write_and_only_where_they_may() {
    let (mut world, ns, wendy) = house();
    let folder = world.folder("folder", &ns);
    let (reader, inner) = (world.adds("reader", role::MEMBER), world.adds("inner", role::MEMBER));
    world.gives(&ns, &reader, READ);
    world.gives(&folder, &inner, ALL);
    world.refuses_write(Code::Authority, &reader, &ns, vec![world.next_version(&ns, "a")]);
    world.refuses_write(Code::Authority, &inner, &ns, vec![world.next_version(&ns, "a")]);
    world.writes(&inner, &folder, vec![world.fresh(&folder, "x", 0)]);
    world.writes(&wendy, &folder, vec![world.fresh(&folder, "y", 0)]);
    let owner = world.owner.clone();
    world.accepts(&owner, NamespaceSet { archived: Some(true), ..World::change(&ns) });
    world.refuses_write(Code::Authority, &wendy, &folder, vec![]);
}

#[test]
fn leaves_follow_one_another() {
    let (mut world, ns, wendy) = house();
    world.writes(&wendy, &ns, vec![world.fresh(&ns, "b", 0)]);
    let refuses = |code, leaf: Leaf| world.refuses_write(code, &wendy, &ns, vec![leaf]);
    let next = world.next_version(&ns, "a");
    refuses(Code::Rollback, Leaf { version: 3, ..next.clone() });
    refuses(Code::Rollback, Leaf { version: 1, ..next.clone() });
    refuses(Code::Rollback, Leaf { version: 0, ..next.clone() });
    refuses(Code::Rollback, Leaf { index: 1, ..next.clone() });
    refuses(Code::Rollback, Leaf { epoch: 2, ..next.clone() });
    refuses(Code::Canon, Leaf { mseq: 1, ..next.clone() });
    refuses(Code::Canon, Leaf { flags: 4, ..next.clone() });
    refuses(Code::Canon, Leaf { flags: DELETED, ..next.clone() });
    refuses(Code::Canon, Leaf { payload_hash: Hash::ZERO, ..next.clone() });
    refuses(Code::Rollback, Leaf { name_hash: Hash(bytes("other")), ..world.deletion(&ns, "a") });
    refuses(Code::Rollback, Leaf { name_hash: Hash(bytes("other")), ..world.facts(&ns, "a", "f") });
    let fresh = world.fresh(&ns, "c", 0);
    refuses(Code::Rollback, Leaf { version: 2, ..fresh.clone() });
    refuses(Code::Rollback, Leaf { epoch: 2, ..fresh.clone() });
    refuses(Code::Rollback, Leaf { flags: DELETED, payload_hash: Hash::ZERO, dek_hash: Hash::ZERO, ..fresh.clone() });
    world.refuses_write(Code::Rollback, &wendy, &ns, vec![world.fresh(&ns, "d", 1), world.fresh(&ns, "c", 0)]);
    world.refuses_write(Code::Canon, &wendy, &ns, vec![next.clone(), next]);
}

/// BW05, DL01
#[test]
fn operations_give_the_signed_root_and_count() {
    let (world, ns, wendy) = house();
    let good = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "a"), world.fresh(&ns, "b", 0)]);
    world.refuses_manifest(Code::Root, &wendy, &ManifestLink { root: Hash::ZERO, ..good.clone() });
    world.refuses_manifest(Code::Root, &wendy, &ManifestLink { count: 3, ..good.clone() });
    world.refuses_manifest(Code::Root, &wendy, &ManifestLink { count: 1, ops: good.ops[..1].to_vec(), ..good.clone() });
    let beat = world.manifest_link(&wendy, &ns, vec![]);
    world.refuses_manifest(Code::Root, &wendy, &ManifestLink { root: good.root, ..beat });
}

/// TV15, TV27
#[test]
fn second_forms_and_too_much_are_refused() {
    let (world, ns, wendy) = house();
    let good = world.manifest_link(&wendy, &ns, vec![]);
    let bytes = |code, payload: Vec<u8>| world.refuses_signed_manifest(code, &ns, &Signed::make(&wendy.sign, Domain::Manifest, payload));
    bytes(Code::Canon, [good.to_bytes(), vec![0]].concat());
    let Value::Map(mut pairs) = cbor::decode(&good.to_bytes()).unwrap() else { panic!("a link is a map") };
    pairs.push((15, Value::Uint(0)));
    bytes(Code::Upgrade, cbor::encode(&Value::Map(pairs)));
    bytes(Code::Limit, vec![0; 256 * 1024 + 1]);
    let head = world.head(&ns);
    world.refuses_manifest(Code::Limit, &wendy, &ManifestLink { with: vec![head; 9], ..good.clone() });
    let ops = (0..1001).map(|n| world.fresh(&ns, &format!("s{n}"), n)).collect();
    world.refuses_manifest(Code::Limit, &wendy, &ManifestLink { ops, ..good });
}

// Owed keys

/// TV53
#[test]
fn an_owed_key_lets_only_deletions_and_heartbeats_pass() {
    let (mut world, ns, wendy) = house();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&ns, &bob, READ);
    let folder = world.folder("folder", &ns);
    world.writes(&wendy, &folder, vec![world.fresh(&folder, "x", 0)]);
    world.accepts(&owner, world.removal(&bob));
    for (at, label) in [(ns, "a"), (folder, "x")] {
        world.refuses_write(Code::Owed, &wendy, &at, vec![world.next_version(&at, label)]);
        world.refuses_write(Code::Owed, &wendy, &at, vec![world.fresh(&at, "new", 0)]);
        world.refuses_write(Code::Owed, &wendy, &at, vec![world.facts(&at, label, "f")]);
    }
    let mut paused = world.clone();
    paused.writes(&wendy, &ns, vec![]);
    paused.writes(&wendy, &ns, vec![paused.deletion(&ns, "a")]);
    world.accepts(&wendy, world.epoch(&ns));
    world.writes(&wendy, &ns, vec![world.next_version(&ns, "a")]);
    world.refuses_write(Code::Owed, &wendy, &folder, vec![world.next_version(&folder, "x")]);
    world.accepts(&wendy, world.epoch(&folder));
    world.writes(&wendy, &folder, vec![world.next_version(&folder, "x")]);
}

#[test]
fn a_write_stands_under_the_epoch_at_its_anchor() {
    let (mut world, ns, wendy) = house();
    let stale = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "a")]);
    let owner = world.owner.clone();
    world.accepts(&owner, world.epoch(&ns));
    let tip = world.replica.tip();
    let anchor = Anchor { seq: tip.next_seq() - 1, link_hash: tip.link_hash };
    world.refuses_manifest(Code::Fence, &wendy, &stale);
    world.refuses_manifest(Code::Owed, &wendy, &ManifestLink { anchor, ..stale });
}

/// TV42
#[test]
fn a_lapsed_writer_cannot_write_and_a_heartbeat_keeps_him_from_dating_back() {
    let (mut world, ns, wendy) = house();
    let temp = world.adds("temp", role::MEMBER);
    let end = START + DAY;
    world.gives_until(&ns, &temp, WRITE, end);
    world.writes(&temp, &ns, vec![]);
    world.waits(DAY);
    world.refuses_write(Code::Authority, &temp, &ns, vec![]);
    let dated_back = |world: &World| ManifestLink { ts_ms: end - 1, ..world.manifest_link(&temp, &ns, vec![]) };
    world.clone().judges(&ns, &sign_manifest(&temp, &dated_back(&world))).expect("a server that lies can let this pass until");
    world.writes(&wendy, &ns, vec![]);
    world.refuses_manifest(Code::Clock, &temp, &dated_back(&world));
}

// Fences

/// TV08
#[test]
fn whoever_lost_write_adds_nothing_with_an_older_anchor() {
    let ends: [fn(&mut World, &NsId, &Person); 6] = [
        |world, _, bob| drop(world.accepts(&world.owner.clone(), world.removal(bob))),
        |world, _, bob| drop(world.accepts(&world.owner.clone(), world.reset(bob, &bob.renewed()))),
        |world, _, bob| drop(world.accepts(bob, KeyRotate { compromised: true, ..world.rotation(bob, &bob.renewed()) })),
        |world, ns, bob| world.gives(ns, bob, READ),
        |world, ns, bob| world.gives(ns, bob, 0),
        |world, ns, bob| {
            let fences = world.family_heads(ns);
            let sooner = Access { expires_ms: world.now + HOUR, wrap: None, fences, ..world.access(ns, bob, WRITE) };
            world.accepts(&world.owner.clone(), sooner);
            world.waits(DAY);
        },
    ];
    for end in ends {
        let (mut world, ns, wendy) = house();
        let folder = world.folder("folder", &ns);
        let bob = world.adds("bob", role::MEMBER);
        world.gives(&ns, &bob, WRITE);
        world.writes(&bob, &ns, vec![]);
        let (old, old_below) = (world.manifest_link(&bob, &ns, vec![]), world.manifest_link(&bob, &folder, vec![]));
        world.clone().judges(&ns, &sign_manifest(&bob, &old)).expect("before the loss it is a write like any other");
        end(&mut world, &ns, &bob);
        world.refuses_manifest(Code::Fence, &bob, &old);
        world.refuses_manifest(Code::Fence, &bob, &old_below);
        world.writes(&wendy, &ns, vec![]);
    }
}

/// TV08
#[test]
fn writes_hidden_until_a_fence_arrives_are_found_then() {
    let (mut world, ns, _) = house();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&ns, &bob, WRITE);
    let honest = world.clone();
    // To one client the server shows a write of Bob's that it hides from whoever removes him.
    world.writes(&bob, &ns, vec![]);
    let removal = honest.signs(&honest.owner, &Body::MemberRemove(honest.removal(&bob)));
    world.takes(&removal).unwrap();
    let fault = world.manifests[&ns].tip.check_fences(world.replica.fences(&ns)).unwrap_err();
    assert_eq!(fault.code, Code::Fence);
    let owner = world.owner.clone();
    world.refuses_write(Code::Fence, &owner, &ns, vec![]);
    honest.manifests[&ns].tip.check_fences(world.replica.fences(&ns)).unwrap();
}

#[test]
fn a_manifest_contains_the_fenced_head() {
    let (mut world, ns, wendy) = house();
    let other = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "a")]);
    world.writes(&wendy, &ns, vec![]);
    let head = world.head(&ns);
    let fences = [Fence { mseq: head.mseq, mhash: head.mhash, seq: other.anchor.seq }];
    let mut forked = world.clone();
    let manifest = forked.manifests.get_mut(&ns).unwrap();
    manifest.tip.mhash = Hash(bytes("another second link"));
    assert_eq!(manifest.tip.check_fences(&fences).unwrap_err().code, Code::Fence);
    assert!(world.manifests[&ns].tip.check_fences(&fences).is_ok());
    let owner = world.owner.clone();
    let goes_back = Head { mseq: 1, mhash: Hash(bytes("first")), ns_id: ns };
    let seen = Link { seen: vec![head], ..world.link(&owner, &Body::Checkpoint(Checkpoint { state_hash: None })) };
    world.takes(&crate::world::sign(&owner, &seen)).unwrap();
    world.refuses(Code::Fence, &owner, keyvawlt_ledger::chain::NamespaceEpoch { fence: goes_back, ..world.epoch(&ns) });
    assert_eq!(world.manifests[&ns].leaves.len(), 1);
    assert!(world.manifests[&ns].leaves.contains_key(&keyvawlt_ledger::SecretId(id("a"))));
}
