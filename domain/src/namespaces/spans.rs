//! What was read before. Most of it is the same for every reader, and machines without memory ask for it again and again.
//!
//! It is known by the hash of the newest link, which signs all links before it and everything they brought: nothing remembered here can become
//! old, or another organization's. Whether a reader may have it, and which link is the newest, is looked up in every call.

use super::changes::News;
use keyvawlt_ledger::{Hash, NsId, OrgId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// What all remembered spans take at most: those of some hundred services with a hundred secrets each.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// A longer span is read anew each time: it would push out many that are asked for more often.
const MAX_SPAN: usize = 1024 * 1024;

/// What was read, up to the link with the hash `newest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Span {
    /// The organization's links from a position on.
    Chain { org: OrgId, from_seq: u64, newest: Hash },
    /// The links of a namespace after the one held, with their objects.
    Manifest { org: OrgId, ns: NsId, held: u64, newest: Hash },
    /// The wraps that somebody asked for; `newest` is the organization's link.
    Wraps { actor: String, question: Hash, newest: Hash },
}

/// The remembered spans. The oldest is forgotten first.
#[derive(Debug, Default)]
pub struct Spans {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    spans: HashMap<Span, Arc<News>>,
    order: VecDeque<Span>,
    bytes: usize,
}

impl Spans {
    pub(super) fn find(&self, span: &Span) -> Option<Arc<News>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).spans.get(span).cloned()
    }

    pub(super) fn keep(&self, span: Span, news: &Arc<News>) {
        if news.resident() > MAX_SPAN {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.spans.insert(span.clone(), Arc::clone(news)).is_some() {
            return;
        }
        held.order.push_back(span);
        held.bytes += news.resident();
        while held.bytes > MAX_BYTES {
            let Some(oldest) = held.order.pop_front() else { break };
            if let Some(gone) = held.spans.remove(&oldest) {
                held.bytes -= gone.resident();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(newest: u8) -> Span {
        Span::Manifest { org: OrgId([1; 32]), ns: NsId([2; 16]), held: 0, newest: Hash([newest; 32]) }
    }

    fn news(bytes: usize) -> Arc<News> {
        Arc::new(News { links: vec![(vec![7; bytes].into(), vec![].into())], ..News::default() })
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let spans = Spans::default();
        let largest = MAX_SPAN - news(0).resident();
        for newest in 0..20 {
            spans.keep(span(newest), &news(largest));
            spans.keep(span(newest), &news(largest));
        }
        assert_eq!(spans.held.lock().unwrap().bytes, MAX_BYTES);
        assert!(spans.find(&span(11)).is_none() && spans.find(&span(12)).is_some() && spans.find(&span(19)).is_some());
        spans.keep(span(20), &news(largest + 1));
        assert!(spans.find(&span(20)).is_none());
    }
}
