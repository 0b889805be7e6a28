//! What holds for every link, in the order of its checks: size, bytes, version, place, time, author, signature, heads.

use crate::people::{Person, bytes, id};
use crate::world::{HOUR, MINUTE, START, World, genesis, policy, sign};
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::{Body, Checkpoint, Head, Link, MemberAdd, NamespaceCreate, Replica, View, class, role};
use keyvawlt_ledger::{Code, Domain, Hash, NsId, OrgId, Signed};

fn beat(world: &World) -> Link {
    world.link(&world.owner, &Body::Checkpoint(Checkpoint { state_hash: None }))
}

fn refuses_bytes(world: &World, code: Code, payload: Vec<u8>) {
    world.refuses_signed(code, &Signed::make(&world.owner.sign, Domain::OrgLink, payload));
}

/// TV13
#[test]
fn a_link_of_another_organization_is_refused() {
    let world = World::begins();
    world.refuses_link(Code::OrgId, &world.owner, &Link { org_id: OrgId([1; 32]), ..beat(&world) });
    let (signed, _) = genesis(&world.owner, &policy(), START);
    let fault = Replica::new(OrgId([1; 32])).append(&signed, START).unwrap_err();
    assert_eq!(fault.code, Code::OrgId);
}

#[test]
fn an_organization_is_the_hash_of_its_genesis() {
    let owner = Person::named("olga");
    let (signed, org_id) = genesis(&owner, &policy(), START);
    let mut link = Link::from_bytes(signed.payload()).unwrap();
    link.ts_ms += 1;
    assert_eq!(Replica::new(org_id).append(&sign(&owner, &link), START).unwrap_err().code, Code::OrgId);
    Replica::new(org_id).append(&signed, START).unwrap();
    let machine = Person::machine("robot");
    let (signed, org_id) = genesis(&machine, &policy(), START);
    assert_eq!(Replica::new(org_id).append(&signed, START).unwrap_err().code, Code::Authority);
}

#[test]
fn a_chain_begins_with_its_genesis_and_its_directory() {
    let owner = Person::named("olga");
    let (signed, org_id) = genesis(&owner, &policy(), START);
    let mut world = World::begins();
    world.replica = Replica::new(org_id);
    world.refuses(Code::OrgId, &owner, Checkpoint { state_hash: None });
    world.replica.append(&signed, START).unwrap();
    world.refuses(Code::Authority, &owner, Checkpoint { state_hash: None });
    world.refuses(Code::Authority, &owner, world.root(class::PRODUCTION));
    world.refuses_signed(Code::Rollback, &signed);
    world.accepts(&owner, NamespaceCreate { ns_id: NsId(id("directory")), ..world.root(class::DIRECTORY) });
}

/// TV01
#[test]
fn links_continue_the_newest_one_and_nothing_else() {
    let world = World::begins();
    let link = beat(&world);
    for other in [0, 1, link.seq + 1, u64::MAX] {
        let code = if other == 0 { Code::OrgId } else { Code::Rollback };
        world.refuses_link(code, &world.owner, &Link { seq: other, ..link.clone() });
    }
    world.refuses_link(Code::Fork, &world.owner, &Link { history: Hash::ZERO, ..link });
}

/// TV26
#[test]
fn time_stamps_never_go_back_and_never_far_ahead() {
    let mut world = World::begins();
    world.waits(HOUR);
    let owner = world.owner.clone();
    world.accepts(&owner, Checkpoint { state_hash: None });
    world.refuses_link(Code::Clock, &owner, &Link { ts_ms: world.now - 1, ..beat(&world) });
    world.refuses_link(Code::Clock, &owner, &Link { ts_ms: world.now + 10 * MINUTE + 1, ..beat(&world) });
    world.refuses_link(Code::Clock, &owner, &Link { ts_ms: u64::MAX, ..beat(&world) });
    let ahead = Link { ts_ms: world.now + 10 * MINUTE, ..beat(&world) };
    world.takes(&sign(&owner, &ahead)).unwrap();
}

/// TV14
#[test]
fn a_signature_of_another_domain_or_key_is_refused() {
    let world = World::begins();
    let payload = beat(&world).to_bytes();
    for domain in [Domain::Manifest, Domain::Bundle, Domain::InviteJoin, Domain::HealthReport, Domain::Account] {
        world.refuses_signed(Code::Sig, &Signed::make(&world.owner.sign, domain, payload.clone()));
    }
    world.refuses_signed(Code::Sig, &Signed::make(&world.owner.auth, Domain::OrgLink, payload));
    let stranger = Person::named("stranger");
    world.refuses_link(Code::Authority, &stranger, &Link { author_key_id: stranger.key_id, ..beat(&world) });
}

/// TV15
#[test]
fn a_second_form_of_the_same_link_is_refused() {
    let world = World::begins();
    let good = beat(&world).to_bytes();
    refuses_bytes(&world, Code::Canon, [good.clone(), vec![0]].concat());
    refuses_bytes(&world, Code::Canon, good[..good.len() - 1].to_vec());
    let mut longer = good.clone();
    longer.splice(0..1, [0xb8, 0x0a]);
    refuses_bytes(&world, Code::Canon, longer);
    let mut doubled = good.clone();
    doubled[0] += 1;
    doubled.extend_from_slice(&good[good.len() - 2..]);
    refuses_bytes(&world, Code::Canon, doubled);
    let Value::Map(mut pairs) = cbor::decode(&good).unwrap() else { panic!("a link is a map") };
    pairs.push((11, Value::Bool(true)));
    refuses_bytes(&world, Code::Upgrade, cbor::encode(&Value::Map(pairs.clone())));
    pairs.truncate(9);
    refuses_bytes(&world, Code::Upgrade, cbor::encode(&Value::Map(pairs)));
    world.refuses_link(Code::Upgrade, &world.owner, &Link { v: 2, ..beat(&world) });
    world.refuses_link(Code::Upgrade, &world.owner, &Link { kind: 16, ..beat(&world) });
    world.refuses_link(Code::Upgrade, &world.owner, &Link { kind: 14, ..beat(&world) });
}

/// TV27
#[test]
fn oversized_and_deep_statements_are_refused() {
    let world = World::begins();
    refuses_bytes(&world, Code::Limit, vec![0x81; 64]);
    refuses_bytes(&world, Code::Limit, vec![0; (1 << 20) + 1]);
    let body = world.root(class::STAGING);
    let long =
        NamespaceCreate { names: keyvawlt_ledger::chain::Seal { epoch: 1, sealed: keyvawlt_ledger::Blob(vec![0; 1 << 16]) }, ..body };
    world.refuses(Code::Limit, &world.owner, long);
    let head = world.head(&world.directory);
    world.refuses_link(Code::Limit, &world.owner, &Link { seen: vec![head.clone(); 33], ..beat(&world) });
}

/// TV16
#[test]
fn weak_keys_do_not_enter() {
    let world = World::begins();
    let good = Person::named("weak").payload();
    let sign_key = SigningKey::from_bytes(&bytes("weak signs 1"));
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut weak_kem = good.kem_pk;
    weak_kem[1184..].fill(0);
    let mut high_kem = good.kem_pk;
    high_kem[..3].fill(0xff);
    let weak: [Bundle; 5] = [
        Bundle { sign_pk: identity, ..good.clone() },
        Bundle { auth_pk: identity, ..good.clone() },
        Bundle { auth_pk: good.sign_pk, ..good.clone() },
        Bundle { kem_pk: weak_kem, ..good.clone() },
        Bundle { kem_pk: high_kem, ..good.clone() },
    ];
    for payload in weak {
        let person = Person::with_bundle("weak", sign_key.clone(), sign_key.clone(), &payload);
        world.refuses(Code::WeakKey, &world.owner, world.member(&person, role::MEMBER));
    }
    for unknown in [Bundle { v: 2, ..good.clone() }, Bundle { suite: 2, ..good.clone() }, Bundle { kind: 4, ..good.clone() }] {
        let person = Person::with_bundle("weak", sign_key.clone(), sign_key.clone(), &unknown);
        world.refuses(Code::Upgrade, &world.owner, world.member(&person, role::MEMBER));
    }
    let mut forged = Person::named("weak").bundle;
    forged.sig = Person::named("other").bundle.sig;
    world.refuses(Code::Sig, &world.owner, MemberAdd { bundle: forged, ..world.member(&Person::named("weak"), role::MEMBER) });
}

/// TV46
#[test]
fn a_checkpoint_tells_the_truth_and_is_due_after_64_links() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    world.refuses(Code::State, &owner, Checkpoint { state_hash: Some(Hash::ZERO) });
    world.accepts(&owner, world.checkpoint());
    let at = world.links.len() as u64 - 1;
    while world.replica.tip().next_seq() - at <= 64 {
        world.accepts(&owner, Checkpoint { state_hash: None });
    }
    world.refuses(Code::State, &owner, Checkpoint { state_hash: None });
    let bob = world.adds("bob", role::MEMBER);
    world.accepts(&bob, world.checkpoint());
    world.accepts(&owner, Checkpoint { state_hash: None });
    assert_ne!(world.replica.head().state_hash(), world.replica.at(at).unwrap().state_hash());
}

/// TV04
#[test]
fn heads_that_links_name_go_forward_and_agree() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment("production", class::PRODUCTION);
    let seen = |world: &World, mseq, mhash| Link { seen: vec![Head { ns_id: production, mseq, mhash }], ..beat(world) };
    world.refuses_link(Code::Fork, &owner, &seen(&world, 0, Hash::ZERO));
    world.refuses_link(
        Code::UnknownNamespace,
        &owner,
        &Link { seen: vec![Head { ns_id: NsId([5; 16]), mseq: 0, mhash: Hash::ZERO }], ..beat(&world) },
    );
    world.takes(&sign(&owner, &seen(&world, 5, Hash([5; 32])))).unwrap();
    world.refuses_link(Code::Fork, &owner, &seen(&world, 5, Hash([6; 32])));
    world.refuses(Code::Fence, &owner, world.epoch(&production));
    world.takes(&sign(&owner, &seen(&world, 4, Hash([4; 32])))).unwrap();
}
