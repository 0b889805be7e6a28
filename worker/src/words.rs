//! What happened, in words: one file per topic, each a function from what is known to a `Piece`. No form, no channel, no store.

pub(crate) mod code;
pub(crate) mod dates;
pub(crate) mod expiry;
pub(crate) mod key_health;
#[cfg(test)]
pub(crate) mod samples;

use crate::message::Piece;
use keyvawlt_domain::notices::Item;

/// What is said of a notice.
pub(crate) fn piece(item: &Item, now_ms: u64) -> Piece {
    match item {
        Item::Expiry(expiring) => expiry::piece(expiring, now_ms),
        Item::KeyHealth(news) | Item::OldKeyAlive(news) => key_health::piece(news, now_ms),
        Item::ProviderIncident(trouble) => key_health::trouble(trouble),
    }
}
