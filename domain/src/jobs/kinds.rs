//! The kinds of jobs: what each may take. One table, printed in `docs/operations.md`.
//!
//! A kind that is not in [`ALL`] is never due here: a worker leaves what a newer one wrote to the newer one.

use std::fmt::Write as _;

/// Tries that ended with their worker instead of an ending, one after the other, after which any job is given up: whatever kills its process
/// must not do so for ever. Many restarts at bad moments are nobody's fault: in two hundred kills, some seconds apart, five in a row met several
/// jobs that did no harm.
pub const MAX_CRASHES: i32 = 10;

/// What is expected of a kind of job, and what it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name in rows, logs and metrics.
    pub name: &'static str,
    /// Higher goes first.
    pub priority: i16,
    /// Given up after so many tries that failed.
    pub attempts: i32,
    /// The longest a try may take, seconds. Leases are renewed meanwhile.
    pub time_limit_s: u64,
    /// Of all workers together, so many at once.
    pub at_once: u64,
}

/// Somebody waits for a code, which is stale within minutes. A slow mail server has a minute.
pub static EMAIL_CODE: Kind = Kind { name: "email_code", priority: 10, attempts: 6, time_limit_s: 75, at_once: 16 };
/// As an account's.
pub static CHANNEL_CODE: Kind = Kind { name: "channel_code", priority: 10, attempts: 6, time_limit_s: 75, at_once: 16 };
/// A tick comes again by itself. Pages of a large store take a while, and two sweeps would only do the same.
pub static EXPIRY_SWEEP: Kind = Kind { name: "expiry_sweep", priority: 0, attempts: 3, time_limit_s: 300, at_once: 1 };
/// An import may make a whole namespace due. Before messages, so that what scans find rides together.
pub static EXPIRY_SCAN: Kind = Kind { name: "expiry_scan", priority: 6, attempts: 8, time_limit_s: 120, at_once: 8 };
/// A message ends its tries itself, by the clock, after 72 hours: 350 waits of half an hour at the shortest do not end before.
pub static DELIVER: Kind = Kind { name: "deliver", priority: 5, attempts: 350, time_limit_s: 75, at_once: 32 };
/// As the sweep of ends.
pub static KEY_HEALTH_SWEEP: Kind = Kind { name: "key_health_sweep", priority: 0, attempts: 3, time_limit_s: 300, at_once: 1 };
/// As the sweep of what expires.
pub static ROTATION_SWEEP: Kind = Kind { name: "rotation_sweep", priority: 0, attempts: 3, time_limit_s: 300, at_once: 1 };
/// As a scan: somebody may have read whole namespaces.
pub static WORK_OWED: Kind = Kind { name: "work_owed", priority: 6, attempts: 8, time_limit_s: 120, at_once: 8 };
/// One organization of any size, whose people are counted for one by one; the next one's may run meanwhile.
pub static MONTHLY_DIGEST: Kind = Kind { name: "monthly_digest", priority: 0, attempts: 8, time_limit_s: 300, at_once: 2 };
/// As a sweep.
pub static PRUNE: Kind = Kind { name: "prune", priority: 0, attempts: 3, time_limit_s: 300, at_once: 1 };

/// Every kind this program runs.
pub static ALL: [&Kind; 10] = [
    &EMAIL_CODE,
    &CHANNEL_CODE,
    &EXPIRY_SCAN,
    &DELIVER,
    &EXPIRY_SWEEP,
    &KEY_HEALTH_SWEEP,
    &ROTATION_SWEEP,
    &WORK_OWED,
    &MONTHLY_DIGEST,
    &PRUNE,
];

/// The kind of this name, when this program runs it.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.name == name)
}

/// The table, for `docs/operations.md`.
pub fn table() -> String {
    let mut text = "| kind | priority | tries | seconds for one | at once |\n|---|---|---|---|---|\n".to_owned();
    for Kind { name, priority, attempts, time_limit_s, at_once } in ALL {
        // A String takes whatever it is given.
        let _ = writeln!(text, "| {name} | {priority} | {attempts} | {time_limit_s} | {at_once} |");
    }
    text
}
