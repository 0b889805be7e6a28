//! A code that proves an address. It stands in no title: lock screens show those.

use crate::message::{Message, Piece, Tone};

/// The mail with a code.
pub(crate) fn email_code(code: &str, ttl_ms: u64) -> Message {
    let (first, last) = code.split_at_checked(4).unwrap_or((code, ""));
    let (shown, minutes) = (format!("{first}-{last}"), ttl_ms / 60_000);
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
