//! Where a key stands: a pure function of what is known and what was reported.
//!
//! One refusal is a doubt, two that lie a minute apart a fact, unless most of a provider's keys are refused at once: then it is the provider. What
//! decides nothing (no answer, throttled, blocked) changes nothing, and silence, or a day of such checks, is staleness, never death.

use keyvawlt_ledger::health::Outcome;
use keyvawlt_ledger::trial::Watched;

/// The second refusal counts from here on: a provider that restarts, or a clock that stumbles, is over by then.
pub const CONFIRM_MS: u64 = 60_000;
/// An end that is closer than this is told: the longest of the thresholds by which people are reminded.
pub const EXPIRING_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Where a key stands. The numbers are those of columns and of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing was found out yet.
    Unverified = 1,
    /// The provider accepts it.
    Valid = 2,
    /// The provider refused it, and that is not settled.
    Suspect = 3,
    /// The provider refuses it.
    Invalid = 4,
    /// Nobody reported in time, or nothing that decides.
    Stale = 5,
    /// It was replaced, its grace is over, and the provider still accepts it.
    RetiredStillAlive = 6,
    /// The provider accepts it, and says that it ends soon.
    Expiring = 7,
}

impl State {
    /// Every state, in order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Unverified, Self::Valid, Self::Suspect, Self::Invalid, Self::Stale, Self::RetiredStillAlive, Self::Expiring];

    /// By its number.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i16 == number)
    }
}

impl State {
    /// What it says of a version that is on trial, whose key was first refused then: what nobody checked lately says nothing.
    pub fn watched(self, failed_at: Option<u64>) -> Watched {
        match self {
            Self::Valid | Self::Expiring | Self::RetiredStillAlive => Watched::Well,
            Self::Suspect => Watched::Unclear,
            Self::Invalid => Watched::Bad(failed_at.unwrap_or(0)),
            Self::Unverified | Self::Stale => Watched::Nobody,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody checked.
    Reported {
        /// What came of it.
        outcome: Outcome,
        /// When, epoch milliseconds.
        at_ms: u64,
        /// The first refusal since the key was last accepted, before this report.
        failed_at: Option<u64>,
        /// Most of the provider's keys are refused at once.
        incident: bool,
        /// The version was replaced, and its grace is over.
        retired: bool,
        /// When the key ends, as its provider says.
        expires_ms: Option<u64>,
    },
    /// Nobody did in time, or nothing came of it.
    Silence,
}

/// Where a key stands after that.
pub fn next(before: State, happening: Happening) -> State {
    match happening {
        // A dead key is no longer asked about.
        Happening::Silence if before == State::Invalid => State::Invalid,
        Happening::Silence => State::Stale,
        Happening::Reported { outcome, at_ms, retired, expires_ms, .. } if outcome.accepts() => {
            let soon = expires_ms.is_some_and(|end| end <= at_ms.saturating_add(EXPIRING_MS));
            match (retired, soon) {
                (true, _) => State::RetiredStillAlive,
                (false, true) => State::Expiring,
                (false, false) => State::Valid,
            }
        }
        Happening::Reported { outcome: Outcome::Invalid, at_ms, failed_at, incident, .. } => {
            let confirmed = failed_at.is_some_and(|first| at_ms.saturating_sub(first) >= CONFIRM_MS);
            let settled = before == State::Invalid;
            if settled || (confirmed && !incident) { State::Invalid } else { State::Suspect }
        }
        Happening::Reported { .. } => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const AT: u64 = 1_000_000_000_000;

    fn reported(outcome: Outcome) -> Happening {
        Happening::Reported { outcome, at_ms: AT, failed_at: None, incident: false, retired: false, expires_ms: None }
    }

    /// Every state before, against everything that can happen: each cell is reviewed.
    #[test]
    fn the_table_of_all_transitions_is_the_reviewed_one() {
        let refused = |ago: u64, incident| Happening::Reported {
            outcome: Outcome::Invalid,
            at_ms: AT,
            failed_at: Some(AT - ago),
            incident,
            retired: false,
            expires_ms: None,
        };
        let accepted = |retired, expires_ms| Happening::Reported {
            outcome: Outcome::Valid,
            at_ms: AT,
            failed_at: Some(AT - CONFIRM_MS),
            incident: false,
            retired,
            expires_ms,
        };
        let mut columns: Vec<(String, Happening)> =
            Outcome::ALL.into_iter().map(|outcome| (outcome.as_str().to_owned(), reported(outcome))).collect();
        columns.extend([
            ("refused again after 59.999 s".to_owned(), refused(CONFIRM_MS - 1, false)),
            ("refused again after 60 s".to_owned(), refused(CONFIRM_MS, false)),
            ("refused again after 60 s, as most".to_owned(), refused(CONFIRM_MS, true)),
            ("accepted, ends in 30 days".to_owned(), accepted(false, Some(AT + EXPIRING_MS))),
            ("accepted, ends in 30 days and 1 ms".to_owned(), accepted(false, Some(AT + EXPIRING_MS + 1))),
            ("accepted after its grace".to_owned(), accepted(true, Some(AT))),
            ("silence".to_owned(), Happening::Silence),
        ]);
        let mut table = String::new();
        for (name, happening) in columns {
            write!(table, "{name:36}").unwrap();
            for before in State::ALL {
                write!(table, " {:?}→{:?}", before, next(before, happening)).unwrap();
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(State::of(state as i16), Some(state));
        }
        assert_eq!((State::of(0), State::of(8)), (None, None));
    }
}
