//! A day in the life of an organization: every kind of link, with writes between. Properties and vectors are drawn from it.

use crate::people::Person;
use crate::world::{ALL, DAY, READ, WRITE, World, policy};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Link, NamespaceSet, PolicySet, Replica, class, role};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The story's chain up to some link.
pub fn until(seq: usize) -> Replica {
    let mut replica = Replica::new(story().org_id());
    for link in story().links.iter().take(seq) {
        replica.append(link, story().now).expect("the story holds");
    }
    replica
}

/// Everybody who signs in the story, at each generation of keys.
pub fn signers() -> Vec<Person> {
    let (bob, guest) = (Person::named("bob"), Person::named("guest"));
    vec![Person::named("olga"), bob.renewed(), bob, guest]
}

pub fn story() -> &'static World {
    static STORY: OnceLock<World> = OnceLock::new();
    STORY.get_or_init(|| {
        let mut world = World::begins();
        let owner = world.owner.clone();
        let production = world.environment("production", class::PRODUCTION);
        let development = world.environment("development", class::DEVELOPMENT);
        let folder = world.folder("folder", &production);
        let (bob, eve) = (world.adds("bob", role::MEMBER), world.adds("eve", role::ADMIN));
        let robot = world.adds("robot", role::MACHINE);
        world.gives(&production, &bob, WRITE);
        world.gives_until(&folder, &eve, ALL, world.now + DAY);
        world.gives(&development, &robot, READ);
        world.writes(&bob, &production, vec![world.fresh(&production, "a", 0)]);
        world.writes(&bob, &production, vec![world.fresh(&production, "b", 0), world.next_version(&production, "a")]);
        world.accepts(&owner, world.invite_to("i", role::MEMBER, &development, READ, true));
        world.accepts(&owner, world.invite("unused", role::MEMBER));
        world.accepts(&owner, World::revocation("unused"));
        let guest = Person::named("guest");
        world.accepts(&guest, world.join("i", &guest));
        world.accepts(&owner, world.checkpoint());
        world.accepts(&owner, world.epoch(&development));
        world.accepts(&bob, world.rotation(&bob, &bob.renewed()));
        world.accepts(&owner, world.reset(&guest, &guest.renewed()));
        world.waits(2 * DAY);
        world.accepts(&owner, world.setting(&eve));
        world.accepts(&owner, world.removal(&bob));
        world.accepts(&owner, world.epoch(&production));
        world.accepts(&owner, world.epoch(&folder));
        world.accepts(&owner, NamespaceSet { archived: Some(true), ..World::change(&development) });
        world.accepts(&owner, PolicySet { policy: policy() });
        world.writes(&owner, &production, vec![world.deletion(&production, "b")]);
        world.accepts(&owner, world.checkpoint());
        let kinds: BTreeSet<u8> = world.links.iter().map(|link| Link::from_bytes(link.payload()).expect("a link").kind).collect();
        assert_eq!(kinds.len(), 15, "the story has every kind of link");
        world
    })
}
