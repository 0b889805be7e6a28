//! What happened, in words: one file per topic, each a function from what is known to a `Piece`. No form, no channel, no store.

pub(crate) mod code;
pub(crate) mod dates;
pub(crate) mod expiry;
#[cfg(test)]
pub(crate) mod samples;
