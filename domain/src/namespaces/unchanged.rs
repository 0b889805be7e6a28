//! "Nothing changed", remembered: the commonest answer of all costs one small look-up.
//!
//! A verdict holds for one caller, question and revision of the organization. Every change moves the revision, so removal bites at once; what
//! only time changes (an access that lapses) bites within a minute. A removed slot is noticed by the look-up itself.

use super::changes::{Changes, ReadChanges};
use super::revisions::Revisions;
use crate::clock::{Clock, holds};
use crate::error::Result;
use keyvawlt_ledger::assertion::Subject;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a verdict holds: an access that lapses meanwhile delivers nothing, since nothing changed.
const HOLDS_MS: u64 = 60_000;
/// Verdicts of each of two generations: 8,192 pollers, under 1 MiB.
const GENERATION: usize = 4096;

/// The verdicts.
#[derive(Debug, Default)]
pub struct Unchanged {
    verdicts: Mutex<Generations>,
}

/// What was found to be unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The position after the chain's newest link.
    pub next_seq: u64,
    /// The caller's name in audit events.
    pub actor: String,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Question, Held>,
    old: HashMap<Question, Held>,
}

type Question = (Subject, [u8; 32]);

#[derive(Clone, Debug)]
struct Held {
    change: u64,
    until_ms: u64,
    verdict: Verdict,
}

impl Unchanged {
    /// Whether nothing changed since this caller last asked this.
    pub async fn look(&self, clock: &Clock, revisions: &Revisions, subject: Subject, asked: &ReadChanges) -> Result<Option<Verdict>> {
        let Some(held) = self.find(&(subject, asked.fingerprint().0)) else { return Ok(None) };
        if !holds(held.until_ms, HOLDS_MS, clock.now_ms()) {
            return Ok(None);
        }
        let same = revisions.find(asked.org, subject).await? == Some(held.change);
        Ok(same.then_some(held.verdict))
    }

    /// Remembers an answer, if it was "nothing".
    pub fn remember(&self, clock: &Clock, subject: Subject, asked: &ReadChanges, actor: String, changes: &Changes) {
        if !changes.is_nothing() {
            return;
        }
        let verdict = Verdict { next_seq: changes.next_seq, actor };
        let held = Held { change: changes.change, until_ms: clock.now_ms() + HOLDS_MS, verdict };
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.young.len() >= GENERATION {
            verdicts.old = std::mem::take(&mut verdicts.young);
        }
        verdicts.young.insert((subject, asked.fingerprint().0), held);
    }

    fn find(&self, question: &Question) -> Option<Held> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.young.get(question).or_else(|| verdicts.old.get(question)).cloned()
    }
}
