//! Types 1, 2, 4, 5, 6, 7 and 14: who belongs, with which role, until when, with which keys.

use crate::people::{Person, id};
use crate::world::{ALL, DAY, HOUR, MANAGE, READ, WRITE, World, policy};
use keyvawlt_ledger::chain::{
    Access, KeyReset, KeyRotate, MemberAdd, MemberRemove, MemberSet, NamespaceCreate, Policy, PolicySet, Questions, class, role, verified,
};
use keyvawlt_ledger::{Code, NsId};

const ROLES: [u8; 6] = [role::OWNER, role::ADMIN, role::MEMBER, role::MACHINE, role::AUDITOR, role::RECOVERY];

/// Olga and one of each role, named by it.
fn everybody() -> (World, Vec<(u8, Person)>) {
    let mut world = World::begins();
    let people = ROLES.map(|member_role| (member_role, world.adds(&format!("role {member_role}"), member_role))).to_vec();
    (world, people)
}

fn newcomer(member_role: u8) -> Person {
    match member_role {
        role::MACHINE => Person::machine("newcomer"),
        role::RECOVERY => Person::recovery("newcomer"),
        _ => Person::named("newcomer"),
    }
}

fn needs_owner(member_role: u8) -> bool {
    matches!(member_role, role::OWNER | role::ADMIN | role::RECOVERY)
}

#[test]
fn admins_add_people_and_machines_and_only_owners_and_recovery_add_high_roles() {
    let (world, people) = everybody();
    for (author_role, author) in &people {
        for member_role in ROLES {
            let add = world.member(&newcomer(member_role), member_role);
            let may = match *author_role {
                role::OWNER | role::RECOVERY => true,
                role::ADMIN => !needs_owner(member_role),
                _ => false,
            };
            if may {
                world.clone().accepts(author, add);
            } else {
                world.refuses(Code::Authority, author, add);
            }
        }
    }
}

#[test]
fn admins_change_remove_and_reset_members_and_only_owners_touch_high_roles() {
    let (mut world, people) = everybody();
    let victims: Vec<(u8, Person)> = ROLES.map(|r| (r, world.adds(&format!("victim {r}"), r))).to_vec();
    for (author_role, author) in &people {
        for (victim_role, victim) in &victims {
            let manages = matches!(*author_role, role::OWNER | role::ADMIN);
            let touches = *author_role == role::OWNER || !needs_owner(*victim_role);
            let acts_as_owner = *author_role == role::RECOVERY;
            let tries = |may: bool, body: crate::world::Say| {
                if may {
                    world.clone().accepts(author, body.0);
                } else {
                    world.refuses(Code::Authority, author, body.0);
                }
            };
            tries((manages && touches) || acts_as_owner, world.clone().setting(victim).into());
            tries((manages && touches) || acts_as_owner, world.clone().reset(victim, &victim.renewed()).into());
            tries(manages && touches, world.clone().removal(victim).into());
        }
    }
}

#[test]
fn conferring_a_high_role_on_a_member_needs_an_owner() {
    let (world, people) = everybody();
    let (_, admin) = &people[1];
    let (_, member) = &people[2];
    for high in [role::OWNER, role::ADMIN] {
        let promotes = MemberSet { role: high, ..world.setting(member) };
        world.refuses(Code::Authority, admin, promotes.clone());
        world.refuses(Code::Authority, member, promotes.clone());
        world.clone().accepts(&world.owner, promotes);
    }
}

/// TV37
#[test]
fn an_admin_cannot_reset_an_owner_to_keys_of_his_own() {
    let (world, people) = everybody();
    let (_, admin) = &people[1];
    world.refuses(Code::Authority, admin, world.reset(&world.owner, &world.owner.renewed()));
    world.refuses(Code::Authority, admin, world.member(&Person::named("second admin"), role::ADMIN));
    world.refuses(Code::Authority, admin, world.invite("second admin", role::ADMIN));
}

#[test]
fn only_owners_set_the_policy_and_its_floor_only_rises() {
    let (world, people) = everybody();
    let next = PolicySet { policy: Policy { require_admin_confirm: true, ..policy() } };
    for (author_role, author) in &people {
        if *author_role == role::OWNER {
            world.clone().accepts(author, next.clone());
        } else {
            world.refuses(Code::Authority, author, next.clone());
        }
    }
    for unknown in [0, 2] {
        let asks = PolicySet { policy: Policy { min_suite: unknown, ..policy() } };
        world.refuses(Code::Upgrade, &world.owner, asks);
    }
}

/// TV52
#[test]
fn on_oneself_only_lowering_is_allowed() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let temporary = world.adds("temporary", role::OWNER);
    world.accepts(&owner, MemberSet { expires_ms: world.now + DAY, ..world.setting(&temporary) });

    let own = world.setting(&temporary);
    world.refuses(Code::Authority, &temporary, MemberSet { expires_ms: 0, ..own.clone() });
    world.refuses(Code::Authority, &temporary, MemberSet { expires_ms: own.expires_ms + 1, ..own.clone() });
    world.refuses(Code::Authority, &temporary, MemberSet { role: role::AUDITOR, ..own.clone() });
    world.clone().accepts(&temporary, MemberSet { expires_ms: own.expires_ms - 1, ..own.clone() });
    world.clone().accepts(&temporary, MemberSet { role: role::ADMIN, ..own.clone() });
    world.clone().accepts(&temporary, MemberSet { role: role::MEMBER, ..own });

    let member = world.adds("member", role::MEMBER);
    for higher in [role::OWNER, role::ADMIN] {
        world.refuses(Code::Authority, &member, MemberSet { role: higher, ..world.setting(&member) });
    }
    world.refuses(Code::Authority, &member, world.reset(&member, &member.renewed()));
}

/// TV52
#[test]
fn no_right_outlasts_its_authors() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let temporary = world.adds("temporary", role::OWNER);
    let member = world.adds("member", role::MEMBER);
    let end = world.now + DAY;
    world.accepts(&owner, MemberSet { expires_ms: end, ..world.setting(&temporary) });

    let puppet = world.member(&Person::named("puppet"), role::MEMBER);
    for too_late in [0, end + 1] {
        world.refuses(Code::Authority, &temporary, MemberAdd { expires_ms: too_late, ..puppet.clone() });
        world.refuses(Code::Authority, &temporary, MemberSet { expires_ms: too_late, ..world.setting(&member) });
    }
    world.clone().accepts(&temporary, MemberAdd { expires_ms: end, ..puppet });
    // New keys for a lasting member would be a lasting membership in other hands.
    world.refuses(Code::Authority, &temporary, world.reset(&member, &member.renewed()));

    world.accepts(&temporary, NamespaceCreate { ns_id: NsId(id("his")), ..world.root(class::DEVELOPMENT) });
    let access = world.replica.head().access(&NsId(id("his")), &temporary.id).unwrap();
    assert_eq!((access.permissions, access.expires_ms), (ALL, end));
    let gives = Access { expires_ms: end, ..world.access(&NsId(id("his")), &member, READ) };
    world.clone().accepts(&temporary, gives.clone());
    world.refuses(Code::Authority, &temporary, Access { expires_ms: 0, ..gives });
}

#[test]
fn a_guardian_without_expiry_always_remains() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    world.refuses(Code::Authority, &owner, world.removal(&owner));
    world.refuses(Code::Authority, &owner, MemberSet { role: role::MEMBER, ..world.setting(&owner) });
    let ends = MemberSet { expires_ms: world.now + DAY, fences: world.fences_of(&owner), ..world.setting(&owner) };
    world.refuses(Code::Authority, &owner, ends.clone());
    world.adds("break glass", role::RECOVERY);
    world.clone().accepts(&owner, ends);
    world.clone().accepts(&owner, MemberSet { role: role::MEMBER, ..world.setting(&owner) });
}

#[test]
fn kinds_fit_roles_and_machines_always_expire() {
    let world = World::begins();
    let owner = &world.owner;
    for member_role in [role::MACHINE, role::RECOVERY] {
        world.refuses(Code::Authority, owner, MemberAdd { expires_ms: world.now + DAY, ..world.member(&Person::named("p"), member_role) });
    }
    for member_role in [role::OWNER, role::ADMIN, role::MEMBER, role::AUDITOR] {
        world.refuses(Code::Authority, owner, world.member(&Person::machine("m"), member_role));
        world.refuses(Code::Authority, owner, world.member(&Person::recovery("r"), member_role));
    }
    world.refuses(Code::Authority, owner, MemberAdd { expires_ms: 0, ..world.member(&Person::machine("m"), role::MACHINE) });
    world.refuses(Code::Authority, owner, MemberAdd { expires_ms: world.now, ..world.member(&Person::machine("m"), role::MACHINE) });
    for unknown in [0, 7] {
        world.refuses(Code::Upgrade, owner, world.member(&Person::named("p"), unknown));
    }
    world.refuses(Code::Upgrade, owner, MemberAdd { verified: 4, ..world.member(&Person::named("p"), role::MEMBER) });
}

#[test]
fn an_identity_re_enters_only_with_a_higher_generation() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.refuses(Code::Authority, &owner, world.member(&bob.renewed(), role::MEMBER));
    world.accepts(&owner, world.removal(&bob));
    world.refuses(Code::Authority, &owner, world.removal(&bob));
    world.refuses(Code::Authority, &owner, world.member(&bob, role::MEMBER));
    world.accepts(&owner, world.member(&bob.renewed(), role::MEMBER));
    assert!(world.replica.head().held_by(&bob.id).is_empty(), "nothing carries over");
}

#[test]
fn the_removed_and_the_expired_say_nothing_more() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    let eve = world.adds("eve", role::MEMBER);
    world.accepts(&bob, world.checkpoint());
    world.accepts(&owner, world.removal(&bob));
    world.accepts(&owner, MemberSet { expires_ms: world.now + HOUR, ..world.setting(&eve) });
    world.accepts(&eve, world.checkpoint());
    world.waits(HOUR);
    world.refuses(Code::Authority, &bob, world.checkpoint());
    world.refuses(Code::Authority, &eve, world.checkpoint());
    world.refuses(Code::Authority, &Person::named("stranger"), world.checkpoint());
}

#[test]
fn members_may_leave() {
    let mut world = World::begins();
    for (n, member_role) in [role::OWNER, role::ADMIN, role::MEMBER, role::MACHINE, role::AUDITOR].into_iter().enumerate() {
        let person = world.adds(&format!("leaver {n}"), member_role);
        world.accepts(&person, world.removal(&person));
        assert!(world.replica.head().active_member(&person.id, world.now).is_none());
    }
}

#[test]
fn a_membership_never_ends_in_the_past() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    for past in [1, world.now] {
        world.refuses(Code::Authority, &owner, MemberSet { expires_ms: past, ..world.setting(&bob) });
    }
}

#[test]
fn auditors_hold_no_keys() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment("production", class::PRODUCTION);
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&world.directory.clone(), &bob, READ);
    world.gives(&production, &bob, READ);
    let becomes = MemberSet { role: role::AUDITOR, ..world.setting(&bob) };
    world.refuses(Code::Authority, &owner, becomes.clone());
    world.gives(&production, &bob, 0);
    world.accepts(&owner, becomes);
    world.refuses(Code::Authority, &owner, world.access(&production, &bob, READ));
    world.refuses(Code::Authority, &owner, world.access(&production, &bob, MANAGE));
    world.refuses(Code::Authority, &owner, world.access(&world.directory, &bob, WRITE));
}

// Keys

#[test]
fn one_rotates_ones_own_keys_and_wraps_each_key_one_holds() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, WRITE);
    let next = bob.renewed();
    let rotation = world.rotation(&bob, &next);
    assert_eq!((rotation.wraps.len(), rotation.fences.len()), (1, 1));

    world.refuses(Code::Wrap, &bob, KeyRotate { wraps: vec![], ..rotation.clone() });
    world.refuses(Code::Wrap, &bob, KeyRotate { wraps: [rotation.wraps.clone(), rotation.wraps.clone()].concat(), ..rotation.clone() });
    world.refuses(Code::Fence, &bob, KeyRotate { fences: vec![], ..rotation.clone() });
    world.refuses(Code::Authority, &bob, KeyRotate { bundle: bob.bundle.clone(), ..rotation.clone() });
    world.refuses(Code::KeySubst, &bob, KeyRotate { bundle: world.owner.renewed().bundle, ..rotation.clone() });
    let mut stale = rotation.clone();
    stale.wraps[0].epoch += 1;
    world.refuses(Code::Wrap, &bob, stale);

    world.accepts(&bob, rotation);
    world.refuses(Code::Authority, &bob, world.checkpoint());
    world.accepts(&next, world.checkpoint());
    assert!(!world.owes(&production), "a routine rotation costs no epoch");
    assert_eq!(world.may(&next, &production), WRITE);
}

#[test]
fn a_leaked_key_makes_everything_it_could_read_owed_and_voids_its_invites() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment("production", class::PRODUCTION);
    let folder = world.folder("folder", &production);
    let other = world.environment("other", class::STAGING);
    let admin = world.adds("admin", role::ADMIN);
    world.gives(&world.directory.clone(), &admin, ALL);
    world.gives(&production, &admin, READ);
    world.accepts(&admin, world.invite("left open", role::MEMBER));
    let next = admin.renewed();
    world.accepts(&admin, KeyRotate { compromised: true, ..world.rotation(&admin, &next) });
    assert!(world.owes(&production) && world.owes(&folder) && !world.owes(&other) && !world.owes(&world.directory));
    let thief = Person::named("thief");
    world.refuses(Code::Invite, &thief, world.join("left open", &thief));
    world.accepts(&owner, world.epoch(&production));
}

#[test]
fn a_reset_gives_new_keys_and_voids_access_and_invites() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment("production", class::PRODUCTION);
    let bob = world.adds("bob", role::ADMIN);
    world.gives(&world.directory.clone(), &bob, ALL);
    world.gives(&production, &bob, WRITE);
    world.accepts(&bob, world.invite("left open", role::MEMBER));
    let next = bob.renewed();
    let reset = world.reset(&bob, &next);

    world.refuses(Code::Fence, &owner, KeyReset { fences: vec![], ..reset.clone() });
    world.refuses(Code::Authority, &owner, KeyReset { bundle: bob.bundle.clone(), ..reset.clone() });
    world.refuses(Code::KeySubst, &owner, KeyReset { bundle: Person::named("eve").bundle, ..reset.clone() });
    for unverified in [verified::NOT, verified::INVITE] {
        world.refuses(Code::Authority, &owner, KeyReset { verified: unverified, ..reset.clone() });
    }
    world.accepts(&owner, reset);
    assert_eq!(world.may(&next, &production), 0);
    assert!(world.owes(&production));
    let late = Person::named("late");
    world.refuses(Code::Invite, &late, world.join("left open", &late));
    world.refuses(Code::Authority, &bob, world.checkpoint());
    world.accepts(&next, world.checkpoint());
}

#[test]
fn a_removal_or_reset_that_leaves_an_environment_without_reader_says_so() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::OWNER);
    let lonely = NsId(id("lonely"));
    world.accepts(&bob, NamespaceCreate { ns_id: lonely, ..world.root(class::DEVELOPMENT) });
    world.refuses(Code::Authority, &owner, world.removal(&bob));
    world.refuses(Code::Authority, &owner, world.reset(&bob, &bob.renewed()));
    world.refuses(Code::Authority, &bob, world.access(&lonely, &bob, MANAGE));
    world.clone().accepts(&owner, MemberRemove { abandon: true, ..world.removal(&bob) });
    world.clone().accepts(&owner, KeyReset { abandon: true, ..world.reset(&bob, &bob.renewed()) });
    world.clone().accepts(&bob, Access { abandon: true, ..world.access(&lonely, &bob, MANAGE) });
}

#[test]
fn a_member_and_an_invite_never_share_an_id() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    world.accepts(&owner, world.invite("same", role::MEMBER));
    world.refuses(Code::Authority, &owner, world.member(&Person::named("same"), role::MEMBER));
    let bob = world.adds("bob", role::MEMBER);
    assert_eq!(id("bob"), bob.id.0);
    world.refuses(Code::Invite, &owner, world.invite("bob", role::MEMBER));
}

#[test]
fn recovery_acts_as_owner_for_members_keys_and_access_only() {
    let mut world = World::begins();
    let recovery = world.adds("break glass", role::RECOVERY);
    let bob = world.adds("bob", role::MEMBER);
    let production = world.environment("production", class::PRODUCTION);
    world.gives(&world.directory.clone(), &recovery, ALL);
    world.clone().accepts(&recovery, world.member(&Person::named("new owner"), role::OWNER));
    world.clone().accepts(&recovery, world.setting(&world.owner));
    world.clone().accepts(&recovery, world.reset(&bob, &bob.renewed()));
    world.clone().accepts(&recovery, Access { wrap: None, ..world.access(&production, &bob, MANAGE) });
    world.refuses(Code::Authority, &recovery, world.removal(&bob));
    world.refuses(Code::Authority, &recovery, world.invite("i", role::MEMBER));
    world.refuses(Code::Authority, &recovery, world.root(class::STAGING));
    world.refuses(Code::Authority, &recovery, PolicySet { policy: policy() });
}
