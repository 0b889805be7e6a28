//! How a secret's versions stand: pending (a draft) → current → previous, for a time of grace → retired.
//!
//! A pure function of the verified history and the clock, so no server keeps an old value alive or takes one away early. The previous version is
//! the one directly before the current one: after two rotations within one grace, the first value is retired.

use crate::error::Result;
use crate::secrets::record::VersionInfo;
use crate::vault::Vault;
use keyvawlt_ledger::{NsId, facts};

/// How a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// The one that is used.
    Current,
    /// Replaced, and still valid until this moment, epoch milliseconds.
    Previous {
        /// When its grace ends.
        until_ms: u64,
    },
    /// Replaced, or deleted.
    Retired,
}

/// What there is of a version before the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// It may be used.
    Within {
        /// Its number.
        version: u64,
        /// When its grace ends, epoch milliseconds.
        until_ms: u64,
    },
    /// Its time is over.
    Over {
        /// Its number.
        version: u64,
        /// When its grace ended, epoch milliseconds.
        until_ms: u64,
    },
    /// The secret is new, was deleted, or came back from a deletion.
    None,
}

impl Vault {
    /// What there is of a version before a secret's current one, by the verified times of its history.
    pub async fn previous(&mut self, environment: &NsId, name: &str) -> Result<Previous> {
        self.take_history(environment).await?;
        // Deleted, it has neither a current nor a previous version.
        let grace_ms = facts::grace_ms(self.info(self.index(environment)?.get_live(name)?)?.facts.as_ref());
        Ok(previous(&self.history(environment, name).await?, grace_ms, self.now_ms()))
    }
}

/// The version before the current one; `versions` are in order, newest first.
pub(crate) fn previous(versions: &[VersionInfo], grace_ms: u64, now_ms: u64) -> Previous {
    match versions {
        [current, before, ..] if !current.deleted && !before.deleted => {
            let (version, until_ms) = (before.version, current.at_ms.saturating_add(grace_ms));
            if now_ms < until_ms { Previous::Within { version, until_ms } } else { Previous::Over { version, until_ms } }
        }
        _ => Previous::None,
    }
}

/// Says of each version how it stands; they are in order, newest first.
pub(crate) fn mark(versions: &mut [VersionInfo], grace_ms: u64, now_ms: u64) {
    let previous = previous(versions, grace_ms, now_ms);
    for (nth, version) in versions.iter_mut().enumerate() {
        version.state = match (nth, previous) {
            (0, _) if !version.deleted => VersionState::Current,
            (1, Previous::Within { until_ms, .. }) => VersionState::Previous { until_ms },
            _ => VersionState::Retired,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use keyvawlt_ledger::IdentityId;

    const HOUR: u64 = 60 * 60 * 1000;

    /// Newest first, each written as long after the one before as told; a deletion where told.
    fn history(written: &[(u64, bool)]) -> Vec<VersionInfo> {
        let mut at_ms = 0;
        let mut versions: Vec<VersionInfo> = (1..)
            .zip(written)
            .map(|(version, (after, deleted))| {
                at_ms += after;
                VersionInfo { version, at_ms, author: IdentityId([1; 16]), deleted: *deleted, state: VersionState::Retired }
            })
            .collect();
        versions.reverse();
        versions
    }

    fn states(mut versions: Vec<VersionInfo>, grace_ms: u64, now_ms: u64) -> Vec<VersionState> {
        mark(&mut versions, grace_ms, now_ms);
        versions.into_iter().map(|version| version.state).collect()
    }

    /// Versions (when written, whether deleted), the grace, the moment; the states.
    type Row<'a> = (&'a [(u64, bool)], u64, u64, Vec<VersionState>);

    #[test]
    fn the_table_of_states() {
        use VersionState::{Current, Previous, Retired};
        let until = |until_ms| Previous { until_ms };
        let rows: [Row; 9] = [
            (&[], HOUR, 0, vec![]),
            (&[(5, false)], HOUR, 9, vec![Current]),
            (&[(5, false), (5, false)], HOUR, 10, vec![Current, until(10 + HOUR)]),
            (&[(5, false), (5, false)], HOUR, 9 + HOUR, vec![Current, until(10 + HOUR)]),
            (&[(5, false), (5, false)], HOUR, 10 + HOUR, vec![Current, Retired]),
            (&[(5, false), (5, false)], 0, 10, vec![Current, Retired]),
            (&[(5, false), (5, false), (1, false)], HOUR, 11, vec![Current, until(11 + HOUR), Retired]),
            (&[(5, false), (5, true)], HOUR, 10, vec![Retired, Retired]),
            (&[(5, false), (5, true), (1, false)], HOUR, 11, vec![Current, Retired, Retired]),
        ];
        for (written, grace_ms, now_ms, expected) in rows {
            assert_eq!(states(history(written), grace_ms, now_ms), expected, "{written:?} {grace_ms} {now_ms}");
        }
    }

    #[test]
    fn however_a_history_goes_one_version_is_current_and_time_only_retires() {
        for _ in 0..2_000 {
            let length = usize::try_from(random::below(6)).unwrap();
            let written: Vec<(u64, bool)> = (0..length).map(|_| (random::below(2 * HOUR), random::below(4) == 0)).collect();
            let versions = history(&written);
            let end_ms = versions.first().map_or(0, |newest| newest.at_ms);
            let grace_ms = random::below(3 * HOUR);
            let early = end_ms + random::below(4 * HOUR);
            let late = early + random::below(4 * HOUR);
            let story = format!("{written:?} grace {grace_ms}, {early} then {late}");
            let (before, after) = (states(versions.clone(), grace_ms, early), states(versions.clone(), grace_ms, late));
            for (now_ms, states) in [(early, &before), (late, &after)] {
                let current: Vec<usize> = (0..states.len()).filter(|nth| states[*nth] == VersionState::Current).collect();
                let live = versions.first().is_some_and(|newest| !newest.deleted);
                assert_eq!(current, if live { vec![0] } else { vec![] }, "the newest and no other: {story}");
                for (nth, state) in states.iter().enumerate() {
                    if let VersionState::Previous { until_ms } = state {
                        assert!(nth == 1 && live && !versions[1].deleted && now_ms < *until_ms, "{story}");
                        assert_eq!(*until_ms, end_ms + grace_ms, "{story}");
                    }
                }
            }
            for (before, after) in before.iter().zip(&after) {
                let retired = matches!((before, after), (VersionState::Previous { .. }, VersionState::Retired));
                assert!(before == after || retired, "{before:?} became {after:?}: {story}");
            }
        }
    }
}
