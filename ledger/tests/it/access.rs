//! Type 13: who gives which access to whom.

use crate::people::{Person, bytes};
use crate::world::{ALL, DAY, HOUR, MANAGE, READ, WRITE, World};
use keyvawlt_ledger::chain::{Access, MemberSet, NamespaceSet, Questions, class, role};
use keyvawlt_ledger::{Code, Hash, NsId};

/// Olga's production, and Mia who manages it.
fn managed() -> (World, NsId, Person, Person) {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let mia = world.adds("mia", role::MEMBER);
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &mia, ALL);
    (world, production, mia, bob)
}

#[test]
fn those_who_manage_and_write_give_access_with_a_wrap() {
    let (mut world, production, mia, bob) = managed();
    let gives = world.access(&production, &bob, WRITE);
    world.refuses(Code::Wrap, &mia, Access { wrap: None, ..gives.clone() });
    world.refuses(Code::Authority, &bob, gives.clone());
    let applied = world.accepts(&mia, gives);
    assert_eq!((applied.needs.len(), world.may(&bob, &production)), (1, WRITE));
    world.gives(&production, &mia, READ | MANAGE);
    let eve = world.adds("eve", role::MEMBER);
    world.refuses(Code::Authority, &mia, world.access(&production, &eve, READ));
    world.accepts(&mia, world.access(&production, &eve, MANAGE));
    let owner = world.owner.clone();
    world.refuses(Code::Wrap, &owner, Access { wrap: Some(Hash(bytes("w"))), ..world.access(&production, &eve, MANAGE) });
}

#[test]
fn only_possible_permissions_are_given_and_only_to_active_members() {
    let (mut world, production, mia, bob) = managed();
    for impossible in [2, 6, 8, 255] {
        world.refuses(Code::Canon, &mia, Access { permissions: impossible, ..world.access(&production, &bob, READ) });
    }
    world.refuses(Code::Authority, &mia, world.access(&production, &Person::named("stranger"), READ));
    world.refuses(Code::Authority, &mia, world.access(&production, &bob, 0));
    world.refuses(Code::UnknownNamespace, &mia, Access { ns_id: NsId([7; 16]), ..world.access(&production, &bob, READ) });
    let owner = world.owner.clone();
    world.accepts(&owner, NamespaceSet { archived: Some(true), ..World::change(&production) });
    world.refuses(Code::Authority, &mia, world.access(&production, &bob, READ));
}

#[test]
fn an_owner_without_manage_gives_manage_or_takes_but_gives_no_key() {
    let (mut world, production, mia, bob) = managed();
    let second = world.adds("second", role::OWNER);
    world.accepts(&second, world.access(&production, &bob, MANAGE));
    world.refuses(Code::Authority, &second, world.access(&production, &second, MANAGE));
    world.refuses(Code::Authority, &second, Access { wrap: Some(Hash(bytes("w"))), ..world.access(&production, &bob, READ | MANAGE) });
    world.gives_until(&production, &bob, READ | MANAGE, world.now + DAY);
    let longer = Access { expires_ms: 0, ..world.access(&production, &bob, READ | MANAGE) };
    world.refuses(Code::Authority, &second, longer);
    world.accepts(&second, world.access(&production, &bob, 0));
    assert!(world.owes(&production) && world.may(&mia, &production) == ALL);
}

/// TV52
#[test]
fn nobody_raises_himself_or_gives_longer_than_he_has() {
    let (mut world, production, mia, bob) = managed();
    let end = world.now + DAY;
    let owner = world.owner.clone();
    world.accepts(&owner, Access { expires_ms: end, fences: world.family_heads(&production), ..world.access(&production, &mia, ALL) });
    let own = world.access(&production, &mia, ALL);
    world.refuses(Code::Authority, &mia, Access { expires_ms: 0, ..own.clone() });
    world.refuses(Code::Authority, &mia, Access { expires_ms: end, wrap: Some(Hash(bytes("w"))), ..own });
    for too_late in [0, end + 1] {
        world.refuses(Code::Authority, &mia, Access { expires_ms: too_late, ..world.access(&production, &bob, READ) });
    }
    world.clone().accepts(&mia, Access { expires_ms: end, ..world.access(&production, &bob, READ) });
    world.accepts(&mia, Access { expires_ms: end, ..world.access(&production, &mia, READ) });
    world.refuses(Code::Authority, &mia, Access { expires_ms: end, ..world.access(&production, &mia, WRITE) });
}

#[test]
fn a_key_given_ends_with_the_givers_write_even_where_he_manages_for_ever() {
    let (mut world, production, _, bob) = managed();
    let folder = world.folder("folder", &production);
    let mo = world.adds("mo", role::MEMBER);
    let end = world.now + DAY;
    world.gives(&production, &mo, MANAGE);
    world.gives_until(&folder, &mo, WRITE, end);
    world.refuses(Code::Authority, &mo, world.access(&folder, &bob, READ));
    world.accepts(&mo, Access { expires_ms: end, ..world.access(&folder, &bob, READ) });
}

#[test]
fn lowering_admins_needs_an_owner_raising_them_does_not() {
    let (mut world, production, mia, _) = managed();
    let admin = world.adds("admin", role::ADMIN);
    world.accepts(&mia, world.access(&production, &admin, WRITE));
    world.refuses(Code::Authority, &mia, world.access(&production, &admin, READ));
    world.refuses(Code::Authority, &mia, world.access(&production, &admin, 0));
    let sooner =
        Access { expires_ms: world.now + DAY, fences: world.family_heads(&production), ..world.access(&production, &admin, WRITE) };
    world.refuses(Code::Authority, &mia, sooner.clone());
    let owner = world.owner.clone();
    world.clone().accepts(&owner, sooner);
    world.accepts(&owner, world.access(&production, &admin, READ));
    world.accepts(&mia, world.access(&production, &admin, WRITE));
}

#[test]
fn lost_write_is_fenced_with_all_folders_below() {
    let (mut world, production, mia, bob) = managed();
    let folder = world.folder("folder", &production);
    world.accepts(&mia, world.access(&production, &bob, WRITE));
    let lowers = world.access(&production, &bob, READ);
    assert_eq!(lowers.fences.len(), 2);
    world.refuses(Code::Fence, &mia, Access { fences: vec![], ..lowers.clone() });
    world.refuses(Code::Fence, &mia, Access { fences: vec![world.head(&production)], ..lowers.clone() });
    world.refuses(Code::Fence, &mia, Access { fences: vec![world.head(&production); 2], ..lowers.clone() });
    let mut false_head = lowers.clone();
    false_head.fences[0].mhash = Hash::ZERO;
    world.refuses(Code::Fork, &mia, false_head);
    // An end that comes sooner is hidden by an older anchor in the same way.
    let sooner = Access { expires_ms: world.now + HOUR, wrap: None, ..world.access(&production, &bob, WRITE) };
    world.refuses(Code::Fence, &mia, sooner);
    world.accepts(&mia, lowers);
    assert_eq!(world.replica.fences(&folder).len(), 1);
    assert!(!world.owes(&production), "he still reads");
}

#[test]
fn a_membership_that_ends_sooner_is_fenced_where_the_member_writes() {
    let (mut world, production, _, bob) = managed();
    world.gives(&production, &bob, WRITE);
    let owner = world.owner.clone();
    let sooner = MemberSet { expires_ms: world.now + HOUR, ..world.setting(&bob) };
    world.refuses(Code::Fence, &owner, sooner.clone());
    world.accepts(&owner, MemberSet { fences: world.fences_of(&bob), ..sooner });
    assert_eq!(world.replica.fences(&production).len(), 1);
    world.accepts(&owner, MemberSet { expires_ms: 0, ..world.setting(&bob) });
}

#[test]
fn machines_hold_one_class_and_manage_nothing() {
    let (mut world, production, mia, _) = managed();
    let development = world.environment("development", class::DEVELOPMENT);
    let staging = world.environment("staging", class::STAGING);
    let robot = world.adds("robot", role::MACHINE);
    let owner = world.owner.clone();
    for never in [MANAGE, READ | MANAGE, ALL] {
        world.refuses(Code::Authority, &mia, world.access(&production, &robot, never));
    }
    world.refuses(Code::Authority, &owner, world.access(&world.directory, &robot, READ));
    world.gives(&development, &robot, READ);
    world.gives(&staging, &robot, READ);
    world.refuses(Code::Authority, &owner, world.access(&production, &robot, READ));
    world.refuses(Code::Authority, &owner, NamespaceSet { class: Some(class::PRODUCTION), ..World::change(&staging) });
    world.gives(&development, &robot, 0);
    world.accepts(&owner, NamespaceSet { class: Some(class::PRODUCTION), ..World::change(&staging) });
    world.gives(&production, &robot, READ);
}

#[test]
fn access_is_the_union_of_what_is_given_here_and_above() {
    let (mut world, production, _, bob) = managed();
    let folder = world.folder("folder", &production);
    let deep = world.folder("deep", &folder);
    world.gives(&folder, &bob, WRITE);
    assert_eq!([production, folder, deep].map(|ns| world.may(&bob, &ns)), [0, WRITE, WRITE]);
    world.gives(&production, &bob, MANAGE);
    assert_eq!([production, folder, deep].map(|ns| world.may(&bob, &ns)), [MANAGE, ALL, ALL]);
    assert_eq!(world.replica.head().lineage(&deep), [deep, folder, production]);
}
