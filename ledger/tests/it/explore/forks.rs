//! Two honest clients, a member who works with the server, and a server that shows each of them any statement there is, in any order, or none.
//! What must hold: who has one link has the same history before it. So histories that parted never meet again unnoticed.

use super::Found;
use crate::people::Person;
use crate::world::{World, sign};
use keyvawlt_ledger::chain::{Body, Checkpoint, Link, Questions, Replica, class, role};
use keyvawlt_ledger::{Hash, Signed};
use std::collections::HashSet;

/// How a client judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Real,
    /// With a fault: it takes a link for genuine if any history that the server has bears it.
    AnyHistory,
}

/// Links that exist at most: two parted histories of two each, and what joins them.
const MAX_STATEMENTS: usize = 5;

#[derive(Clone)]
struct State {
    /// What each client has verified, from the common pin on: numbers of statements.
    views: [Vec<usize>; 2],
    /// Statements, each with the history it was signed on.
    pool: Vec<(Signed, Vec<usize>)>,
}

struct Setting {
    pin: Replica,
    now: u64,
    people: [Person; 3],
}

fn setting() -> Setting {
    let mut world = World::begins();
    world.environment("production", class::PRODUCTION);
    let people = [world.owner.clone(), world.adds("bob", role::MEMBER), world.adds("eve", role::ADMIN)];
    Setting { pin: world.replica.clone(), now: world.now, people }
}

impl Setting {
    /// The chain of these statements after the pin.
    fn chain(&self, state: &State, view: &[usize]) -> Option<Replica> {
        let mut replica = self.pin.clone();
        for number in view {
            replica.append(&state.pool[*number].0, self.now).ok()?;
        }
        Some(replica)
    }

    /// The next statement of somebody who stands there. `variant` makes two of one author differ.
    fn signs(&self, who: usize, chain: &Replica, variant: u64) -> Signed {
        let (author, tip) = (&self.people[who], chain.tip());
        let body = Body::Checkpoint(Checkpoint { state_hash: None });
        let last = chain.head().chain().expect("a chain").last_ts_ms;
        sign(
            author,
            &Link {
                v: keyvawlt_ledger::FORMAT,
                org_id: tip.org_id,
                seq: tip.next_seq(),
                history: tip.history.root(),
                kind: body.kind(),
                author_id: author.id,
                author_key_id: author.key_id,
                ts_ms: last + variant,
                body: body.to_value(),
                seen: vec![],
            },
        )
    }

    fn accepts(&self, client: Client, state: &State, view: &[usize], number: usize) -> bool {
        let (signed, on) = &state.pool[number];
        let real = self.chain(state, view).is_some_and(|mut chain| chain.append(signed, self.now).is_ok());
        let faulty = || on.len() == view.len() && self.chain(state, on).is_some_and(|mut chain| chain.append(signed, self.now).is_ok());
        real || (client == Client::AnyHistory && faulty())
    }
}

/// Every order of signing and showing, `depth` steps far.
pub fn search(client: Client, depth: usize) -> Found {
    let setting = setting();
    let beginning = State { views: [vec![], vec![]], pool: vec![] };
    let mut seen: HashSet<Vec<Vec<u8>>> = HashSet::new();
    let mut found = Found { states: vec![1], judged: 0, accepted: 0, broken: None };
    let mut frontier = vec![beginning];
    for _ in 0..depth {
        let mut next = Vec::new();
        for state in &frontier {
            for after in steps(&setting, client, state, &mut found) {
                if let Some(broken) = broken(&after) {
                    found.broken = Some(broken);
                    return found;
                }
                if seen.insert(canonical(&after)) {
                    next.push(after);
                }
            }
        }
        found.states.push(next.len());
        frontier = next;
    }
    found
}

fn steps(setting: &Setting, client: Client, state: &State, found: &mut Found) -> Vec<State> {
    let mut after = Vec::new();
    if state.pool.len() < MAX_STATEMENTS {
        // Honest clients sign on what they have verified; Eve on anything that anybody has.
        let stands = [(0, 0), (1, 1), (2, 0), (2, 1)];
        for (who, view) in stands {
            let Some(chain) = setting.chain(state, &state.views[view]) else { continue };
            for variant in 0..if who == 2 { 2 } else { 1 } {
                let signed = setting.signs(who, &chain, variant);
                if state.pool.iter().all(|(known, _)| *known != signed) {
                    let mut next = state.clone();
                    next.pool.push((signed, state.views[view].clone()));
                    if who < 2 {
                        next.views[who].push(state.pool.len());
                    }
                    after.push(next);
                }
            }
        }
    }
    for (reader, number) in (0..2).flat_map(|reader| (0..state.pool.len()).map(move |number| (reader, number))) {
        found.judged += 1;
        if setting.accepts(client, state, &state.views[reader], number) {
            found.accepted += 1;
            let mut next = state.clone();
            next.views[reader].push(number);
            after.push(next);
        }
    }
    after
}

fn broken(state: &State) -> Option<String> {
    let [one, other] = &state.views;
    let last = one.iter().rposition(|number| other.contains(number))?;
    (one.get(..=last) != other.get(..=last)).then(|| format!("two clients have statement {} after different histories", one[last]))
}

/// Statements are told apart by their bytes, in whatever order they were made; which client is which matters, for one is the owner.
fn canonical(state: &State) -> Vec<Vec<u8>> {
    let hash = |number: &usize| state.pool[*number].0.hash(keyvawlt_ledger::hash::LINK);
    let mut pool: Vec<Hash> = (0..state.pool.len()).map(|number| hash(&number)).collect();
    pool.sort_by_key(|hash| hash.0);
    let views = state.views.iter().map(|view| view.iter().flat_map(|number| hash(number).0).collect());
    views.chain([pool.iter().flat_map(|hash| hash.0).collect()]).collect()
}

#[test]
fn histories_that_parted_do_not_meet_again() {
    let found = search(Client::Real, 6);
    assert_eq!(found.broken, None);
    assert!(found.accepted > 100 && found.accepted < found.judged, "{found:?}");
}

#[test]
fn a_client_that_believes_any_history_is_found() {
    let found = search(Client::AnyHistory, 6);
    assert!(found.broken.is_some(), "{found:?}");
}
