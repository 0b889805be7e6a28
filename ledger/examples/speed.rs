//! How long a cold client takes to verify a chain of 10,000 links. Run with `--release`; the target is under two seconds.

#[path = "../tests/it/people.rs"]
#[expect(dead_code, reason = "the tests' people; not all are needed here")]
mod people;
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests' world; not all of it is needed here")]
mod world;

use keyvawlt_ledger::chain::{Replica, View, class, role};
use std::io::Write;
use std::time::Instant;
use world::{READ, WRITE, World};

const LINKS: usize = 10_000;
const ENVIRONMENTS: usize = 20;

fn main() -> std::io::Result<()> {
    let world = grown();
    let begun = Instant::now();
    let mut replica = Replica::new(world.org_id());
    for link in &world.links {
        replica.append(link, world.now).map_err(std::io::Error::other)?;
    }
    let took = begun.elapsed();
    let bytes: usize = world.links.iter().map(|link| link.payload().len() + 64).sum();
    let mut out = std::io::stdout();
    writeln!(out, "{} links, {} KiB, verified in {:.2?} ({:.0?} each)", world.links.len(), bytes / 1024, took, took / 10_000)?;

    let begun = Instant::now();
    let cache = replica.to_bytes();
    let stored = begun.elapsed();
    let begun = Instant::now();
    let restored = Replica::from_bytes(&cache).map_err(std::io::Error::other)?;
    writeln!(out, "cache of {} KiB written in {stored:.2?}, read in {:.2?}", cache.len() / 1024, begun.elapsed())?;

    let begun = Instant::now();
    let hash = restored.head().state_hash();
    writeln!(out, "state hash {hash} in {:.2?}", begun.elapsed())
}

/// Members, invites and access in equal parts, a checkpoint every 64 links.
fn grown() -> World {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let environments: Vec<_> = (0..ENVIRONMENTS).map(|n| world.environment(&format!("environment {n}"), class::STAGING)).collect();
    let mut people = Vec::new();
    for n in 0.. {
        if world.links.len() >= LINKS {
            break;
        }
        if world.links.len().is_multiple_of(64) {
            world.accepts(&owner, world.checkpoint());
        } else if n % 8 == 0 {
            people.push(world.adds(&format!("person {n}"), role::MEMBER));
            let person = people.last().expect("somebody was added").clone();
            world.gives(&world.directory.clone(), &person, READ);
        } else if n % 8 < 4 {
            world.accepts(&owner, world.invite(&format!("invite {n}"), role::MEMBER));
        } else {
            let person = people[n / 8 % people.len()].clone();
            let ns = environments[(n / 8 * 4 + n % 8) % ENVIRONMENTS];
            let bits = if world.may(&person, &ns) == READ { WRITE } else { READ };
            world.gives(&ns, &person, bits);
        }
    }
    world
}
