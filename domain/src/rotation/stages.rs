//! When whom: the owner at the moment, those who write and the admins a week later, and once more after a month; then silence.
//!
//! A pure function of the moment, of what was snoozed, and of the clock. After a snooze it begins anew: the owner hears first again.

use serde::{Deserialize, Serialize};

/// After this the owner is not alone any more: a week in which somebody is away, and comes back.
pub const ESCALATE_AFTER_MS: u64 = 7 * DAY_MS;
/// The last word: who has not acted within a month does not act upon mails. Clients go on saying it.
pub const AGAIN_AFTER_MS: u64 = 30 * DAY_MS;
/// The longest snooze: longer, and it is a decision, which belongs to the rotation's facts or to the work list.
pub const MAX_SNOOZE_MS: u64 = 30 * DAY_MS;
/// All snoozes together end so long after the moment.
pub const MAX_SNOOZED_MS: u64 = 90 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Who hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The owner; who writes there and the admins, where no owner can be reached.
    Owner,
    /// Who writes there, and the admins.
    Escalated,
    /// The same, for the last time.
    Again,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Escalated, Self::Again];

    /// So long after the beginning.
    fn after_ms(self) -> u64 {
        match self {
            Self::Owner => 0,
            Self::Escalated => ESCALATE_AFTER_MS,
            Self::Again => AGAIN_AFTER_MS,
        }
    }

    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Escalated => "escalated",
            Self::Again => "again",
        }
    }
}

/// When reminding begins: at the moment, or when it was snoozed until.
pub fn begins(due_ms: u64, snoozed_until_ms: Option<u64>) -> u64 {
    due_ms.max(snoozed_until_ms.unwrap_or(0))
}

/// The stage that is reached; none before it begins.
pub fn reached(begins_ms: u64, now_ms: u64) -> Option<Stage> {
    Stage::ALL.into_iter().rfind(|stage| begins_ms.saturating_add(stage.after_ms()) <= now_ms)
}

/// The moment of the next stage; none after the last.
pub fn next(begins_ms: u64, now_ms: u64) -> Option<u64> {
    Stage::ALL.into_iter().map(|stage| begins_ms.saturating_add(stage.after_ms())).find(|at_ms| *at_ms > now_ms)
}

/// When something that is written now is spoken of first: at once, where a stage is reached.
pub fn first(begins_ms: u64, now_ms: u64) -> u64 {
    begins_ms.max(now_ms)
}

/// Until when a snooze holds that is asked for: at most so long from now, and not beyond all snoozes. `None`: there is nothing left to snooze.
pub fn snooze(due_ms: u64, until_ms: u64, now_ms: u64) -> Option<u64> {
    let latest = now_ms.saturating_add(MAX_SNOOZE_MS).min(due_ms.saturating_add(MAX_SNOOZED_MS));
    Some(until_ms.min(latest)).filter(|until_ms| *until_ms > now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: u64 = 1_000 * DAY_MS;

    #[test]
    fn the_table_of_stages() {
        let rows = [
            (0, None, Some(DUE)),
            (DUE - 1, None, Some(DUE)),
            (DUE, Some(Stage::Owner), Some(DUE + 7 * DAY_MS)),
            (DUE + 7 * DAY_MS - 1, Some(Stage::Owner), Some(DUE + 7 * DAY_MS)),
            (DUE + 7 * DAY_MS, Some(Stage::Escalated), Some(DUE + 30 * DAY_MS)),
            (DUE + 30 * DAY_MS - 1, Some(Stage::Escalated), Some(DUE + 30 * DAY_MS)),
            (DUE + 30 * DAY_MS, Some(Stage::Again), None),
            (u64::MAX, Some(Stage::Again), None),
        ];
        for (now_ms, stage, then_ms) in rows {
            assert_eq!((reached(DUE, now_ms), next(DUE, now_ms)), (stage, then_ms), "{now_ms}");
        }
        assert_eq!((first(DUE, DUE - 5), first(DUE, DUE + 5)), (DUE, DUE + 5));
    }

    #[test]
    fn a_snooze_begins_it_anew_and_has_its_bounds() {
        let until = DUE + 10 * DAY_MS;
        assert_eq!(begins(DUE, Some(until)), until);
        assert_eq!(begins(DUE, Some(DUE - 1)), DUE, "one that ended before is none");
        assert_eq!(reached(begins(DUE, Some(until)), until + 1), Some(Stage::Owner), "the owner first");
        let rows = [
            (DUE, DUE + 7 * DAY_MS, Some(DUE + 7 * DAY_MS)),
            (DUE, DUE + 365 * DAY_MS, Some(DUE + 30 * DAY_MS)),
            (DUE, DUE, None),
            (DUE + 80 * DAY_MS, DUE + 100 * DAY_MS, Some(DUE + 90 * DAY_MS)),
            (DUE + 90 * DAY_MS, DUE + 100 * DAY_MS, None),
            (DUE - 5 * DAY_MS, DUE + 2 * DAY_MS, Some(DUE + 2 * DAY_MS)),
        ];
        for (now_ms, asked_ms, expected) in rows {
            assert_eq!(snooze(DUE, asked_ms, now_ms), expected, "{now_ms} {asked_ms}");
        }
    }
}
