//! A key that its provider refuses, that ends there, that nobody checks, or that lives although it was replaced; and a provider's own trouble.

use super::dates::{date, distance, timestamp};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::key_health::{KeyFact, KeyNews, ProviderTrouble};

/// Enough of an id to find it among a person's own.
const SHORT_ID: usize = 8;

pub(crate) fn piece(news: &KeyNews, now_ms: u64) -> Piece {
    let KeyNews { org, ns, secret, version, what, .. } = news;
    let (label, provider) = (label(news.label.as_deref()), label(news.provider.as_deref()));
    let name = label.clone().unwrap_or_else(|| format!("Secret {}", short(&secret.to_string())));
    let whose = provider.as_deref().unwrap_or("its provider");
    let piece = match what {
        KeyFact::Refused(since) => Piece::new("key-health", Tone::Urgent, &format!("{name} is refused by {whose}"))
            .line("Two checks a minute or more apart were refused: the key was revoked, or has ended.")
            .fact("Since", &date(*since))
            .advise("Make a new key at its provider, and store it as the next version of the secret. Its name: keyvawlt secrets find, with its id."),
        KeyFact::Ends(end) => Piece::new("key-health", Tone::Soon, &format!("{name} ends at {whose} {}", distance(*end, now_ms)))
            .line("The provider says so; nobody said so here.")
            .fact("When", &date(*end))
            .advise("Make a new key at its provider, and store it as the next version of the secret. Its name: keyvawlt secrets find, with its id."),
        KeyFact::Unheard(since) => Piece::new("key-health", Tone::Calm, &format!("{name} was not checked for a while"))
            .line("It may work: nobody looked. Whoever runs `keyvawlt health watch` has stopped.")
            .fact("Last checked", &date(*since))
            .advise("Start the machine that checks keys again."),
        KeyFact::Undecided(since) => Piece::new("key-health", Tone::Calm, &format!("{name} could not be checked for a while"))
            .line("It may work: its checks found the provider down, out of reach or unwilling, and none could say whether the key is accepted.")
            .fact("Last known", &date(*since))
            .advise("Look at the provider's status page, and whether the machine that checks keys reaches it."),
        KeyFact::AliveStill(seen) => Piece::new("old-key-alive", Tone::Soon, &format!("{name} was replaced, and its old key still works"))
            .line("The time that both were to work is over.")
            .fact("Last accepted", &date(*seen))
            .advise("Revoke the old key at its provider. The secret's name: keyvawlt secrets find, with its id."),
    };
    let piece = match &provider {
        Some(provider) => piece.fact("Provider", provider),
        None => piece,
    };
    piece
        .exact("Secret", &format!("{secret}, version {version}"))
        .exact("Namespace", &ns.to_string())
        .exact("Organization", &org.to_string())
        .why("You can read this secret, and your address is confirmed.")
        .datum("organization", org.to_string())
        .datum("namespace", ns.to_string())
        .datum("secret", secret.to_string())
        .datum("version", *version)
        .datum("label", label)
        .datum("provider", provider)
        .datum("state", word(*what))
        .datum("at", timestamp(what.at_ms()))
}

pub(crate) fn trouble(trouble: &ProviderTrouble) -> Piece {
    let ProviderTrouble { org, ns, refused, all, since_ms, .. } = trouble;
    let provider = label(Some(&trouble.provider)).unwrap_or_default();
    Piece::new("provider-incident", Tone::Soon, &format!("{provider} refuses {refused} of {all} keys at once"))
        .line("That is more likely the provider's trouble than that of each key, so no key is called dead for it yet.")
        .fact("Since", &date(*since_ms))
        .exact("Namespace", &ns.to_string())
        .exact("Organization", &org.to_string())
        .advise("Look at the provider's status page. If you revoked these keys yourself, replace them.")
        .why("You can read one of these keys, and your address is confirmed.")
        .datum("organization", org.to_string())
        .datum("namespace", ns.to_string())
        .datum("provider", provider)
        .datum("refused", *refused)
        .datum("keys", *all)
        .datum("since", timestamp(*since_ms))
}

/// What programs call it.
fn word(what: KeyFact) -> &'static str {
    match what {
        KeyFact::Refused(_) => "refused",
        KeyFact::Ends(_) => "ends",
        KeyFact::Unheard(_) => "unheard",
        KeyFact::Undecided(_) => "undecided",
        KeyFact::AliveStill(_) => "alive",
    }
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}
