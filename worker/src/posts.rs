//! Posts to receivers that take their time: all of them together have half of the places in which jobs run, so that nobody who lets a worker wait
//! keeps others from hearing what they must.
//!
//! Whose receiver was slow is remembered by organization, for a while. Absent: mails, whose server is the operator's.

use keyvawlt_domain::jobs::OrgId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Duration, Instant};

/// A receiver that takes a message takes milliseconds for it; one that thinks for so long holds a place.
const SLOW: Duration = Duration::from_secs(2);
/// So long an organization counts as slow: longer than the first waits of what failed.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Before a post looks for a place again.
pub(crate) const PUT_OFF: Duration = Duration::from_secs(5);

/// Who posts.
#[derive(Clone, Debug)]
pub(crate) struct Posts(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    places: usize,
    taken: usize,
    /// Until when they count as slow.
    slow: HashMap<OrgId, Instant>,
}

/// A post under way.
#[derive(Debug)]
pub(crate) struct Posting {
    posts: Posts,
    org: OrgId,
    began: Instant,
    takes_a_place: bool,
}

impl Posts {
    /// Of so many places.
    pub(crate) fn of(concurrency: usize) -> Self {
        Self(Arc::new(Mutex::new(State { places: (concurrency / 2).max(1), taken: 0, slow: HashMap::new() })))
    }

    /// Begins a post; `None` when it has to wait.
    pub(crate) fn begin(&self, org: OrgId, began: Instant) -> Option<Posting> {
        let mut state = self.state();
        state.slow.retain(|_, until| *until > began);
        let takes_a_place = state.slow.contains_key(&org);
        if takes_a_place && state.taken >= state.places {
            return None;
        }
        state.taken += usize::from(takes_a_place);
        Some(Posting { posts: self.clone(), org, began, takes_a_place })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        let mut state = self.posts.state();
        state.taken -= usize::from(self.takes_a_place);
        if self.began.elapsed() >= SLOW {
            state.slow.insert(self.org, Instant::now() + REMEMBERED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARPIT: OrgId = OrgId([1; 32]);
    const OTHER_TARPIT: OrgId = OrgId([2; 32]);
    const QUICK: OrgId = OrgId([3; 32]);

    #[test]
    fn slow_receivers_share_half_of_the_places_and_quick_ones_wait_for_nobody() {
        let posts = Posts::of(4);
        let now = Instant::now();
        // Begun so long ago that it was slow by now.
        let first = [TARPIT, TARPIT, OTHER_TARPIT].map(|org| posts.begin(org, now.checked_sub(SLOW).unwrap()).unwrap());
        drop(first);
        let (one, other) = (posts.begin(TARPIT, now).unwrap(), posts.begin(OTHER_TARPIT, now).unwrap());
        assert!(posts.begin(TARPIT, now).is_none() && posts.begin(OTHER_TARPIT, now).is_none());
        let quick: Vec<_> = (0..4).map(|_| posts.begin(QUICK, now).unwrap()).collect();
        drop(quick);
        assert!(posts.begin(TARPIT, now).is_none(), "what ends elsewhere frees no place here");
        drop(one);
        let one = posts.begin(OTHER_TARPIT, now).unwrap();
        let later = now + 2 * REMEMBERED;
        assert!((0..4).all(|_| posts.begin(TARPIT, later).is_some()), "forgotten");
        drop((one, other));
        let state = posts.state();
        assert_eq!((state.taken, state.slow.len()), (0, 0));
    }

    #[test]
    fn one_place_is_half_of_one() {
        assert_eq!(Posts::of(1).state().places, 1);
    }
}
