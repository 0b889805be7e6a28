//! When a monitor is looked at next. Looks are spread: each interval is a little longer or shorter by chance, and what comes late all at once
//! (after a restart) is scattered over a whole interval. Pure: chance is an argument.

use super::machine::{Memory, State};

/// The wait before the second and the third look at what failed once, and before the one that may end an incident.
const RETRIES_MS: [u64; 2] = [20_000, 40_000];
/// Of an interval, this part is chance (ten per cent to either side).
const JITTER_PART: u64 = 5;
/// What asks us to come less often is asked after so many intervals.
const THROTTLED_INTERVALS: u64 = 2;
/// No wait between two looks is as long: twice an interval and a tenth of that is the longest, for what is throttled.
pub(super) const LONGEST_WAIT_INTERVALS: u64 = THROTTLED_INTERVALS + 1;
/// A new monitor is looked at within this time: somebody waits for it.
const FIRST_WITHIN_MS: u64 = 5_000;

/// How the last look went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    /// How the monitor stands after it.
    pub(super) state: State,
    /// What is remembered after it.
    pub(super) memory: &'a Memory,
    /// Whether it was told to come less often.
    pub(super) throttled: bool,
}

/// When a monitor that was due at `due_ms` is looked at next. `chance` gives evenly distributed numbers below its argument.
pub(super) fn next_ms(looked: Looked<'_>, due_ms: u64, interval_ms: u64, now_ms: u64, chance: impl Fn(u64) -> u64) -> u64 {
    if let Some(wait) = soon(looked) {
        return now_ms + wait.min(interval_ms);
    }
    let interval = if looked.throttled { interval_ms.saturating_mul(THROTTLED_INTERVALS) } else { interval_ms };
    let at = due_ms.saturating_add(interval);
    if at < now_ms + interval / 2 {
        return now_ms + interval / 2 + chance(interval);
    }
    let jitter = interval / JITTER_PART;
    at - jitter / 2 + chance(jitter)
}

/// The first look at a new or resumed monitor.
pub(super) fn first_ms(now_ms: u64, chance: impl Fn(u64) -> u64) -> u64 {
    now_ms + chance(FIRST_WITHIN_MS)
}

/// What is undecided is looked at again soon.
fn soon(looked: Looked<'_>) -> Option<u64> {
    if looked.throttled {
        return None;
    }
    match looked.state {
        State::Pending => RETRIES_MS.get(usize::from(looked.memory.failures).saturating_sub(1)).copied(),
        State::Down if looked.memory.successes > 0 => Some(RETRIES_MS[0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    const MINUTE: u64 = 60_000;
    const MONITORS: usize = 10_000;

    fn looked(state: State, memory: &Memory) -> Looked<'_> {
        Looked { state, memory, throttled: false }
    }

    #[test]
    fn a_failure_is_looked_at_again_after_20_and_40_seconds() {
        let memory = |failures| Memory { failures, ..Memory::default() };
        let next = |failures, interval| next_ms(looked(State::Pending, &memory(failures)), 0, interval, 1_000, |_| 0);
        assert_eq!((next(1, MINUTE), next(2, MINUTE)), (21_000, 41_000));
        assert_eq!(next(2, 30_000), 31_000, "never later than the interval");
        let recovering = Memory { successes: 1, ..Memory::default() };
        assert_eq!(next_ms(looked(State::Down, &recovering), 0, 24 * 60 * MINUTE, 1_000, |_| 0), 21_000);
    }

    #[test]
    fn the_pace_is_kept_within_ten_per_cent() {
        let memory = Memory::default();
        let next = |chance: fn(u64) -> u64| next_ms(looked(State::Up, &memory), 100_000, MINUTE, 100_900, chance);
        assert_eq!((next(|_| 0), next(|limit| limit - 1)), (154_000, 165_999));
        let throttled = Looked { throttled: true, ..looked(State::Up, &memory) };
        assert!(next_ms(throttled, 100_000, MINUTE, 100_900, |_| 0) >= 100_000 + MINUTE * 3 / 2);
    }

    #[test]
    fn ten_thousand_that_are_due_at_once_do_not_stay_a_herd() {
        let random = Random::seeded(3);
        let memory = Memory::default();
        // A worker comes back after an hour, and gets through all of them within two seconds.
        let mut due: Vec<u64> = (0..MONITORS as u64).map(|n| 3_600_000 + n / 5).collect();
        let mut widest = 0;
        for round in 0..5 {
            for at in &mut due {
                let was = if round == 0 { 0 } else { *at };
                *at = next_ms(looked(State::Up, &memory), was, MINUTE, *at + 5, |limit| random.below(limit));
            }
            let first = due.iter().min().copied().unwrap();
            let mut seconds = vec![0_usize; 200];
            for at in &due {
                seconds[usize::try_from((at - first) / 1_000).unwrap()] += 1;
            }
            widest = seconds.into_iter().max().unwrap();
            assert!(widest < 2 * MONITORS / 60, "round {round}: {widest} within a second");
        }
        assert!(widest < 2 * MONITORS / 60);
    }
}
