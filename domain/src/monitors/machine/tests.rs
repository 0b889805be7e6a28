use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

const MINUTE: u64 = 60_000;
const QUICK: Event = Event::Passed { latency_ms: 50 };
const SLOW: Event = Event::Passed { latency_ms: 5_000 };
const LIMIT: Option<u64> = Some(1_000);

/// Plays events, one a minute, and writes down where each leads.
fn play(from: (State, Memory), events: &[Event]) -> Vec<(State, Option<Turn>)> {
    let (mut state, mut memory) = from;
    let mut seen = Vec::new();
    for (event, minute) in events.iter().zip(1..) {
        let next = step(state, memory, *event, LIMIT, minute * MINUTE);
        seen.push((next.state, next.turn));
        (state, memory) = (next.state, next.memory);
    }
    seen
}

fn fresh(state: State) -> (State, Memory) {
    (state, Memory::default())
}

fn states(from: State, events: &[Event]) -> Vec<State> {
    play(fresh(from), events).into_iter().map(|(state, _)| state).collect()
}

/// Every state that is stored, under every event that can come, from a fresh memory and from one where a single look decides.
#[test]
fn every_transition_is_the_reviewed_one() {
    let events: [(&str, Event); 8] = [
        ("passed", QUICK),
        ("slow", SLOW),
        ("failed", Event::Failed),
        ("throttled", Event::Throttled),
        ("maintenance", Event::Maintenance),
        ("gap", Event::Gap),
        ("paused", Event::Paused),
        ("restarted", Event::Restarted),
    ];
    let on_the_brink =
        Memory { failures: 2, successes: 2, changes: vec![], latencies: vec![5_000; LATENCIES], slow: 1, quick: QUICK_TO_UP - 1 };
    let flapping = Memory { changes: vec![1, 2, 3], ..on_the_brink.clone() };
    let mut table = String::new();
    for (name, memory) in [("at first", Memory::default()), ("on the brink", on_the_brink), ("after three changes", flapping)] {
        writeln!(table, "{name}").unwrap();
        for state in State::ALL.into_iter().filter(|state| *state != State::Stale) {
            for (event_name, event) in events {
                let next = step(state, memory.clone(), event, LIMIT, 4);
                let turn = next.turn.map_or_else(String::new, |turn| format!("  {turn:?}"));
                writeln!(table, "  {:12} {event_name:12} -> {:?}{turn}", format!("{state:?}"), next.state).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn three_failures_in_a_row_make_it_down_and_two_successes_end_that() {
    use Event::Failed;
    let story = play(fresh(State::Up), &[Failed, QUICK, Failed, Failed, Failed, Failed, QUICK, Failed, QUICK, QUICK]);
    let quiet = |state: State| (state, None);
    assert_eq!(
        story,
        [
            quiet(State::Pending),
            quiet(State::Up),
            quiet(State::Pending),
            quiet(State::Pending),
            (State::Down, Some(Turn::Opened { flapping: false })),
            quiet(State::Down),
            quiet(State::Down),
            quiet(State::Down),
            quiet(State::Down),
            (State::Up, Some(Turn::Resolved)),
        ]
    );
}

#[test]
fn four_changes_within_half_an_hour_are_flapping() {
    use Event::Failed;
    let once = [Failed, Failed, Failed, QUICK, QUICK];
    let story = play(fresh(State::Up), &[once, once, once].concat());
    let turns: Vec<(usize, Turn)> = story.iter().enumerate().filter_map(|(at, (_, turn))| turn.map(|turn| (at, turn))).collect();
    let opened = Turn::Opened { flapping: false };
    // Down for three looks it is steady; up again after them, it flaps still, in the same incident.
    assert_eq!(turns, [(2, opened), (4, Turn::Resolved), (7, opened), (9, Turn::Flaps), (12, Turn::Steady), (14, Turn::Flaps)]);
}

#[test]
fn flapping_ends_after_three_looks_that_agree() {
    use Event::Failed;
    let up = play(fresh(State::Flapping), &[QUICK, Failed, QUICK, QUICK, QUICK]);
    assert_eq!(up.last(), Some(&(State::Up, Some(Turn::Resolved))));
    assert!(up[..4].iter().all(|step| *step == (State::Flapping, None)));
    let down = play(fresh(State::Flapping), &[Failed, QUICK, Failed, Failed, Failed]);
    assert_eq!(down.last(), Some(&(State::Down, Some(Turn::Steady))));
    let after = play(fresh(State::Flapping), &[QUICK, QUICK, QUICK, Failed, Failed, Failed]);
    assert_eq!(after.last(), Some(&(State::Down, Some(Turn::Opened { flapping: false }))));
}

#[test]
fn changes_that_lie_apart_are_not_flapping() {
    use Event::Failed;
    let (mut state, mut memory) = fresh(State::Up);
    for round in 0..10 {
        for event in [Failed, Failed, Failed, QUICK, QUICK] {
            let next = step(state, memory, event, None, round * FLAPPING_WITHIN_MS);
            (state, memory) = (next.state, next.memory);
            assert_ne!(state, State::Flapping);
        }
    }
}

#[test]
fn slow_answers_make_it_degraded_and_quick_ones_up_again() {
    use State::{Degraded, Up};
    assert_eq!(states(Up, &[SLOW; 6]), [Up, Up, Up, Up, Up, Degraded]);
    assert_eq!(states(Degraded, &[QUICK, SLOW, QUICK, QUICK, QUICK]), [Degraded, Degraded, Degraded, Degraded, Up]);
    assert_eq!(states(Degraded, &[Event::Failed]), [State::Pending]);
}

#[test]
fn too_many_requests_are_no_failure() {
    use Event::{Failed, Throttled};
    assert_eq!(states(State::Unknown, &[Throttled]), [State::Up]);
    assert_eq!(states(State::Up, &[Throttled; 20]), [State::Up; 20]);
    assert_eq!(states(State::Pending, &[Failed, Throttled, Throttled]), [State::Pending; 3]);
    assert_eq!(states(State::Down, &[Throttled; 3]), [State::Down; 3]);
}

#[test]
fn what_was_counted_before_a_gap_does_not_count() {
    use Event::{Failed, Gap};
    assert_eq!(play(fresh(State::Up), &[Failed, Failed, Gap, Failed, Failed]).last(), Some(&(State::Pending, None)));
    // Whatever was down is down still, with the incident it had.
    assert_eq!(play(fresh(State::Down), &[Gap, Failed]), [(State::Down, None); 2]);
}

#[test]
fn a_monitor_whose_workers_died_is_stale_and_not_down() {
    let stale_at = stale_at_ms(1_000_000, MINUTE);
    assert_eq!(State::Up.shown(Some(stale_at), stale_at), State::Up);
    for state in State::ALL {
        assert_eq!(state.shown(Some(stale_at), stale_at + 1), State::Stale);
    }
    // A paused monitor has no next look, and so nothing that is late.
    assert_eq!(State::Paused.shown(None, u64::MAX), State::Paused);
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Failed),
        4 => Just(QUICK),
        2 => Just(SLOW),
        1 => Just(Event::Throttled),
        1 => Just(Event::Maintenance),
        1 => Just(Event::Gap),
        1 => Just(Event::Paused),
        1 => Just(Event::Restarted),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_invariants_hold(events in prop::collection::vec((any_event(), 0..40 * MINUTE), 0..200)) {
        let (mut state, mut memory, mut now) = (State::Unknown, Memory::default(), 0);
        let mut open = false;
        let (mut failures, mut successes) = (0, 0);
        for (event, pause) in events {
            now += pause;
            let was = state;
            let next = step(state, memory, event, LIMIT, now);
            (state, memory) = (next.state, next.memory);
            match event {
                Event::Failed => (failures, successes) = (failures + 1, 0),
                Event::Passed { .. } => (failures, successes) = (0, successes + 1),
                Event::Throttled => {}
                _ => (failures, successes) = (0, 0),
            }
            match next.turn {
                Some(Turn::Opened { flapping }) => {
                    prop_assert!(!open && failures >= u32::from(FAILURES_TO_DOWN));
                    prop_assert_eq!(state, if flapping { State::Flapping } else { State::Down });
                    open = true;
                }
                Some(Turn::Flaps) => prop_assert!(open && (was, state) == (State::Down, State::Flapping)),
                Some(Turn::Steady) => prop_assert!(open && (was, state) == (State::Flapping, State::Down)),
                Some(Turn::Resolved) => {
                    prop_assert!(open && state == State::Up && successes >= u32::from(SUCCESSES_TO_UP));
                    open = false;
                }
                Some(Turn::Dropped) => {
                    prop_assert!(open && matches!(state, State::Paused | State::Maintenance | State::Unknown));
                    open = false;
                }
                None => {}
            }
            prop_assert_eq!(open, state.has_incident(), "an incident is open exactly while it is down or flapping");
            prop_assert!(state != State::Stale);
            prop_assert!(was != State::Paused || state == State::Paused || event == Event::Restarted);
            prop_assert!(memory.changes.len() <= CHANGES_TO_FLAPPING && memory.latencies.len() <= LATENCIES);
            let stored = serde_json::to_string(&memory).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Memory>(&stored).unwrap(), &memory);
        }
    }
}
