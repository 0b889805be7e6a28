//! What the whole chain says of keys: who holds which that he may not use any more, and whose came when.

use crate::people::Person;
use crate::world::{ALL, DAY, HOUR, READ, WRITE, World};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Annals, KeyRotate, Loss, LossReason, Replica, class, role};
use keyvawlt_ledger::{IdentityId, NsId};

/// The annals of everything that was accepted so far, after a round through their bytes.
fn annals(world: &World) -> Annals {
    let (mut replica, mut annals) = (Replica::new(world.org_id()), Annals::before_genesis());
    for signed in &world.links {
        let applied = replica.append(signed, world.now).expect("an accepted link");
        annals.take(&applied, &replica.head());
    }
    assert_eq!(annals.tip(), (replica.tip().next_seq(), replica.tip().link_hash));
    assert_eq!(Annals::from_bytes(&annals.to_bytes()).expect("its own bytes"), annals);
    annals
}

fn losses(world: &World) -> Vec<Loss> {
    annals(world).losses(&world.replica.head(), world.now)
}

fn of(world: &World, who: &Person) -> Vec<(NsId, u64, LossReason)> {
    losses(world).into_iter().filter(|loss| loss.who == who.id).map(|loss| (loss.ns_id, loss.epoch, loss.reason)).collect()
}

#[test]
fn whoever_is_removed_holds_the_keys_up_to_the_last_one_made_for_him() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    world.accepts(&owner, world.epoch(&production));
    assert_eq!(losses(&world), [], "nobody has lost anything");
    world.waits(HOUR);
    world.accepts(&owner, world.removal(&bob));
    let removed_at = world.now;
    world.waits(HOUR);
    world.accepts(&owner, world.epoch(&production));
    let expected = Loss { who: bob.id, ns_id: production, epoch: 2, at_ms: removed_at, by: Some(owner.id), reason: LossReason::Removed };
    assert_eq!(losses(&world), [expected], "of the third key he has nothing, and the directory is nobody's loss");
}

#[test]
fn a_folders_key_is_reached_from_above_until_the_folder_gets_another() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    let folder = world.folder("folder", &production);
    world.accepts(&owner, world.epoch(&folder));
    world.accepts(&owner, world.access(&production, &bob, 0));
    let mut held = of(&world, &bob);
    held.sort();
    let mut expected = vec![(production, 1, LossReason::Taken), (folder, 2, LossReason::Taken)];
    expected.sort();
    assert_eq!(held, expected);
    world.accepts(&owner, world.epoch(&production));
    world.accepts(&owner, world.epoch(&folder));
    held = of(&world, &bob);
    held.sort();
    assert_eq!(held, expected, "what came after is not his");
    world.gives(&folder, &bob, READ);
    assert_eq!(of(&world, &bob), [(production, 1, LossReason::Taken)], "the folder is his again");
}

#[test]
fn what_ends_by_itself_is_a_loss_at_its_end_and_leaving_is_ones_own() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let (bob, mia) = (world.adds("bob", role::MEMBER), world.adds("mia", role::MEMBER));
    let end = world.now + DAY;
    world.gives_until(&production, &bob, READ, end);
    world.gives(&production, &mia, WRITE);
    assert_eq!(losses(&world), []);
    world.waits(2 * DAY);
    let lapsed = losses(&world);
    assert_eq!((lapsed.len(), lapsed[0].at_ms, lapsed[0].by, lapsed[0].reason), (1, end, None, LossReason::Lapsed));
    let owner = world.owner.clone();
    world.accepts(&owner, world.epoch(&production));
    let recorded: Vec<Loss> = losses(&world);
    assert_eq!(recorded, lapsed, "also once a link has recorded it");
    world.accepts(&mia, world.removal(&mia));
    assert_eq!(of(&world, &mia), [(production, 2, LossReason::Left)]);
}

#[test]
fn keys_that_were_reset_or_leaked_count_though_their_owner_reads_again() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let owner = world.owner.clone();
    let bob = world.adds("bob", role::MEMBER);
    world.gives(&production, &bob, READ);
    let second = bob.renewed();
    world.accepts(&bob, world.rotation(&bob, &second));
    assert_eq!(losses(&world), [], "old keys that only he had are no loss");
    let third = second.renewed();
    world.accepts(&second, KeyRotate { compromised: true, ..world.rotation(&second, &third) });
    assert_eq!(of(&world, &bob), [(production, 1, LossReason::KeysLeaked)], "he still reads, and so does whoever has his keys");
    world.accepts(&owner, world.epoch(&production));
    let fourth = third.renewed();
    world.accepts(&owner, world.reset(&third, &fourth));
    world.accepts(&owner, world.epoch(&production));
    world.gives(&production, &fourth, READ);
    let mut both = of(&world, &bob);
    both.sort();
    assert_eq!(both, [(production, 1, LossReason::KeysLeaked), (production, 2, LossReason::KeysReset)]);
}

#[test]
fn periods_say_who_let_whom_in_and_how_keys_ended() {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let (admin, machine) = (world.adds("admin", role::ADMIN), Person::machine("ci"));
    world.accepts(&admin, world.member(&machine, role::MACHINE));
    world.gives(&world.directory.clone(), &admin, ALL);
    world.accepts(&admin, world.invite("for eve", role::MEMBER));
    let eve = Person::named("eve");
    world.accepts(&eve, world.join("for eve", &eve));
    let annals_then = annals(&world);
    let admitted: Vec<IdentityId> = annals_then.admitted_by(&admin.id).collect();
    assert!(admitted.contains(&machine.id) && admitted.contains(&eve.id) && admitted.len() == 2);

    world.accepts(&owner, world.removal(&eve));
    let again = eve.renewed();
    world.accepts(&owner, world.member(&again, role::MEMBER));
    let annals = annals(&world);
    let periods = annals.keys_of(&eve.id);
    let told: Vec<_> = periods.iter().map(|period| (period.brought_by, period.by, period.life, period.ended.is_some())).collect();
    assert_eq!(told, [(3, admin.id, 0, true), (2, owner.id, 1, false)]);
    assert_eq!(periods[0].ended.as_ref().map(|end| (end.by_kind, end.by)), Some((5, owner.id)));
    assert_eq!(annals.admitted_by(&admin.id).collect::<Vec<_>>(), [machine.id], "now Olga answers for Eve");
}
