//! A channel of the organization: that it was paused, and that it works.

use super::dates::{date, distance};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::jobs::OrgId;
use keyvawlt_domain::notices::{AboutChannel, ChannelId};

pub(crate) fn paused(about: &AboutChannel, now_ms: u64) -> Piece {
    let AboutChannel { channel, since_ms, .. } = about;
    let name = named(about);
    let piece = with_ids(Piece::new("channel-paused", Tone::Urgent, &format!("No notices go to {name} any more")), about);
    let piece = if about.ended {
        piece
            .line("Somebody who reads there followed the link that ends these mails, so nothing more is sent there.")
            .advise("If notices are wanted there, have a new code mailed, and enter it.")
            .command(&format!("keyvawlt notify verify {channel} --resend"))
    } else {
        let (since, ago) = (date(*since_ms), distance(*since_ms, now_ms));
        piece
            .line(&format!("Every message to it failed since {since} ({ago}), so nothing more is sent there."))
            .advise("Have its receiver put in order, then resume the channel.")
            .command(&format!("keyvawlt notify resume {channel}"))
    };
    piece.why("You administer this organization.")
}

/// Why a team's address gets a mail, and how that ends.
pub(crate) fn why(org: &OrgId, channel: &ChannelId, linked: bool) -> String {
    let end = if linked { "the link below ends these mails, and so does an admin" } else { "an admin ends these mails" };
    format!(
        "This address is a channel of the organization {org}: an admin added it, and somebody who reads here confirmed it. To stop, {end} \
         with: keyvawlt notify pause {channel}"
    )
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
