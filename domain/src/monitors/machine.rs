//! How a monitor stands: a pure function from a state and what happened to the next state, and what that means for its incident.
//!
//! An incident is open exactly while a monitor is down or flapping. Time is an argument, and nothing is stored or sent here. Absent: stale,
//! which no event leads to, for it means that nobody is left who could write it; whoever reads a row finds it by [`State::shown`].

use keyvawlt_ledger::trial::Watched;
use serde::{Deserialize, Serialize};

/// Failures in a row that make a monitor down: one is a lost packet, two a restart.
pub const FAILURES_TO_DOWN: u8 = 3;
/// Successes in a row that end an incident.
pub const SUCCESSES_TO_UP: u8 = 2;
/// Times a monitor goes down or comes up within [`FLAPPING_WITHIN_MS`] that make it flapping.
pub const CHANGES_TO_FLAPPING: usize = 4;
/// See [`CHANGES_TO_FLAPPING`].
pub const FLAPPING_WITHIN_MS: u64 = 30 * 60 * 1000;
/// Looks in a row with the same end that end flapping.
pub const STEADY_LOOKS: u8 = 3;
/// Looks over whose latencies slowness is judged.
pub const LATENCIES: usize = 5;
/// Judgements "slow" in a row that make a monitor degraded.
pub const SLOW_TO_DEGRADED: u8 = 2;
/// Quick looks in a row that end that.
pub const QUICK_TO_UP: u8 = 3;
/// How much later than due a look may come, beyond one interval, before the monitor is called stale: a worker's restart and a lost lease.
pub const STALE_GRACE_MS: u64 = 2 * 60 * 1000;

/// How a monitor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Nobody looked yet, or not since it mattered.
    Unknown,
    /// It answers as expected.
    Up,
    /// It failed, which may be nothing.
    Pending,
    /// It fails.
    Down,
    /// It answers as expected, and slowly.
    Degraded,
    /// It goes up and down.
    Flapping,
    /// Failures are expected now.
    Maintenance,
    /// Nobody looks, as somebody wished.
    Paused,
    /// Nobody looks, as nobody wished. Never stored.
    Stale,
}

impl State {
    /// Every state, in the order of their numbers in rows.
    pub const ALL: [State; 9] = [
        State::Unknown,
        State::Up,
        State::Pending,
        State::Down,
        State::Degraded,
        State::Flapping,
        State::Maintenance,
        State::Paused,
        State::Stale,
    ];

    /// Whether an incident is open.
    pub fn has_incident(self) -> bool {
        matches!(self, Self::Down | Self::Flapping)
    }

    /// What is shown of a stored state: a monitor whose workers died is stale, not down.
    #[must_use]
    pub fn shown(self, stale_at_ms: Option<u64>, now_ms: u64) -> Self {
        if stale_at_ms.is_some_and(|at| now_ms > at) { Self::Stale } else { self }
    }
}

impl State {
    /// What it says of a version that is on trial, since when it stands so. Nobody watches what somebody paused.
    pub fn watched(self, since_ms: u64) -> Watched {
        match self {
            Self::Up | Self::Degraded => Watched::Well,
            Self::Down | Self::Flapping => Watched::Bad(since_ms),
            Self::Unknown | Self::Pending | Self::Maintenance | Self::Stale => Watched::Unclear,
            Self::Paused => Watched::Nobody,
        }
    }
}

/// When a monitor becomes stale that should be looked at by `next_ms`.
pub fn stale_at_ms(next_ms: u64, interval_ms: u64) -> u64 {
    next_ms.saturating_add(interval_ms).saturating_add(STALE_GRACE_MS)
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It answered as expected, after so long.
    Passed {
        /// Milliseconds.
        latency_ms: u64,
    },
    /// It did not.
    Failed,
    /// It answered that it is asked too often (429), which says nothing but that it is there.
    Throttled,
    /// It was looked at in a time in which failures are expected.
    Maintenance,
    /// Nobody looked for so long that what was counted before says nothing any more.
    Gap,
    /// Somebody paused it.
    Paused,
    /// Somebody resumed it, or changed what is looked at.
    Restarted,
}

/// What a step means for the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It begins.
    Opened {
        /// With a monitor that is flapping already.
        flapping: bool,
    },
    /// The monitor that was down is flapping now.
    Flaps,
    /// The monitor that was flapping is down now.
    Steady,
    /// It ends, for the monitor is up.
    Resolved,
    /// It ends, for nobody wants to hear of it: maintenance, pause, another URL.
    Dropped,
}

/// What the machine remembers of the last looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Failures in a row.
    pub failures: u8,
    /// Successes in a row.
    pub successes: u8,
    /// When it went down or came up, no longer than [`FLAPPING_WITHIN_MS`] ago.
    pub changes: Vec<u64>,
    /// Of the last looks that passed, milliseconds, the newest last.
    pub latencies: Vec<u64>,
    /// Judgements "slow" in a row.
    pub slow: u8,
    /// Quick looks in a row.
    pub quick: u8,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it stands now.
    pub state: State,
    /// What to remember.
    pub memory: Memory,
    /// What became of the incident.
    pub turn: Option<Turn>,
}

/// The next state. `slow_ms` is the latency above which the monitor counts as slow, if it matters.
pub fn step(state: State, memory: Memory, event: Event, slow_ms: Option<u64>, now_ms: u64) -> Step {
    match (state, event) {
        (_, Event::Paused) => leave(state, State::Paused),
        (State::Paused, Event::Restarted) => Step { state: State::Unknown, memory: Memory::default(), turn: None },
        (State::Paused, _) => Step { state, memory, turn: None },
        (_, Event::Restarted) => leave(state, State::Unknown),
        (_, Event::Maintenance) => leave(state, State::Maintenance),
        (_, Event::Gap) => after_gap(state, memory),
        (_, Event::Throttled) => throttled(state, memory),
        (_, Event::Passed { latency_ms }) => passed(state, memory, latency_ms, slow_ms, now_ms),
        (_, Event::Failed) => failed(state, memory, now_ms),
    }
}

fn leave(from: State, to: State) -> Step {
    Step { state: to, memory: Memory::default(), turn: from.has_incident().then_some(Turn::Dropped) }
}

fn after_gap(state: State, memory: Memory) -> Step {
    let state = if state == State::Pending { State::Unknown } else { state };
    Step { state, memory: Memory { changes: memory.changes, ..Memory::default() }, turn: None }
}

fn throttled(state: State, memory: Memory) -> Step {
    let state = if matches!(state, State::Unknown | State::Maintenance) { State::Up } else { state };
    Step { state, memory, turn: None }
}

fn passed(state: State, mut memory: Memory, latency_ms: u64, slow_ms: Option<u64>, now_ms: u64) -> Step {
    memory.failures = 0;
    memory.successes = memory.successes.saturating_add(1);
    match state {
        State::Down if memory.successes < SUCCESSES_TO_UP => Step { state, memory, turn: None },
        State::Down if changed(&mut memory, now_ms) => flaps(memory, Turn::Flaps),
        State::Flapping if memory.successes < STEADY_LOOKS => Step { state, memory, turn: None },
        State::Down | State::Flapping => Step { state: State::Up, memory, turn: Some(Turn::Resolved) },
        State::Degraded => degraded(memory, latency_ms, slow_ms),
        _ => up(memory, latency_ms, slow_ms),
    }
}

fn failed(state: State, mut memory: Memory, now_ms: u64) -> Step {
    memory.successes = 0;
    memory.failures = memory.failures.saturating_add(1);
    match state {
        State::Down => Step { state, memory, turn: None },
        State::Flapping if memory.failures < STEADY_LOOKS => Step { state, memory, turn: None },
        State::Flapping => Step { state: State::Down, memory, turn: Some(Turn::Steady) },
        _ if memory.failures < FAILURES_TO_DOWN => Step { state: State::Pending, memory, turn: None },
        _ if changed(&mut memory, now_ms) => flaps(memory, Turn::Opened { flapping: true }),
        _ => Step { state: State::Down, memory, turn: Some(Turn::Opened { flapping: false }) },
    }
}

/// Notes that the monitor went down or came up; says whether that makes it flapping. The changes outlast flapping: whoever was steady for three
/// looks only, and changes again, is flapping still.
fn changed(memory: &mut Memory, now_ms: u64) -> bool {
    memory.changes.retain(|at| now_ms.abs_diff(*at) < FLAPPING_WITHIN_MS);
    if memory.changes.len() == CHANGES_TO_FLAPPING {
        memory.changes.remove(0);
    }
    memory.changes.push(now_ms);
    memory.changes.len() >= CHANGES_TO_FLAPPING
}

fn flaps(memory: Memory, turn: Turn) -> Step {
    Step { state: State::Flapping, memory: Memory { failures: 0, successes: 0, ..memory }, turn: Some(turn) }
}

fn up(mut memory: Memory, latency_ms: u64, slow_ms: Option<u64>) -> Step {
    if memory.latencies.len() >= LATENCIES {
        memory.latencies.remove(0);
    }
    memory.latencies.push(latency_ms);
    // Of five values the 95th percentile is the largest (nearest rank).
    let worst = memory.latencies.iter().max().filter(|_| memory.latencies.len() == LATENCIES);
    let slow = slow_ms.zip(worst).is_some_and(|(limit, worst)| *worst > limit);
    memory.slow = if slow { memory.slow.saturating_add(1) } else { 0 };
    if memory.slow < SLOW_TO_DEGRADED {
        return Step { state: State::Up, memory, turn: None };
    }
    Step { state: State::Degraded, memory: Memory { slow: 0, quick: 0, latencies: vec![], ..memory }, turn: None }
}

fn degraded(mut memory: Memory, latency_ms: u64, slow_ms: Option<u64>) -> Step {
    let quick = slow_ms.is_none_or(|limit| latency_ms <= limit);
    memory.quick = if quick { memory.quick + 1 } else { 0 };
    if memory.quick < QUICK_TO_UP {
        return Step { state: State::Degraded, memory, turn: None };
    }
    Step { state: State::Up, memory: Memory { quick: 0, ..memory }, turn: None }
}

#[cfg(test)]
mod tests;
