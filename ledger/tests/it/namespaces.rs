//! Types 10, 11 and 12: namespaces and their keys.

use crate::people::{Person, id};
use crate::world::{ALL, MANAGE, READ, START, WRITE, World, seal};
use keyvawlt_ledger::chain::{NamespaceCreate, NamespaceEpoch, NamespaceSet, Questions, WrapSet, class, role};
use keyvawlt_ledger::{Code, Hash, NsId};

fn house() -> (World, NsId, NsId) {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let folder = world.folder("folder", &production);
    (world, production, folder)
}

#[test]
fn admins_create_environments_with_their_own_wrap() {
    let (mut world, ..) = house();
    let admin = world.adds("admin", role::ADMIN);
    for other in [role::MEMBER, role::MACHINE, role::AUDITOR, role::RECOVERY] {
        let author = world.adds(&format!("other {other}"), other);
        world.refuses(Code::Authority, &author, world.root(class::STAGING));
    }
    let root = world.root(class::STAGING);
    world.refuses(Code::Authority, &admin, NamespaceCreate { class: class::DIRECTORY, ..root.clone() });
    world.refuses(Code::Authority, &admin, NamespaceCreate { class: 4, ..root.clone() });
    world.refuses(Code::Authority, &admin, NamespaceCreate { ns_id: world.directory, ..root.clone() });
    world.refuses(Code::Wrap, &admin, NamespaceCreate { parent_seal: Some(seal(1)), ..root.clone() });
    world.refuses(Code::Wrap, &admin, NamespaceCreate { wraps: WrapSet { root: Hash::ZERO, count: 2 }, ..root.clone() });
    world.refuses(Code::NkCommit, &admin, NamespaceCreate { names: seal(2), ..root.clone() });
    let applied = world.accepts(&admin, root.clone());
    assert_eq!(applied.needs[0].recipients, [(admin.id, admin.key_id)]);
    assert_eq!(world.may(&admin, &root.ns_id), ALL);
}

#[test]
fn guarding_a_folder_needs_manage_and_write_on_its_parent() {
    let (mut world, production, folder) = house();
    let child = world.child(&production);
    for (n, too_little) in [READ, WRITE, MANAGE, READ | MANAGE].into_iter().enumerate() {
        let person = world.adds(&format!("person {n}"), role::MEMBER);
        world.gives(&production, &person, too_little);
        world.refuses(Code::Authority, &person, NamespaceCreate { ns_id: NsId([1; 16]), ..world.child(&production) });
    }
    let keeper = world.adds("keeper", role::MEMBER);
    world.gives(&production, &keeper, ALL);
    world.refuses(Code::Authority, &keeper, NamespaceCreate { class: class::STAGING, ..child.clone() });
    world.refuses(Code::Authority, &keeper, NamespaceCreate { class: class::DIRECTORY, ..world.child(&world.directory) });
    world.refuses(Code::NkCommit, &keeper, NamespaceCreate { parent_seal: None, ..child.clone() });
    world.refuses(Code::NkCommit, &keeper, NamespaceCreate { parent_seal: Some(seal(2)), ..child.clone() });
    world.refuses(Code::NkCommit, &keeper, NamespaceCreate { wraps: WrapSet { root: Hash::ZERO, count: 1 }, ..child.clone() });
    world.refuses(Code::UnknownNamespace, &keeper, NamespaceCreate { parent: Some(NsId([3; 16])), ..child.clone() });
    world.accepts(&keeper, child);
    let deep = world.folder("deep", &folder);
    world.refuses(Code::Authority, &keeper, world.child(&deep));
}

/// TV56
#[test]
fn a_childs_manager_does_not_rename_it() {
    let (mut world, production, folder) = house();
    let mallory = world.adds("mallory", role::MEMBER);
    world.gives(&folder, &mallory, ALL);
    let renames = NamespaceSet { names: Some(seal(1)), ..World::change(&folder) };
    world.refuses(Code::Authority, &mallory, renames.clone());
    world.gives(&production, &mallory, MANAGE);
    world.refuses(Code::Authority, &mallory, renames.clone());
    let keeper = world.adds("keeper", role::MEMBER);
    world.gives(&production, &keeper, ALL);
    world.refuses(Code::NkCommit, &keeper, NamespaceSet { names: Some(seal(2)), ..World::change(&folder) });
    world.accepts(&keeper, renames);
    world.accepts(&mallory, NamespaceSet { archived: Some(true), ..World::change(&production) });
    world.refuses(Code::Authority, &keeper, world.child(&folder));
    world.refuses(Code::Authority, &keeper, world.epoch(&folder));
}

#[test]
fn the_class_of_an_environment_is_an_owners_and_never_the_directorys() {
    let (mut world, production, folder) = house();
    let owner = world.owner.clone();
    let admin = world.adds("admin", role::ADMIN);
    world.gives(&production, &admin, ALL);
    let softens = |ns: &NsId, to| NamespaceSet { class: Some(to), ..World::change(ns) };
    world.refuses(Code::Authority, &admin, softens(&production, class::STAGING));
    for never in [class::DIRECTORY, 4] {
        world.refuses(Code::Authority, &owner, softens(&production, never));
    }
    world.refuses(Code::Authority, &owner, softens(&folder, class::STAGING));
    world.refuses(Code::Authority, &owner, softens(&world.directory, class::STAGING));
    world.accepts(&owner, softens(&production, class::STAGING));
    assert_eq!(world.replica.head().ns(&folder).unwrap().class, class::STAGING);
}

/// TV38
#[test]
fn a_manager_who_does_not_write_makes_no_epoch() {
    let (mut world, production, _) = house();
    for (n, too_little) in [READ, WRITE, MANAGE, READ | MANAGE].into_iter().enumerate() {
        let person = world.adds(&format!("person {n}"), role::MEMBER);
        world.gives(&production, &person, too_little);
        world.refuses(Code::Authority, &person, world.epoch(&production));
    }
    let keeper = world.adds("keeper", role::MEMBER);
    world.gives(&production, &keeper, ALL);
    world.accepts(&keeper, world.epoch(&production));
}

#[test]
fn an_epoch_is_the_next_with_all_wraps_seals_and_its_fence() {
    let (mut world, production, folder) = house();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    let good = world.epoch(&production);
    assert_eq!(good.wraps.count, 2);
    world.refuses(Code::Rollback, &owner, NamespaceEpoch { epoch: 3, ..good.clone() });
    world.refuses(Code::Rollback, &owner, NamespaceEpoch { epoch: 1, ..good.clone() });
    world.refuses(Code::Rollback, &owner, NamespaceEpoch { previous: seal(2), ..good.clone() });
    world.refuses(Code::Rollback, &owner, NamespaceEpoch { previous: seal(0), ..good.clone() });
    world.refuses(Code::Fence, &owner, NamespaceEpoch { fence: world.head(&folder), ..good.clone() });
    world.refuses(Code::NkCommit, &owner, NamespaceEpoch { parent_seal: Some(seal(1)), ..good.clone() });
    for count in [0, 1, 3] {
        world.refuses(Code::Wrap, &owner, NamespaceEpoch { wraps: WrapSet { root: Hash::ZERO, count }, ..good.clone() });
    }
    world.refuses(Code::Authority, &owner, world.epoch(&world.directory));
    let applied = world.accepts(&owner, good);
    let mut both = vec![(owner.id, owner.key_id), (bob.id, bob.key_id)];
    both.sort();
    assert_eq!(applied.needs[0].recipients, both);

    let child = world.epoch(&folder);
    world.refuses(Code::NkCommit, &owner, NamespaceEpoch { parent_seal: None, ..child.clone() });
    world.refuses(Code::NkCommit, &owner, NamespaceEpoch { parent_seal: Some(seal(1)), ..child.clone() });
    world.accepts(&owner, child);
}

#[test]
fn whoever_was_given_a_false_key_seals_an_older_one() {
    let (mut world, production, _) = house();
    let owner = world.owner.clone();
    world.accepts(&owner, world.epoch(&production));
    world.accepts(&owner, NamespaceEpoch { previous: seal(1), ..world.epoch(&production) });
}

/// TV53
#[test]
fn a_removed_reader_leaves_the_folders_owed_too_parents_first() {
    let (mut world, production, folder) = house();
    let owner = world.owner.clone();
    let deep = world.folder("deep", &folder);
    let (bob, writer, inner) = (world.adds("bob", role::MEMBER), world.adds("writer", role::MEMBER), world.adds("inner", role::MEMBER));
    world.gives(&production, &bob, READ);
    world.gives(&production, &writer, WRITE);
    world.gives(&folder, &inner, WRITE);
    world.accepts(&owner, world.removal(&bob));
    assert!([production, folder, deep].iter().all(|ns| world.owes(ns)));
    world.refuses(Code::Owed, &owner, world.epoch(&folder));
    world.refuses(Code::Owed, &owner, world.child(&production));
    world.refuses(Code::Owed, &owner, NamespaceSet { names: Some(seal(1)), ..World::change(&production) });
    world.accepts(&writer, world.epoch(&production));
    assert!(!world.owes(&production) && world.owes(&folder));
    world.refuses(Code::Owed, &writer, world.epoch(&deep));
    world.refuses(Code::Authority, &inner, world.epoch(&folder));
    world.accepts(&writer, world.epoch(&folder));
    world.accepts(&writer, world.epoch(&deep));
    assert!(![production, folder, deep].iter().any(|ns| world.owes(ns)));
    world.refuses(Code::Authority, &writer, world.epoch(&production));
}

#[test]
fn who_keeps_reading_a_folder_leaves_only_the_rest_owed() {
    let (mut world, production, folder) = house();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    world.gives(&folder, &bob, READ);
    world.gives(&production, &bob, 0);
    assert!(world.owes(&production) && !world.owes(&folder));
}

// Lapses

#[test]
fn a_lapse_is_a_loss_from_its_moment_on() {
    let (mut world, production, folder) = house();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives_until(&production, &bob, WRITE, START + 5000);
    world.waits(4999);
    assert!(!world.owes(&production) && world.may(&bob, &production) == WRITE);
    world.waits(1);
    assert!(world.owes(&production) && world.owes(&folder) && world.may(&bob, &production) == 0);
    world.refuses(Code::Owed, &owner, world.child(&production));
    // Giving it again first records the loss: the new access needs a new wrap.
    let again = keyvawlt_ledger::chain::Access { wrap: None, ..world.access(&production, &bob, WRITE) };
    world.refuses(Code::Wrap, &owner, again.clone());
    world.accepts(&owner, keyvawlt_ledger::chain::Access { wrap: Some(Hash(crate::people::bytes("w"))), ..again });
    assert!(world.owes(&production) && world.owes(&folder));
    world.accepts(&owner, world.epoch(&production));
    world.accepts(&owner, world.epoch(&folder));
    assert!(!world.owes(&production) && !world.owes(&folder));
}

#[test]
fn a_membership_renewed_after_it_lapsed_has_lost_its_access() {
    let (mut world, production, _) = house();
    let owner = world.owner.clone();
    let bob = Person::named("bob");
    world.accepts(&owner, keyvawlt_ledger::chain::MemberAdd { expires_ms: START + 5000, ..world.member(&bob, role::MEMBER) });
    world.gives(&production, &bob, READ);
    world.waits(5000);
    assert!(world.owes(&production));
    world.accepts(&owner, keyvawlt_ledger::chain::MemberSet { expires_ms: 0, ..world.setting(&bob) });
    assert!(world.owes(&production) && world.may(&bob, &production) == 0);
    assert!(world.replica.head().access(&production, &bob.id).is_none());
}

#[test]
fn the_directory_is_never_owed() {
    let (mut world, ..) = house();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&world.directory.clone(), &bob, READ);
    world.accepts(&owner, world.removal(&bob));
    assert!(!world.owes(&world.directory));
    world.refuses(Code::Authority, &owner, NamespaceSet { names: Some(seal(1)), ..World::change(&world.directory) });
    assert_eq!(world.directory, NsId(id("directory")));
}
