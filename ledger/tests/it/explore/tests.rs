//! The first steps of the search in every run of the tests; the example `explore` searches on.

use super::{Rules, search};
use std::path::Path;
use std::time::Duration;

/// Far enough for seconds.
const SHORT: usize = 2;

#[test]
fn no_short_history_breaks_a_property() {
    let found = search(Rules::Real, SHORT, Duration::from_mins(5));
    assert_eq!(found.broken, None);
    assert_eq!(found.states, published_states(SHORT), "docs/exploration.md is of other rules: search again (CONTRIBUTING.md says how)");
    assert!(found.accepted > 100 && found.accepted < found.judged, "{found:?}");
}

#[test]
fn a_planted_fault_is_found() {
    for (rules, word) in [(Rules::NothingIsOwed, "knows the current key"), (Rules::NothingIsFenced, "wrote")] {
        let found = search(rules, 7, Duration::from_mins(5));
        let broken = found.broken.unwrap_or_else(|| panic!("{rules:?} was not noticed: {:?}", found.states));
        assert!(broken.contains(word), "{rules:?} was noticed as another fault: {broken}");
    }
}

/// The first published counts of states, by number of steps.
fn published_states(depth: usize) -> Vec<usize> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exploration.md");
    let text = std::fs::read_to_string(page).expect("docs/exploration.md");
    let rules = text.split("## ").find(|part| part.starts_with("The rules")).expect("a part about the rules");
    let rows = rules.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let counts = rows.filter_map(|(_, count)| count.trim_end_matches(" |").replace(',', "").parse().ok());
    counts.take(depth + 1).collect()
}
