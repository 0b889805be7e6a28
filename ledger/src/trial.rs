//! A new version on trial: a rotation is done when the new version is current and, where its owner named a monitor, that is well, and nobody who
//! checked the key found it refused.
//!
//! A pure function, the same for the server that reminds and for the clients that do not rely on that. Absent: who watches, and how.

/// What is bad within this time after a version was written is held against it: by then everything that uses it has taken it up, what runs once a
/// day included.
pub const TRIAL_MS: u64 = 24 * 60 * 60 * 1000;

/// What one who watches says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Nobody watches.
    Nobody,
    /// It is well.
    Well,
    /// That is not settled, or nobody looked in time.
    Unclear,
    /// It is bad, since, epoch milliseconds.
    Bad(u64),
}

/// What is wrong with a new version, and since when, epoch milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The monitor of what it opens is down.
    MonitorDown(u64),
    /// Its provider refuses it.
    KeyRefused(u64),
}

impl Trouble {
    /// Since when.
    pub fn since_ms(self) -> u64 {
        match self {
            Self::MonitorDown(since) | Self::KeyRefused(since) => since,
        }
    }
}

/// How a version's trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Nothing is wrong yet.
    Running,
    /// Something is: the rotation is not done.
    Failing(Trouble),
    /// It is over, and nothing is wrong: the rotation is done.
    Passed,
}

/// When the trial of a version ends that was written then and is looked at this often: its monitor has looked once more by then.
pub fn ends_ms(written_ms: u64, interval_ms: u64) -> u64 {
    written_ms.saturating_add(TRIAL_MS).saturating_add(interval_ms)
}

/// How a trial stands that ends then. What began after its end is another matter, and what is bad since before the version counts: the version did
/// not mend it.
pub fn stands(ends_ms: u64, monitor: Watched, key: Watched, now_ms: u64) -> Trial {
    match (monitor, key) {
        (Watched::Bad(since), _) if since <= ends_ms => Trial::Failing(Trouble::MonitorDown(since)),
        (_, Watched::Bad(since)) if since <= ends_ms => Trial::Failing(Trouble::KeyRefused(since)),
        // Without anybody who watches there is nothing to wait for.
        (Watched::Nobody, Watched::Nobody) => Trial::Passed,
        _ if now_ms < ends_ms => Trial::Running,
        (Watched::Unclear, _) | (_, Watched::Unclear) => Trial::Running,
        _ => Trial::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::Trial::{Failing, Passed, Running};
    use super::Trouble::{KeyRefused, MonitorDown};
    use super::Watched::{Bad, Nobody, Unclear, Well};
    use super::*;

    const WRITTEN: u64 = 1_000 * TRIAL_MS;
    const END: u64 = WRITTEN + TRIAL_MS + 60_000;
    /// Bad since before the version, since within its trial, and since after it.
    const BEFORE: Watched = Bad(WRITTEN - 5);
    const WITHIN: Watched = Bad(END);
    const AFTER: Watched = Bad(END + 1);

    /// What the monitor says, what the key's checks say, and how the trial stands before its end and from its end on.
    const TABLE: [(Watched, Watched, Trial, Trial); 36] = [
        (Nobody, Nobody, Passed, Passed),
        (Nobody, Well, Running, Passed),
        (Nobody, Unclear, Running, Running),
        (Nobody, BEFORE, Failing(KeyRefused(WRITTEN - 5)), Failing(KeyRefused(WRITTEN - 5))),
        (Nobody, WITHIN, Failing(KeyRefused(END)), Failing(KeyRefused(END))),
        (Nobody, AFTER, Running, Passed),
        (Well, Nobody, Running, Passed),
        (Well, Well, Running, Passed),
        (Well, Unclear, Running, Running),
        (Well, BEFORE, Failing(KeyRefused(WRITTEN - 5)), Failing(KeyRefused(WRITTEN - 5))),
        (Well, WITHIN, Failing(KeyRefused(END)), Failing(KeyRefused(END))),
        (Well, AFTER, Running, Passed),
        (Unclear, Nobody, Running, Running),
        (Unclear, Well, Running, Running),
        (Unclear, Unclear, Running, Running),
        (Unclear, BEFORE, Failing(KeyRefused(WRITTEN - 5)), Failing(KeyRefused(WRITTEN - 5))),
        (Unclear, WITHIN, Failing(KeyRefused(END)), Failing(KeyRefused(END))),
        (Unclear, AFTER, Running, Running),
        (BEFORE, Nobody, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (BEFORE, Well, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (BEFORE, Unclear, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (BEFORE, BEFORE, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (BEFORE, WITHIN, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (BEFORE, AFTER, Failing(MonitorDown(WRITTEN - 5)), Failing(MonitorDown(WRITTEN - 5))),
        (WITHIN, Nobody, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (WITHIN, Well, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (WITHIN, Unclear, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (WITHIN, BEFORE, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (WITHIN, WITHIN, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (WITHIN, AFTER, Failing(MonitorDown(END)), Failing(MonitorDown(END))),
        (AFTER, Nobody, Running, Passed),
        (AFTER, Well, Running, Passed),
        (AFTER, Unclear, Running, Running),
        (AFTER, BEFORE, Failing(KeyRefused(WRITTEN - 5)), Failing(KeyRefused(WRITTEN - 5))),
        (AFTER, WITHIN, Failing(KeyRefused(END)), Failing(KeyRefused(END))),
        (AFTER, AFTER, Running, Passed),
    ];

    #[test]
    fn every_pair_of_witnesses_has_its_row() {
        assert_eq!(ends_ms(WRITTEN, 60_000), END);
        for (monitor, key, before, after) in TABLE {
            assert_eq!(stands(END, monitor, key, END - 1), before, "{monitor:?} {key:?}, before its end");
            assert_eq!(stands(END, monitor, key, END), after, "{monitor:?} {key:?}, at its end");
            assert_eq!(stands(END, monitor, key, u64::MAX), after, "{monitor:?} {key:?}, for ever");
        }
        let named: std::collections::HashSet<String> = TABLE.iter().map(|(monitor, key, ..)| format!("{monitor:?} {key:?}")).collect();
        assert_eq!(named.len(), TABLE.len(), "each pair once: six times six");
    }
}
