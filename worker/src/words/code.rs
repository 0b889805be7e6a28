//! A code that proves an address. It stands in no title: lock screens show those.

use crate::message::{Message, Piece, Tone};
use keyvawlt_domain::jobs::OrgId;
use keyvawlt_domain::notices::ChannelId;

/// The mail with a code.
pub(crate) fn email_code(code: &str, ttl_ms: u64) -> Message {
    let (shown, minutes) = (shown(code), ttl_ms / 60_000);
    let piece = Piece::new("email-code", Tone::Calm, "Confirm your e-mail address for KeyVawlt")
        .line(
            "Somebody signed up with this address. If it was you, prove that it is yours with this code. Nobody will ever ask you for it.",
        )
        .code(&shown)
        .fact("Good for", &format!("{minutes} minutes"))
        .advise("Enter it where you signed up:")
        .command(&format!("keyvawlt verify-email {shown}"))
        .why("This address was entered at sign-up. If you did not do that, somebody mistyped an address: ignore this mail.");
    Message::one(piece)
}

/// The mail with a code to a team's address. Nothing an admin wrote stands in it: its reader may be anybody.
pub(crate) fn channel_code(code: &str, ttl_ms: u64, org: &OrgId, channel: &ChannelId) -> Message {
    let (shown, minutes) = (shown(code), ttl_ms / 60_000);
    let piece = Piece::new("channel-code", Tone::Calm, "Confirm this address for notices of KeyVawlt")
        .line(
            "An admin of an organization wants its notices sent here: which keys and certificates end, and which services are down. If you \
             expect that, give this code to the admin; it is all that is asked for.",
        )
        .code(&shown)
        .fact("Good for", &format!("{minutes} minutes"))
        .exact("Organization", &org.to_string())
        .advise("The admin enters it:")
        .command(&format!("keyvawlt notify verify {channel} {shown}"))
        .why("Somebody entered this address. If nobody here expects that, ignore this mail: without the code, nothing else is sent.");
    Message::one(piece)
}

fn shown(code: &str) -> String {
    let (first, last) = code.split_at_checked(4).unwrap_or((code, ""));
    format!("{first}-{last}")
}
