//! The page of a whole search: what was searched, how, and how many states there are.

use crate::explore::Found;
use std::fmt::Write as _;
use std::time::Duration;

/// The page's text.
pub fn written(rules: &Found, forks: &Found, took: Duration) -> String {
    let mut text = HEAD.to_owned();
    part(&mut text, RULES, rules);
    part(&mut text, FORKS, forks);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let _ = writeln!(text, "The search took {} s on one core, in {profile} mode.", took.as_secs());
    text
}

fn part(text: &mut String, heading: &str, found: &Found) {
    text.push_str(heading);
    text.push_str("| steps | distinct states |\n|---|---|\n");
    for (steps, states) in found.states.iter().enumerate() {
        let _ = writeln!(text, "| {steps} | {} |", grouped(*states as u64));
    }
    let all: usize = found.states.iter().sum();
    let (judged, accepted) = (grouped(found.judged), grouped(found.accepted));
    let _ = writeln!(text, "\nIn all {} states; {judged} moves were tried, {accepted} accepted; no property broke.\n", grouped(all as u64));
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const HEAD: &str = "\
# Every short history

A breadth-first search over the real rules (`ledger::chain::apply` and `ledger::manifest::verify`, with real signatures): every order of the moves
below, up to a number of steps. A program that searches, `ledger/examples/explore`, writes this page; the tests (`ledger/tests/it/explore`) search
the first steps again, and hold the counts against it. With a fault planted in the rules (nothing owed, nothing fenced, any history believed) the same search finds a
broken property, so it can fail.

";

const RULES: &str = "\
## The rules

An owner, and two newcomers with codes; an environment with a guarded folder, and a second environment. The search begins where nobody has joined
yet, and where one newcomer has everything in the environment and the other reads its folder. Moves: invite (the code carries the second
environment's key), revoke, join; give everything or read alone, lower and take it, with an end or without; a new key; removal; a write by anybody, standing on one of
the newest two states of the chain (the server withholds the rest from him), dated now or as early as it can be; a day passes. At most three
epochs and two writes in a namespace, and two days. Whoever signs is honest about keys and fences; whether he may is for the rules to say. States
that differ only in which newcomer is which are one, and so are states that differ in nothing that a rule or a property can tell.

What must hold after every step:

* Nobody can open the key that is in use in a namespace without reading there, unless that key is owed; then nothing new is written under it.
  Holders of a code read as long as it can be used.
* A write that is accepted is by somebody who may write where he stood, and, as everybody knows by now, still might at its date.
* Nobody without access can open what a write seals: at the state its author stood on.

";

const FORKS: &str = "\
## Two clients

Two honest clients past a common pin, and a member who works with the server and signs on anything. The server shows anybody any statement in any
order, or withholds it. What must hold: two clients that have one link have the same history before it, so that histories which parted never meet
again unnoticed.

";
