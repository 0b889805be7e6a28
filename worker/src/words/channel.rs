//! A channel of the organization: that it was paused, and that it works.

use super::dates::{date, distance};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::notices::AboutChannel;

pub(crate) fn paused(about: &AboutChannel, now_ms: u64) -> Piece {
    let AboutChannel { channel, since_ms, .. } = about;
    let name = named(about);
    with_ids(Piece::new("channel-paused", Tone::Urgent, &format!("{name} gets no notices any more")), about)
        .line(&format!(
            "Every message to it failed since {} ({}), so nothing more is sent there.",
            date(*since_ms),
            distance(*since_ms, now_ms)
        ))
        .advise("Have its receiver put in order, then resume the channel.")
        .command(&format!("keyvawlt notify resume {channel}"))
        .why("You administer this organization.")
}

pub(crate) fn test(about: &AboutChannel) -> Piece {
    with_ids(Piece::new("test", Tone::Calm, &format!("A trial of {}", named(about))), about)
        .line("Notices of this organization will arrive here. Nothing has happened.")
        .why("An admin of the organization asked for a trial of this channel.")
}

fn named(about: &AboutChannel) -> String {
    label(Some(&about.name)).map_or_else(|| "the channel".to_owned(), |name| format!("the channel {name}"))
}

fn with_ids(piece: Piece, AboutChannel { org, channel, .. }: &AboutChannel) -> Piece {
    piece
        .exact("Channel", &channel.to_string())
        .exact("Organization", &org.to_string())
        .datum("organization", org.to_string())
        .datum("channel", channel.to_string())
}
