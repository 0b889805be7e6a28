//! A manifest's newest link by itself: what somebody who does not read the namespace can hold against the server.

use crate::people::{Person, bytes};
use crate::world::{DAY, HOUR, READ, WRITE, World};
use crate::writing::sign_manifest;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Head, MemberRemove, Questions, class, role};
use keyvawlt_ledger::manifest::{Anchored, ManifestLink, NewestLink, verify_newest};
use keyvawlt_ledger::{Code, Domain, Fault, Hash, NsId, OrgId, Signed};

/// Production, where Wendy wrote twice.
fn house() -> (World, NsId, Person) {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let wendy = world.adds("wendy", role::MEMBER);
    world.gives(&production, &wendy, WRITE);
    world.writes(&wendy, &production, vec![world.fresh(&production, "a", 0)]);
    world.writes(&wendy, &production, vec![world.fresh(&production, "b", 0)]);
    (world, production, wendy)
}

fn judge(world: &World, ns: &NsId, signed: &Signed) -> Result<NewestLink, Fault> {
    let seq = ManifestLink::from_bytes(signed.payload())?.anchor.seq;
    let (link_hash, ts_ms) = world.replica.link(seq).expect("a known anchor");
    let state = world.replica.at(seq).expect("a known anchor");
    let anchored = Anchored { state: &state, link_hash, ts_ms, fences: world.replica.fences(ns) };
    let seen = world.replica.head().ns(ns).and_then(|ns| ns.seen);
    verify_newest(&anchored, seen.as_ref(), (&world.org_id(), ns), signed, world.now)
}

#[track_caller]
fn refuses(world: &World, ns: &NsId, code: Code, signed: &Signed) {
    assert_eq!(judge(world, ns, signed).expect_err("refused").code, code);
}

#[test]
fn the_newest_link_gives_the_head_that_a_fence_names() {
    let (mut world, ns, wendy) = house();
    let newest = world.manifests[&ns].links.last().unwrap().clone();
    let verified = judge(&world, &ns, &newest).unwrap();
    assert_eq!(verified, NewestLink { head: world.head(&ns), author: wendy.id });
    let fences = vec![verified.head];
    let owner = world.owner.clone();
    world.accepts(&owner, MemberRemove { identity_id: wendy.id, fences, abandon: false });
    judge(&world, &ns, &newest).expect("what is fenced stays the newest");
}

/// TV08, TV10
#[test]
fn only_a_writer_makes_a_head_and_only_with_his_own_key() {
    let (mut world, ns, wendy) = house();
    let good = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "a")]);
    judge(&world, &ns, &sign_manifest(&wendy, &good)).unwrap();
    refuses(&world, &ns, Code::Sig, &sign_manifest(&world.owner, &good));
    refuses(&world, &ns, Code::Sig, &Signed::make(&wendy.sign, Domain::OrgLink, good.to_bytes()));
    refuses(
        &world,
        &ns,
        Code::Author,
        &sign_manifest(&Person::named("stranger"), &ManifestLink { author_id: Person::named("stranger").id, ..good.clone() }),
    );
    let reader = world.adds("reader", role::MEMBER);
    world.gives(&ns, &reader, READ);
    let by_reader = world.manifest_link(&reader, &ns, vec![]);
    refuses(&world, &ns, Code::Authority, &sign_manifest(&reader, &by_reader));
    let refuses = |code, link: ManifestLink| refuses(&world, &ns, code, &sign_manifest(&wendy, &link));
    refuses(Code::OrgId, ManifestLink { org_id: OrgId([1; 32]), ..good.clone() });
    refuses(Code::UnknownNamespace, ManifestLink { ns_id: world.directory, ..good.clone() });
    refuses(Code::Rollback, ManifestLink { mseq: 0, ..good.clone() });
    refuses(Code::Upgrade, ManifestLink { v: 2, ..good.clone() });
    refuses(Code::Owed, ManifestLink { epoch: 2, ..good.clone() });
    refuses(Code::Clock, ManifestLink { ts_ms: world.now - HOUR, ..good.clone() });
    refuses(Code::Clock, ManifestLink { ts_ms: world.now + DAY, ..good.clone() });
    refuses(
        Code::Fork,
        ManifestLink { anchor: keyvawlt_ledger::manifest::Anchor { link_hash: Hash(bytes("x")), ..good.anchor.clone() }, ..good },
    );
}

/// TV08, TV01
#[test]
fn a_head_behind_or_against_what_the_chain_names_is_refused() {
    let (mut world, ns, wendy) = house();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&ns, &bob, WRITE);
    let old = world.manifest_link(&bob, &ns, vec![]);
    let rival = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "b")]);
    let first = world.manifests[&ns].links[0].clone();
    world.writes(&wendy, &ns, vec![]);
    let owner = world.owner.clone();
    world.accepts(&owner, world.removal(&bob));
    refuses(&world, &ns, Code::Rollback, &first);
    refuses(&world, &ns, Code::Fence, &sign_manifest(&wendy, &rival));
    refuses(&world, &ns, Code::Fence, &sign_manifest(&bob, &ManifestLink { mseq: old.mseq + 1, ..old }));

    // A head that a link vouches for binds as well.
    let (mut world, ns, wendy) = house();
    let other = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "b")]);
    world.writes(&wendy, &ns, vec![]);
    let owner = world.owner.clone();
    let seen: Vec<Head> = vec![world.head(&ns)];
    let beat = keyvawlt_ledger::chain::Body::Checkpoint(keyvawlt_ledger::chain::Checkpoint { state_hash: None });
    let vouching = keyvawlt_ledger::chain::Link { seen, ..world.link(&owner, &beat) };
    world.takes(&crate::world::sign(&owner, &vouching)).unwrap();
    let first = world.manifests[&ns].links[0].clone();
    refuses(&world, &ns, Code::Rollback, &first);
    refuses(&world, &ns, Code::Fork, &sign_manifest(&wendy, &other));
}

/// TV53
#[test]
fn a_head_that_writes_while_the_key_is_owed_is_refused() {
    let (mut world, ns, wendy) = house();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&ns, &bob, READ);
    let owner = world.owner.clone();
    world.accepts(&owner, world.removal(&bob));
    let beat = world.manifest_link(&wendy, &ns, vec![]);
    judge(&world, &ns, &sign_manifest(&wendy, &beat)).unwrap();
    let write = world.manifest_link(&wendy, &ns, vec![world.next_version(&ns, "a")]);
    refuses(&world, &ns, Code::Owed, &sign_manifest(&wendy, &write));
}
