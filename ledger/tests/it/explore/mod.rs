//! Every short history: a breadth-first search over the real rules, from an organization of an owner and two who may join, with two environments and
//! a guarded folder. After each step the properties are checked; a planted fault in the rules shows that they can fail.
//!
//! `docs/exploration.md` says how far it was searched, by the example `explore`. States that differ only in which of the two newcomers is which are one.

pub mod forks;
mod moves;
mod org;
#[cfg(test)]
mod tests;

use keyvawlt_ledger::Hash;
use moves::moves;
use org::Org;
pub use org::Rules;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// Distinct states after each number of steps.
    pub states: Vec<usize>,
    /// Statements that were signed and judged.
    pub judged: u64,
    /// Of those, accepted.
    pub accepted: u64,
    /// A broken property, and the steps to it.
    pub broken: Option<String>,
}

/// Searches `depth` steps far, or until a property breaks or the time is over.
pub fn search(rules: Rules, depth: usize, patience: Duration) -> Found {
    let begun = Instant::now();
    let mut seen: HashSet<Hash> = HashSet::new();
    let mut frontier =
        vec![(Org::begins(rules), vec!["nobody has joined".to_owned()]), (settled(rules), vec!["all have joined".to_owned()])];
    seen.extend(frontier.iter().map(|(org, _)| org.canonical()));
    let mut found = Found { states: vec![frontier.len()], judged: 0, accepted: 0, broken: None };
    for step in 1..=depth {
        let mut next = Vec::new();
        let mut count = 0;
        for (org, path) in &frontier {
            if begun.elapsed() > patience {
                return found;
            }
            for planned in moves(org) {
                found.judged += 1;
                let Some(after) = planned.apply(org) else { continue };
                found.accepted += 1;
                let broken = planned.broken(org, &after).or_else(|| after.broken());
                if let Some(why) = broken {
                    found.broken = Some(format!("{why}, after {path:?} and {planned:?}"));
                    return found;
                }
                if seen.insert(after.canonical()) {
                    count += 1;
                    // The last states are checked, and not left again.
                    if step < depth {
                        let mut path = path.clone();
                        path.push(format!("{planned:?}"));
                        next.push((after, path));
                    }
                }
            }
        }
        found.states.push(count);
        frontier = next;
    }
    found
}

/// Bob writes and gives in production, Eve reads its folder: from here more happens in few steps.
fn settled(rules: Rules) -> Org {
    use moves::Move;
    let all = crate::world::ALL;
    let beginning = [
        Move::Invite { by: 0, whom: 1 },
        Move::Join { who: 1 },
        Move::Invite { by: 0, whom: 2 },
        Move::Join { who: 2 },
        Move::Epoch { by: 0, at: org::DEVELOPMENT },
        Move::Access { by: 0, at: 0, to: 1, bits: all, ends: false },
        Move::Access { by: 1, at: org::FOLDER, to: 2, bits: crate::world::READ, ends: false },
    ];
    beginning.into_iter().fold(Org::begins(rules), |org, next| next.apply(&org).unwrap_or_else(|| panic!("{next:?} is allowed")))
}
