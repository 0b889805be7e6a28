//! What a month brings: one message that says everything once, the numbers in sentences and the first of each sort by name.

use super::dates::{date, timestamp};
use crate::message::{Piece, Tone, label};
use keyvawlt_domain::notices::{COUNTED, DueSecret, MonthAhead, Sort, Wants};
use serde_json::{Value, json};

/// Enough of an id to find it among a person's own.
const SHORT_ID: usize = 8;

pub(crate) fn piece(ahead: &MonthAhead) -> Piece {
    let MonthAhead { org, month, until_ms, coming, overdue, owed, failing, endless } = ahead;
    let tone = if overdue.count > 0 || failing.count > 0 { Tone::Soon } else { Tone::Calm };
    let mut piece = Piece::new("monthly-digest", tone, &title(ahead));
    for sentence in sentences(ahead) {
        piece = piece.line(&sentence);
    }
    for due in &coming.named {
        piece = piece.fact(if due.wants == Wants::End { "Ends" } else { "Replace by" }, &named(due));
    }
    for due in &overdue.named {
        piece = piece.fact(if due.wants == Wants::End { "Ended" } else { "Was due" }, &named(due));
    }
    piece
        .exact("Organization", &org.to_string())
        .advise("See all of it, verified on your own machine; replace what is overdue, and give every key an end.")
        .command("keyvawlt remind")
        .why("You can read these secrets, and your address is confirmed. This comes on the first of a month that brings something, until you run: keyvawlt notify mute monthly-digest.")
        .datum("organization", org.to_string())
        .datum("month", month.to_string())
        .datum("until", timestamp(*until_ms))
        .datum("coming", sort(coming))
        .datum("overdue", sort(overdue))
        .datum("owed", *owed)
        .datum("failing", json!({ "count": failing.count, "monitors": failing.named }))
        .datum("endless", json!({ "count": endless.count, "namespaces": endless.named.iter().map(|(ns, count)| json!({ "namespace": ns.to_string(), "count": count })).collect::<Vec<_>>() }))
}

fn title(ahead: &MonthAhead) -> String {
    let MonthAhead { coming, overdue, owed, failing, endless, .. } = ahead;
    let parts = [
        (coming.count, "ends or is due", "end or are due"),
        (overdue.count, "is overdue", "are overdue"),
        (*owed, "could be read by somebody who left", "could be read by somebody who left"),
    ];
    let said: Vec<String> =
        parts.into_iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| secrets(count, one, many)).take(2).collect();
    let said = match said.join(", ") {
        said if !said.is_empty() => said,
        _ if failing.count > 0 => many(failing.count, "service fails", "services fail"),
        _ => secrets(endless.count, "has no expiry", "have no expiry"),
    };
    format!("{}: {said}", ahead.month.spoken())
}

fn sentences(ahead: &MonthAhead) -> Vec<String> {
    let MonthAhead { until_ms, coming, overdue, owed, failing, endless, .. } = ahead;
    let mut said = Vec::new();
    if coming.count > 0 {
        let what = secrets(coming.count, "ends or is to be replaced", "end or are to be replaced");
        said.push(format!("{what} before {}{}.", date(*until_ms), below(coming)));
    }
    if overdue.count > 0 {
        let what = secrets(
            overdue.count,
            "has ended or was to be replaced, and is there still",
            "have ended or were to be replaced, and are there still",
        );
        said.push(format!("{what}{}.", below(overdue)));
    }
    if *owed > 0 {
        let what = secrets(*owed, "is to be replaced", "are to be replaced");
        said.push(format!("Offboarding: {what}, for somebody who could read them lost access."));
    }
    if failing.count > 0 {
        let names = failing.named.iter().filter_map(|name| label(Some(name))).collect();
        said.push(format!("Failing now: {}.", listed(names, failing.count)));
    }
    if endless.count > 0 {
        let places = endless.named.iter().map(|(ns, count)| format!("{} in namespace {ns}", many(*count, "key", "keys")));
        let elsewhere = endless.count - endless.named.iter().map(|(_, count)| count).sum::<usize>();
        let rest = (elsewhere > 0).then(|| format!("{} elsewhere", many(elsewhere, "key", "keys")));
        said.push(format!("No expiry set: {}.", places.chain(rest).collect::<Vec<_>>().join(", ")));
    }
    said
}

fn below<T>(sort: &Sort<T>) -> &'static str {
    if sort.count > sort.named.len() { "; the first of them are below" } else { "" }
}

fn listed(mut names: Vec<String>, count: usize) -> String {
    if count > names.len() {
        names.push(format!("{} more", count - names.len()));
    }
    names.join(", ")
}

fn named(due: &DueSecret) -> String {
    let id = due.secret.to_string();
    let what = label(due.label.as_deref()).unwrap_or_else(|| format!("Secret {}", id.get(..SHORT_ID).unwrap_or(&id)));
    format!("{what}, {}", date(due.at_ms))
}

fn secrets(count: usize, one: &str, several: &str) -> String {
    many(count, &format!("secret {one}"), &format!("secrets {several}"))
}

fn many(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        COUNTED.. => format!("10,000 or more {several}"),
        count => format!("{count} {several}"),
    }
}

fn sort(sort: &Sort<DueSecret>) -> Value {
    let secret = |due: &DueSecret| {
        json!({
            "namespace": due.ns.to_string(),
            "secret": due.secret.to_string(),
            "label": label(due.label.as_deref()),
            "reason": if due.wants == Wants::End { "expiry" } else { "rotation" },
            "at": timestamp(due.at_ms),
        })
    };
    json!({ "count": sort.count, "secrets": sort.named.iter().map(secret).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_title_says_what_matters_most() {
        let full = samples::month();
        let without = |change: fn(&mut MonthAhead)| {
            let mut ahead = samples::month();
            change(&mut ahead);
            piece(&ahead).title().to_owned()
        };
        assert_eq!(piece(&full).title(), "December 2026: 14 secrets end or are due, 1 secret is overdue");
        assert_eq!(
            without(|month| month.coming.count = 0),
            "December 2026: 1 secret is overdue, 3 secrets could be read by somebody who left"
        );
        let quiet = |month: &mut MonthAhead| (month.coming.count, month.overdue.count, month.owed) = (0, 0, 0);
        let mut ahead = samples::month();
        quiet(&mut ahead);
        assert_eq!(piece(&ahead).title(), "December 2026: 5 services fail");
        ahead.failing.count = 0;
        assert_eq!(piece(&ahead).title(), "December 2026: 20 secrets have no expiry");
        ahead.endless.count = COUNTED;
        assert_eq!(piece(&ahead).title(), "December 2026: 10,000 or more secrets have no expiry");
    }
}
