//! What the mail server took, and whether that is what should have come: each alert to each hearer under one message id, and a mail again only
//! when its sender died between handing it over and writing that down.

use super::Written;
use super::scene::HEARERS;
use crate::world::Taken;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// Writing down that a mail was taken is one small transaction. A sender that lived for longer, which is as long as its lease, had done so, on the
/// busiest machine too.
const WINDOW: Duration = Duration::from_secs(20);

pub(super) struct Told {
    mails: Vec<Taken>,
    /// By label and recipient, the message ids that tell of it.
    ids: BTreeMap<(String, String), BTreeSet<String>>,
}

/// For the line that is printed.
pub(super) struct Counts {
    acknowledged: usize,
    lost: usize,
    mails: usize,
    ids: usize,
    unheard: usize,
    again: usize,
}

impl Told {
    pub(super) fn of(mails: Vec<Taken>) -> Self {
        let mut ids: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for mail in &mails {
            for label in labels(&mail.text) {
                ids.entry((label, mail.to.clone())).or_default().insert(mail.id.clone());
            }
        }
        Self { mails, ids }
    }

    pub(super) fn unheard<'a>(&self, to: &str, labels: &'a BTreeSet<String>) -> Vec<&'a String> {
        labels.iter().filter(|label| !self.ids.contains_key(&((*label).clone(), to.to_owned()))).collect()
    }

    /// Of how many the one has not heard who has heard least.
    pub(super) fn unheard_at_most(&self, labels: &BTreeSet<String>) -> usize {
        HEARERS.into_iter().map(|to| self.unheard(to, labels).len()).max().unwrap_or(0)
    }

    pub(super) fn check(&self, written: &Written, ended: &BTreeMap<String, Instant>) -> Counts {
        for ((label, to), ids) in &self.ids {
            assert!(written.acknowledged.contains(label) || written.lost.contains(label), "{label}: nobody wrote it");
            assert!(HEARERS.contains(&to.as_str()), "{to} is told of {label}");
            assert_eq!(ids.len(), 1, "{to} is told of {label} by two mails");
        }
        for to in HEARERS {
            assert_eq!(self.unheard(to, &written.acknowledged), [""; 0], "{to} is not told");
        }
        let mut by_id: BTreeMap<&str, Vec<&Taken>> = BTreeMap::new();
        for mail in &self.mails {
            by_id.entry(&mail.id).or_default().push(mail);
        }
        for times in by_id.values() {
            check_times(times, ended);
        }
        Counts {
            acknowledged: written.acknowledged.len(),
            lost: written.lost.len(),
            mails: self.mails.len(),
            ids: by_id.len(),
            unheard: self.mails.iter().filter(|mail| mail.unheard).count(),
            again: self.mails.len() - by_id.len(),
        }
    }
}

/// One mail, in the order in which it was taken: each sender but the last died in the window, and whoever died there is not the last.
fn check_times(times: &[&Taken], ended: &BTreeMap<String, Instant>) {
    for pair in times.windows(2) {
        let [first, again] = pair else { continue };
        let died = ended.get(&first.sender);
        // It may be dead already when the server has read to the end what it had handed over.
        let in_the_window = died.is_some_and(|died| *died < first.at + WINDOW && *died < again.at);
        let lived = died.map(|died| died.saturating_duration_since(first.at));
        let after = again.at - first.at;
        assert!(in_the_window, "{} came again after {after:?} by {}: {} lived for {lived:?}", first.id, again.sender, first.sender);
        assert_eq!((&first.to, labels(&first.text)), (&again.to, labels(&again.text)), "the same mail");
    }
    let last = times.last().expect("a mail");
    assert!(!last.unheard, "{} was taken from {}, which died, and did not come again", last.id, last.sender);
}

/// `key-` and six digits, each once.
fn labels(mail: &str) -> BTreeSet<String> {
    let found = mail.split("key-").skip(1).map(|rest| rest.chars().take(6).collect::<String>());
    found.filter(|label| label.len() == 6 && label.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, mails, ids, unheard, again } = self;
        write!(f, "{acknowledged} writes acknowledged, {lost} unheard; {ids} mails sent, {mails} times: ")?;
        write!(f, "{again} again after a death in the window, {unheard} of which were the mail server's doing")
    }
}
