//! The tour that the README promises: it runs to its end, and what it shows is there.

use std::process::Command;

/// What a newcomer must have seen, in this order.
const SHOWN: [&str; 14] = [
    "listens on      http://127.0.0.1:",
    "Secret Key     KVS1-",
    "✔ \"supabase/access_token\" is nowhere in the ",
    "✔ \"ada@example.com\", which the server must know, is found by the same search",
    "✔ the same words: Ada gives access",
    "Bob reads       supabase/access_token = sbp_",
    "│ I am an agent with a token of 28 characters, beginning with sbp_",
    "agent gets      refused: ",
    "│ Subject: Stripe live expires in 7 days",
    "new key for     agents/production",
    "to be replaced  supabase/access_token in agents/production, version 2, readable by Cleo",
    "✔ the same head: the server shows both the same history",
    "lying server    verification failed: E_ROOT",
    "The tour took ",
];

#[test]
fn the_tour_runs_and_shows_what_it_promises() {
    let tests = std::env::current_exe().expect("the test's own path");
    let tour = tests.ancestors().nth(2).expect("…/deps/it-…").join("examples/tour");
    assert!(tour.is_file(), "{} is missing: build it with `cargo build --example tour`", tour.display());
    let ran = Command::new(tour).output().expect("the tour starts");
    let shown = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{shown}\n{}", String::from_utf8_lossy(&ran.stderr));

    let mut rest = shown.as_str();
    for line in SHOWN {
        let Some((_, after)) = rest.split_once(line) else { panic!("{line:?} is missing, or not in its place, in\n{shown}") };
        rest = after;
    }
    assert!(!shown.contains('\u{1b}'), "no colours where nobody looks");
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
}
