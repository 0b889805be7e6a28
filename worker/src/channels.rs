//! The ways a message goes out: mail, webhooks, Slack. Each sends one message to one destination and says what became of it; when to try again,
//! and what is remembered, is the caller's.

mod answer;
pub(crate) mod mail;
pub(crate) mod slack;
#[cfg(test)]
mod tests;
pub(crate) mod webhook;

use std::time::Duration;

/// What became of one attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// It was taken; the rest is the receiver's.
    Taken,
    /// It was taken, in a plainer form than it should have had.
    TakenPlainly {
        /// The reason.
        why: &'static str,
    },
    /// Not now. `wait` is what the receiver asked for.
    Later {
        /// The reason.
        why: String,
        /// How long not to try.
        wait: Option<Duration>,
    },
    /// Nothing more, for ever: the destination says that it is no longer one.
    Closed {
        /// The reason.
        why: String,
    },
    /// Not this message, however often it is tried; others may go.
    Refused {
        /// The reason.
        why: String,
    },
}

impl Reception {
    /// Not now, and nothing was said of when.
    pub(crate) fn later(why: &impl ToString) -> Self {
        Self::Later { why: why.to_string(), wait: None }
    }

    /// Never.
    pub(crate) fn refused(why: &impl ToString) -> Self {
        Self::Refused { why: why.to_string() }
    }
}
