//! Who may look now: so many at once, so many of them at one host, and at most half of them for one organization. Pure.
//!
//! What cannot start waits, and what cannot even wait is left out: so nobody's slow targets take the places of others.

use keyvawlt_domain::jobs::OrgId;
use keyvawlt_domain::monitors::Due;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use tokio::time::{Duration, Instant};

/// Looks at one host at once. A host with a thousand monitors is still visited politely, and a dead one holds few places.
const PER_HOST: usize = 16;
/// Looks that wait for one host: as many as start there within a second or two while it answers.
const WAITING_PER_HOST: usize = 128;
/// Looks that wait in all: rows held in memory, a few hundred bytes each.
const WAITING: usize = 1_024;
/// How long one waits: with the longest look after it (30 seconds), it is written down within its lease.
const PATIENCE: Duration = Duration::from_secs(20);

/// A claimed look.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) due: Due,
    pub(super) host: String,
    pub(super) at: Instant,
}

/// Where a claimed look goes.
#[derive(Debug)]
pub(super) enum Place {
    /// It may start.
    Start(Claimed),
    /// It waits here.
    Wait,
    /// It is left out this time.
    LeaveOut(Due),
}

#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    running: usize,
    hosts: HashMap<String, usize>,
    orgs: HashMap<OrgId, usize>,
    waiting: VecDeque<Claimed>,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, running: 0, hosts: HashMap::new(), orgs: HashMap::new(), waiting: VecDeque::new() }
    }

    /// How many more may start.
    pub(super) fn room(&self) -> usize {
        self.limit - self.running
    }

    pub(super) fn place(&mut self, claimed: Claimed) -> Place {
        if self.may_start(&claimed) {
            self.take(&claimed);
            return Place::Start(claimed);
        }
        let beside = self.waiting.iter().filter(|other| other.host == claimed.host).count();
        if beside < WAITING_PER_HOST && self.waiting.len() < WAITING {
            self.waiting.push_back(claimed);
            return Place::Wait;
        }
        Place::LeaveOut(claimed.due)
    }

    /// One has ended.
    pub(super) fn end(&mut self, claimed: &Claimed) {
        self.running -= 1;
        release(&mut self.hosts, &claimed.host);
        release(&mut self.orgs, &claimed.due.org);
    }

    /// The next of those that wait which may start.
    pub(super) fn next(&mut self) -> Option<Claimed> {
        let at = (0..self.waiting.len()).find(|at| self.may_start(&self.waiting[*at]))?;
        let claimed = self.waiting.remove(at)?;
        self.take(&claimed);
        Some(claimed)
    }

    /// Those that waited too long: they wait in the order in which they came.
    pub(super) fn impatient(&mut self, now: Instant) -> Vec<Due> {
        let late = self.waiting.iter().take_while(|claimed| claimed.at + PATIENCE <= now).count();
        self.waiting.drain(..late).map(|claimed| claimed.due).collect()
    }

    /// All that wait.
    pub(super) fn leave(&mut self) -> Vec<Due> {
        self.waiting.drain(..).map(|claimed| claimed.due).collect()
    }

    fn may_start(&self, claimed: &Claimed) -> bool {
        let at_host = self.hosts.get(&claimed.host).copied().unwrap_or(0);
        let of_org = self.orgs.get(&claimed.due.org).copied().unwrap_or(0);
        self.running < self.limit && at_host < PER_HOST && of_org < self.limit.div_ceil(2)
    }

    fn take(&mut self, claimed: &Claimed) {
        self.running += 1;
        *self.hosts.entry(claimed.host.clone()).or_default() += 1;
        *self.orgs.entry(claimed.due.org).or_default() += 1;
    }
}

fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tests::rules;
    use keyvawlt_domain::monitors::MonitorId;

    fn claimed(org: u8, host: &str) -> Claimed {
        let (org, monitor, url) = (OrgId([org; 32]), MonitorId([0; 16]), format!("https://{host}/"));
        Claimed { due: Due { org, monitor, round: 1, url, rules: rules(), due_ms: 0 }, host: host.to_owned(), at: Instant::now() }
    }

    fn start(slots: &mut Slots, org: u8, host: &str) -> Option<Claimed> {
        match slots.place(claimed(org, host)) {
            Place::Start(claimed) => Some(claimed),
            Place::Wait | Place::LeaveOut(_) => None,
        }
    }

    #[test]
    fn a_slow_host_takes_its_share_and_no_more() {
        let mut slots = Slots::new(256);
        let running: Vec<_> = (0..1_000).filter_map(|_| start(&mut slots, 1, "slow.example.com")).collect();
        assert_eq!((running.len(), slots.waiting.len(), slots.room()), (PER_HOST, WAITING_PER_HOST, 256 - PER_HOST));
        assert!(matches!(slots.place(claimed(2, "slow.example.com")), Place::LeaveOut(_)));
        assert!(start(&mut slots, 1, "fast.example.com").is_some(), "others start at once");
        assert!(slots.next().is_none());
        slots.end(&running[0]);
        assert_eq!(slots.next().map(|next| next.host).as_deref(), Some("slow.example.com"));
        assert!(slots.next().is_none());
    }

    #[test]
    fn an_organization_has_at_most_half() {
        let mut slots = Slots::new(64);
        let hosts: Vec<String> = (0..200).map(|n| format!("h{n}.example.com")).collect();
        let started = |slots: &mut Slots, org| hosts.iter().filter(|host| start(slots, org, host).is_some()).count();
        assert_eq!((started(&mut slots, 1), started(&mut slots, 2), started(&mut slots, 3), slots.room()), (32, 32, 0, 0));
    }

    #[test]
    fn patience_ends_and_everything_is_given_back() {
        let mut slots = Slots::new(1);
        let running = start(&mut slots, 1, "a.example.com").unwrap();
        assert!(start(&mut slots, 1, "b.example.com").is_none() && start(&mut slots, 2, "c.example.com").is_none());
        let now = Instant::now();
        assert_eq!((slots.impatient(now).len(), slots.impatient(now + PATIENCE).len()), (0, 2));
        assert!(start(&mut slots, 1, "d.example.com").is_none());
        assert_eq!(slots.leave().len(), 1);
        slots.end(&running);
        assert!(slots.room() == 1 && slots.hosts.is_empty() && slots.orgs.is_empty());
    }
}
