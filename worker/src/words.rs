//! What happened, in words: one file per topic, each a function from what is known to a `Piece`. No form, no channel, no store.

pub(crate) mod channel;
pub(crate) mod code;
pub(crate) mod dates;
pub(crate) mod expiry;
pub(crate) mod key_health;
pub(crate) mod monitor;
pub(crate) mod month;
pub(crate) mod rotation;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod trial;

use crate::message::{Piece, Tone};
use keyvawlt_domain::notices::{Item, Told};
use std::panic::catch_unwind;

/// What is said of a notice. Should its words fail, something plainer is said, the log names the notice, and the delivery's record says so: nobody is
/// left without word.
pub(crate) fn piece(told: &Told, now_ms: u64) -> Piece {
    piece_by(of, told, now_ms)
}

fn piece_by(words: fn(&Item, u64) -> Piece, told: &Told, now_ms: u64) -> Piece {
    let kind = told.kind.name();
    let piece = catch_unwind(|| words(&told.item, now_ms)).unwrap_or_else(|_| {
        tracing::error!(kind, key = told.key, "a notice could not be put into words; a plain sentence goes out");
        Piece::new(kind, Tone::Urgent, &format!("A notice of the kind {kind}, which could not be put into words"))
            .advise("See what is due, and tell whoever runs the server that its log has an error.")
            .command("keyvawlt status")
            .unworded()
    });
    piece.raised(told.raised_at_ms)
}

fn of(item: &Item, now_ms: u64) -> Piece {
    match item {
        Item::Expiry(expiring) => expiry::piece(expiring, now_ms),
        Item::Monitor(outage) => monitor::outage(outage, now_ms),
        Item::Certificate(certificate) => monitor::certificate(certificate, now_ms),
        Item::KeyHealth(news) | Item::OldKeyAlive(news) => key_health::piece(news, now_ms),
        Item::ProviderIncident(trouble) => key_health::trouble(trouble),
        Item::MonthlyDigest(ahead) => month::piece(ahead),
        Item::ChannelPaused(about) => channel::paused(about, now_ms),
        Item::Test(about) => channel::test(about),
        Item::Rotation(replacing) => rotation::piece(replacing, now_ms),
        Item::WorkOwed(replacing) => rotation::work_owed(replacing),
        Item::Trial(failing) => trial::piece(failing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use keyvawlt_domain::notices::Kind;
    use samples::NOW;

    #[test]
    fn words_that_fail_leave_a_plain_sentence() {
        let told = Told { key: "expiry/1".to_owned(), kind: Kind::Expiry, raised_at_ms: NOW - 1, item: samples::item() };
        let plain = piece_by(|_, _| panic!("on purpose"), &told, NOW);
        assert_eq!((plain.kind(), plain.raised_ms()), ("expiry", Some(NOW - 1)));
        assert!(plain.title().contains("expiry"));
        assert_eq!(Message::one(plain.clone()).unworded(), 1);
        assert_eq!(Message::many(vec![plain.clone(), piece(&told, NOW)], 3).unwrap().unworded(), 1);
        assert_eq!(Message::one(plain).advice()[0].commands, ["keyvawlt status"]);
        let said = piece(&told, NOW);
        assert_eq!((said.title(), said.raised_ms()), ("Stripe live expires in 7 days", Some(NOW - 1)));
    }
}
