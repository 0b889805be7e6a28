//! A monitored service that fails, that is up again, or whose certificate ends.

use super::dates::{date, distance, timestamp};
use crate::message::{Piece, Tone, label};
use crate::outbound::BY_RULE;
use keyvawlt_domain::notices::{Change, EndingCertificate, Outage};

/// Names of a story that are told; the rest is counted.
const MAX_NAMES: usize = 10;
const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const FORBIDDEN: &str = "If it is meant to be watched, ask whoever runs this server to open it to the worker (worker.outbound.allow). Otherwise change \
    where the monitor looks, or where its name leads. Take the incident on, so that nobody is reminded of it:";
const WHY: &str = "You read the environment this monitor belongs to, or you administer the organization, and your address is confirmed.";

pub(crate) fn outage(outage: &Outage, now_ms: u64) -> Piece {
    let what = what(&outage.names);
    let lasted = lasted(outage.resolved_ms.unwrap_or(now_ms).saturating_sub(outage.opened_ms));
    let many = outage.names.len() > 1;
    let forbidden = outage.cause.starts_with(BY_RULE);
    let (tone, title) = match outage.change {
        Change::Down if forbidden => (Tone::Urgent, format!("{what} cannot be looked at")),
        Change::Reminder if forbidden => (Tone::Urgent, format!("{what} still cannot be looked at, for {lasted}")),
        Change::Down => (Tone::Urgent, format!("{what} {} down", if many { "are" } else { "is" })),
        Change::Flapping => (Tone::Urgent, format!("{what} {} up and down", if many { "go" } else { "goes" })),
        Change::Reminder => (Tone::Urgent, format!("{what} {} still down, for {lasted}", if many { "are" } else { "is" })),
        Change::Resolved => (Tone::Good, format!("{what} {} up again after {lasted}", if many { "are" } else { "is" })),
    };
    let mut piece = Piece::new("monitor", tone, &title).fact("Since", &date(outage.opened_ms));
    if let Some(resolved) = outage.resolved_ms {
        piece = piece.fact("Until", &date(resolved)).fact("Lasted", &lasted);
    }
    if let Some(cause) = label(Some(&outage.cause)) {
        piece = piece.fact("Reason", &cause);
    }
    if many {
        piece = piece.line(&format!("At one host, these failed together: {}.", listed(&outage.names)));
    }
    if forbidden {
        piece = piece.line("The rules of this server's operator forbid to go there: whether the service works is not known.");
    }
    if outage.change == Change::Flapping {
        piece = piece.line("It went down or came up at least four times in half an hour. You hear of it again once it is steady.");
    }
    piece = piece.exact("Looks at", &outage.url).exact("Incident", &outage.incident.to_string());
    if outage.change != Change::Resolved {
        let advice = if forbidden { FORBIDDEN } else { "Look after the service. Take the incident on, so that nobody is reminded of it:" };
        piece = piece.advise(advice).command(&format!("keyvawlt monitor ack {}", outage.incident));
    }
    piece
        .why(WHY)
        .datum("change", change(outage.change))
        .datum("organization", outage.org.to_string())
        .datum("namespace", outage.ns.map(|ns| ns.to_string()))
        .datum("incident", outage.incident.to_string())
        .datum("monitors", outage.names.clone())
        .datum("url", outage.url.clone())
        .datum("cause", outage.cause.clone())
        .datum("opened_at", timestamp(outage.opened_ms))
        .datum("resolved_at", outage.resolved_ms.and_then(timestamp))
}

pub(crate) fn certificate(certificate: &EndingCertificate, now_ms: u64) -> Piece {
    let EndingCertificate { org, ns, monitor, name, url, ends_ms } = certificate;
    let left = ends_ms.saturating_sub(now_ms);
    let tone = if left <= 3 * DAY_MS { Tone::Urgent } else { Tone::Soon };
    let name = label(Some(name)).unwrap_or_else(|| "a monitor".to_owned());
    let verb = if left == 0 { "ended" } else { "ends" };
    Piece::new("certificate", tone, &format!("The certificate of {name} {verb} {}", distance(*ends_ms, now_ms)))
        .fact("When", &date(*ends_ms))
        .exact("Seen at", url)
        .exact("Monitor", &monitor.to_string())
        .advise("Renew it, and have the service use the new one.")
        .why(WHY)
        .datum("organization", org.to_string())
        .datum("namespace", ns.map(|ns| ns.to_string()))
        .datum("monitor", monitor.to_string())
        .datum("name", name)
        .datum("url", url.clone())
        .datum("ends_at", timestamp(*ends_ms))
}

fn what(names: &[String]) -> String {
    let first = names.first().and_then(|name| label(Some(name))).unwrap_or_else(|| "A monitor".to_owned());
    match names.len() {
        0 | 1 => first,
        2 => format!("{first} and 1 more"),
        more => format!("{first} and {} more", more - 1),
    }
}

fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(MAX_NAMES).filter_map(|name| label(Some(name))).collect::<Vec<_>>().join(", ");
    if let Some(rest) = names.len().checked_sub(MAX_NAMES).filter(|rest| *rest > 0) {
        text.extend([" and ", &rest.to_string(), " more"]);
    }
    text
}

fn lasted(ms: u64) -> String {
    let part = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match ms {
        0..MINUTE_MS => "less than a minute".to_owned(),
        MINUTE_MS..HOUR_MS => part(ms / MINUTE_MS, "minute"),
        HOUR_MS..DAY_MS => format!("{} and {}", part(ms / HOUR_MS, "hour"), part(ms % HOUR_MS / MINUTE_MS, "minute")),
        _ => format!("{} and {}", part(ms / DAY_MS, "day"), part(ms % DAY_MS / HOUR_MS, "hour")),
    }
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Down => "down",
        Change::Flapping => "flapping",
        Change::Reminder => "reminder",
        Change::Resolved => "resolved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_the_two_units_that_matter() {
        let told = [0, 59_999, MINUTE_MS, 59 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS + 61_000, 25 * HOUR_MS].map(lasted);
        let expected = [
            "less than a minute",
            "less than a minute",
            "1 minute",
            "59 minutes",
            "1 hour and 0 minutes",
            "3 hours and 1 minute",
            "1 day and 1 hour",
        ];
        assert_eq!(told, expected);
    }
}
