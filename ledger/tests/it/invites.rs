//! Types 3, 8 and 9: invites, what they carry, and joining by them.

use crate::people::Person;
use crate::world::{ALL, DAY, HOUR, MANAGE, READ, START, WRITE, World, policy};
use keyvawlt_ledger::chain::{
    Access, Intended, Invite, MemberJoin, MemberSet, NamespaceSet, Policy, PolicySet, Questions, class, role, verified,
};
use keyvawlt_ledger::{Code, InviteId, NsId};

/// Olga, an admin who manages the directory, development and production.
fn house() -> (World, Person, NsId, NsId) {
    let mut world = World::begins();
    let admin = world.adds("admin", role::ADMIN);
    let (development, production) =
        (world.environment("development", class::DEVELOPMENT), world.environment("production", class::PRODUCTION));
    for ns in [world.directory, development, production] {
        world.gives(&ns, &admin, ALL);
    }
    (world, admin, development, production)
}

fn guest() -> Person {
    Person::named("guest")
}

#[test]
fn a_join_realizes_what_the_invite_carries_and_leaves_the_rest_intended() {
    let (mut world, admin, development, production) = house();
    let mut invite = world.invite_to("i", role::MEMBER, &development, WRITE, true);
    invite.access.push(Intended { ns_id: production, permissions: READ, expires_ms: 0 });
    world.accepts(&admin, invite);
    world.accepts(&guest(), world.join("i", &guest()));
    assert_eq!([READ, WRITE, 0], [world.directory, development, production].map(|ns| world.may(&guest(), &ns)));
    let used = world.replica.head().invite(&InviteId(crate::people::id("i"))).unwrap();
    assert_eq!(used.access, [Intended { ns_id: production, permissions: READ, expires_ms: 0 }]);
    assert_eq!(used.used_by, Some(guest().id));
    let member = world.replica.head().member(&guest().id).unwrap();
    assert_eq!((member.role, member.verified, member.pending), (role::MEMBER, verified::INVITE, false));
    assert!(world.owes(&development), "the code may be found in a chat log later");
    assert!(!world.owes(&world.directory) && !world.owes(&production));
}

#[test]
fn admins_invite_and_only_owners_invite_to_high_roles() {
    let (mut world, admin, ..) = house();
    let member = world.adds("member", role::MEMBER);
    let auditor = world.adds("auditor", role::AUDITOR);
    let machine = world.adds("machine", role::MACHINE);
    world.gives(&world.directory.clone(), &member, ALL);
    for author in [&member, &auditor, &machine] {
        world.refuses(Code::Authority, author, world.invite("i", role::MEMBER));
    }
    for high in [role::OWNER, role::ADMIN] {
        world.refuses(Code::Authority, &admin, world.invite("i", high));
        world.clone().accepts(&world.owner, world.invite("i", high));
    }
    world.refuses(Code::Authority, &world.owner, world.invite("i", role::RECOVERY));
    world.refuses(Code::Authority, &world.owner, world.invite("i", role::REMOVED));
    for fine in [role::MEMBER, role::AUDITOR, role::MACHINE] {
        world.clone().accepts(&admin, world.invite("i", fine));
    }
}

/// TV37
#[test]
fn an_invite_gives_nothing_that_its_author_does_not_manage() {
    let (mut world, admin, development, _) = house();
    let hidden = world.environment("hidden", class::DEVELOPMENT);
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MEMBER, &hidden, READ, false));
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MEMBER, &hidden, MANAGE, false));
    world.gives(&hidden, &admin, WRITE);
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MEMBER, &hidden, READ, false));
    let unknown = world.invite_to("i", role::MEMBER, &development, READ, false);
    let access = vec![unknown.access[0].clone(), Intended { ns_id: NsId([9; 16]), permissions: READ, expires_ms: 0 }];
    world.refuses(Code::UnknownNamespace, &admin, Invite { access, ..unknown });
}

#[test]
fn an_invite_is_well_formed() {
    let (world, admin, development, _) = house();
    let good = world.invite_to("i", role::MEMBER, &development, READ, false);
    let refuses = |code, invite: Invite| world.refuses(code, &admin, invite);
    let with = |permissions, expires_ms| {
        let mut invite = good.clone();
        invite.access[1] = Intended { ns_id: development, permissions, expires_ms };
        invite
    };
    for impossible in [0, 2, 6, 8] {
        refuses(Code::Canon, with(impossible, 0));
    }
    refuses(Code::Authority, with(READ, world.now));
    let twice = [good.access.clone(), vec![good.access[1].clone()]].concat();
    refuses(Code::Canon, Invite { access: twice, ..good.clone() });
    for never in [0, world.now] {
        refuses(Code::Authority, Invite { expires_ms: never, ..good.clone() });
    }
    refuses(Code::WeakKey, Invite { sign_pk: [0; 32], ..good.clone() });
    refuses(Code::WeakKey, Invite { auth_pk: [1; 32].map(|_| 0xff), ..good.clone() });
    refuses(Code::WeakKey, Invite { kem_pk: [0xff; 1216], ..good.clone() });
    refuses(Code::Authority, Invite { mailed: true, ..good.clone() });
    refuses(Code::Authority, Invite { member_expires_ms: 0, ..world.invite("m", role::MACHINE) });
    refuses(Code::Wrap, Invite { prewraps: vec![], ..good.clone() });
    let directory = good.prewraps.clone();
    refuses(Code::Wrap, Invite { prewraps: directory, ..world.invite("m", role::MACHINE) });
}

#[test]
fn an_invite_is_used_once() {
    let (mut world, admin, ..) = house();
    world.accepts(&admin, world.invite("i", role::MEMBER));
    world.accepts(&guest(), world.join("i", &guest()));
    let second = Person::named("second");
    world.refuses(Code::Invite, &second, MemberJoin { wraps: vec![], ..world.join("i", &second) });
    world.refuses(Code::Invite, &admin, World::revocation("i"));
}

#[test]
fn a_revoked_an_expired_and_an_unknown_invite_are_worthless() {
    let (mut world, admin, ..) = house();
    world.accepts(&admin, world.invite("revoked", role::MEMBER));
    world.accepts(&admin, world.invite("expired", role::MEMBER));
    let member = world.adds("member", role::MEMBER);
    world.refuses(Code::Authority, &member, World::revocation("revoked"));
    world.accepts(&admin, World::revocation("revoked"));
    world.refuses(Code::Invite, &guest(), world.join("revoked", &guest()));
    world.refuses(Code::Invite, &guest(), world.join("unknown", &guest()));
    world.waits(2 * DAY);
    world.refuses(Code::Invite, &guest(), world.join("expired", &guest()));
}

#[test]
fn revoking_an_invite_to_a_high_role_needs_an_owner() {
    let (mut world, admin, ..) = house();
    let owner = world.owner.clone();
    world.accepts(&owner, world.invite("i", role::ADMIN));
    world.refuses(Code::Authority, &admin, World::revocation("i"));
    world.accepts(&owner, World::revocation("i"));
}

/// TV43
#[test]
fn an_invite_dies_with_what_its_author_could_give() {
    let (mut world, admin, development, _) = house();
    let owner = world.owner.clone();
    world.accepts(&admin, world.invite_to("i", role::MEMBER, &development, READ, true));
    let joins = |world: &World| world.refuses(Code::Invite, &guest(), world.join("i", &guest()));

    let mut removed = world.clone();
    removed.accepts(&owner, removed.removal(&admin));
    joins(&removed);
    removed.accepts(&owner, removed.member(&admin.renewed(), role::ADMIN));
    for ns in [removed.directory, development] {
        removed.gives(&ns, &admin, ALL);
    }
    joins(&removed);

    let mut demoted = world.clone();
    demoted.accepts(&owner, MemberSet { role: role::MEMBER, ..demoted.setting(&admin) });
    joins(&demoted);
    demoted.accepts(&owner, MemberSet { role: role::ADMIN, ..demoted.setting(&admin) });
    joins(&demoted);

    let mut without_manage = world.clone();
    without_manage.gives(&development, &admin, WRITE);
    joins(&without_manage);

    let mut without_write = world.clone();
    without_write.gives(&development, &admin, READ | MANAGE);
    joins(&without_write);

    let mut temporary = world.clone();
    let end = temporary.now + HOUR;
    temporary.accepts(&owner, MemberSet { expires_ms: end, fences: temporary.fences_of(&admin), ..temporary.setting(&admin) });
    joins(&temporary);

    world.accepts(&guest(), world.join("i", &guest()));
}

/// TV20
#[test]
fn a_join_is_signed_by_the_invite_and_by_the_newcomer() {
    let (mut world, admin, ..) = house();
    world.accepts(&admin, world.invite("i", role::MEMBER));
    world.accepts(&admin, world.invite("other", role::MEMBER));
    let join = world.join("i", &guest());
    world.refuses(Code::Sig, &guest(), MemberJoin { join_sig: world.join("other", &guest()).join_sig, ..join.clone() });
    world.refuses(Code::Sig, &guest(), MemberJoin { join_sig: world.join("i", &Person::named("x")).join_sig, ..join.clone() });
    world.refuses(Code::KeySubst, &admin, join.clone());
    world.refuses(Code::Authority, &admin, world.join("i", &admin));
    world.refuses(Code::Authority, &Person::machine("robot"), world.join("i", &Person::machine("robot")));
    world.refuses(Code::Wrap, &guest(), MemberJoin { wraps: vec![], ..join.clone() });
    world.accepts(&guest(), join);
}

/// TV44
#[test]
fn keys_travel_for_three_days_at_most_and_never_productions() {
    let (world, admin, development, production) = house();
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MEMBER, &production, READ, true));
    world.clone().accepts(&admin, world.invite_to("i", role::MEMBER, &production, READ, false));
    let carries = world.invite_to("i", role::MEMBER, &development, READ, true);
    world.refuses(Code::Authority, &admin, Invite { expires_ms: world.now + 72 * HOUR + 1, ..carries.clone() });
    world.clone().accepts(&admin, Invite { expires_ms: world.now + 72 * HOUR, ..carries.clone() });
    world.clone().accepts(&admin, Invite { expires_ms: world.now + 30 * DAY, ..world.invite("i", role::MEMBER) });

    let mut stale = carries.clone();
    stale.prewraps[1].epoch += 1;
    world.refuses(Code::Wrap, &admin, stale);
    let unread = world.invite_to("i", role::MEMBER, &development, MANAGE, true);
    world.refuses(Code::Wrap, &admin, unread);
    let mut twice = carries;
    twice.prewraps.push(twice.prewraps[1].clone());
    world.refuses(Code::Wrap, &admin, twice);
}

#[test]
fn carrying_a_key_needs_write() {
    let (mut world, admin, development, _) = house();
    world.gives(&development, &admin, READ | MANAGE);
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MEMBER, &development, READ, true));
    world.accepts(&admin, world.invite_to("i", role::MEMBER, &development, READ, false));
}

/// TV44
#[test]
fn a_lapsed_or_revoked_invite_with_keys_leaves_an_epoch_owed() {
    let (mut world, admin, development, _) = house();
    let folder = world.folder("folder", &development);
    world.accepts(&admin, world.invite_to("i", role::MEMBER, &development, READ, true));
    assert!(!world.owes(&development));
    let mut revoked = world.clone();
    revoked.accepts(&admin, World::revocation("i"));
    assert!(revoked.owes(&development) && revoked.owes(&folder));
    world.waits(2 * DAY);
    assert!(world.owes(&development) && world.owes(&folder));
    world.accepts(&admin, world.epoch(&development));
    assert!(!world.owes(&development) && world.owes(&folder), "the folder's key is sealed under the old one");
    world.accepts(&admin, world.epoch(&folder));
    assert!(!world.owes(&folder));
    world.accepts(&admin, World::revocation("i"));
    assert!(!world.owes(&development), "the key it carried is no longer in use");
}

#[test]
fn a_newer_epoch_voids_carried_keys_and_makes_the_folders_below_owed() {
    let (mut world, admin, development, _) = house();
    let folder = world.folder("folder", &development);
    world.accepts(&admin, world.invite_to("i", role::MEMBER, &development, READ, true));
    world.accepts(&admin, world.epoch(&development));
    assert!(!world.owes(&development) && world.owes(&folder));
    world.accepts(&guest(), world.join("i", &guest()));
    assert_eq!((world.may(&guest(), &development), world.may(&guest(), &world.directory)), (0, READ));
    assert!(!world.owes(&development));
}

#[test]
fn a_join_that_waits_for_confirmation_gives_nothing_before_it() {
    let mut world = World::begins_with(&Policy { require_admin_confirm: true, ..policy() });
    let owner = world.owner.clone();
    let admin = world.adds("admin", role::ADMIN);
    let development = world.environment("development", class::DEVELOPMENT);
    world.accepts(&owner, world.invite_to("i", role::MEMBER, &development, READ, true));
    world.refuses(Code::Wrap, &guest(), world.join("i", &guest()));
    world.accepts(&guest(), MemberJoin { wraps: vec![], ..world.join("i", &guest()) });
    assert!(world.owes(&development));
    world.refuses(Code::Authority, &guest(), world.checkpoint());
    world.refuses(Code::Authority, &owner, world.access(&development, &guest(), READ));
    world.refuses(Code::Authority, &guest(), MemberSet { confirm: true, ..world.setting(&guest()) });
    world.accepts(&admin, MemberSet { confirm: true, ..world.setting(&guest()) });
    assert_eq!(world.replica.head().member(&guest().id).unwrap().verified, verified::WORDS);
    world.refuses(Code::Authority, &admin, MemberSet { confirm: true, ..world.setting(&guest()) });
    world.accepts(&guest(), world.checkpoint());
}

/// TV19
#[test]
fn a_mailed_code_needs_the_policy_and_marks_the_member() {
    let mut world = World::begins_with(&Policy { allow_unverified: true, ..policy() });
    let owner = world.owner.clone();
    world.accepts(&owner, Invite { mailed: true, ..world.invite("i", role::MEMBER) });
    world.accepts(&guest(), world.join("i", &guest()));
    assert_eq!(world.replica.head().member(&guest().id).unwrap().verified, verified::NOT);
}

#[test]
fn a_machine_joins_with_one_class_only() {
    let (mut world, admin, development, production) = house();
    let mut both = world.invite_to("i", role::MACHINE, &development, READ, false);
    both.access.push(Intended { ns_id: production, permissions: READ, expires_ms: 0 });
    world.refuses(Code::Authority, &admin, both.clone());
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MACHINE, &development, MANAGE, false));
    world.refuses(Code::Authority, &admin, world.invite_to("i", role::MACHINE, &world.directory, READ, false));
    let mut lax = world.clone();
    let owner = lax.owner.clone();
    lax.accepts(&owner, PolicySet { policy: Policy { machine_single_class: false, ..policy() } });
    lax.accepts(&admin, both);
    world.accepts(&admin, world.invite_to("i", role::MACHINE, &development, WRITE, true));
    world.refuses(Code::Authority, &owner, NamespaceSet { class: Some(class::PRODUCTION), ..World::change(&development) });
    let robot = Person::machine("robot");
    world.accepts(&robot, world.join("i", &robot));
    assert_eq!(world.may(&robot, &development), WRITE);
    world.refuses(Code::Authority, &admin, world.access(&production, &robot, READ));
}

#[test]
fn access_that_ended_before_the_join_is_not_realized() {
    let (mut world, admin, development, _) = house();
    let mut invite = world.invite_to("i", role::MEMBER, &development, READ, true);
    invite.access[1].expires_ms = START + HOUR;
    world.accepts(&admin, invite);
    world.waits(HOUR);
    world.refuses(Code::Wrap, &guest(), world.join("i", &guest()));
    let mut join = world.join("i", &guest());
    join.wraps.retain(|wrap| wrap.ns_id != development);
    world.accepts(&guest(), join);
    assert_eq!(world.may(&guest(), &development), 0);
    let late = Access { expires_ms: START, ..world.access(&development, &guest(), READ) };
    world.refuses(Code::Authority, &admin, late);
}
