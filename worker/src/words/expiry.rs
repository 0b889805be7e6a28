//! A secret that expires, or has.

use super::dates::{date, distance, timestamp};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::notices::Expiring;

/// Enough of an id to find it among a person's own.
const SHORT_ID: usize = 8;

pub(crate) fn piece(expiring: &Expiring, now_ms: u64) -> Piece {
    let Expiring { org, ns, secret, version, expires_ms, .. } = expiring;
    let (label, provider) = (label(expiring.label.as_deref()), label(expiring.provider.as_deref()));
    let what = label.clone().unwrap_or_else(|| format!("Secret {}", short(&secret.to_string())));
    let (verb, tone) = if *expires_ms <= now_ms { ("expired", Tone::Urgent) } else { ("expires", Tone::Soon) };
    let mut piece =
        Piece::new("expiry", tone, &format!("{what} {verb} {}", distance(*expires_ms, now_ms))).fact("When", &date(*expires_ms));
    if let Some(provider) = &provider {
        piece = piece.fact("Provider", provider);
    }
    piece
        .exact("Secret", &format!("{secret}, version {version}"))
        .exact("Namespace", &ns.to_string())
        .exact("Organization", &org.to_string())
        .advise(
            "Make a new key at its provider, and store it as the next version of the secret. Its name: keyvawlt secrets find, with its id.",
        )
        .why("You can read this secret, and your address is confirmed.")
        .datum("organization", org.to_string())
        .datum("namespace", ns.to_string())
        .datum("secret", secret.to_string())
        .datum("version", *version)
        .datum("label", label)
        .datum("provider", provider)
        .datum("expires_at", timestamp(*expires_ms))
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}
