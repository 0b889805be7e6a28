//! Slack's incoming webhooks, and what is compatible with them (Mattermost, Rocket.Chat, Discord under `/slack`): blocks, and a text for those that
//! know none. Nothing an owner wrote becomes markup, a mention or a link.

use super::{Reception, answer};
use crate::message::{Fact, Message, Piece, Tone};
use crate::outbound::{Outbound, Request};
use http::HeaderValue;
use serde_json::{Value, json};

/// Of one block's text, before escaping, which may make five characters of one: Slack takes 3000.
const MAX_TEXT_CHARS: usize = 590;
/// Slack takes ten fields in a section.
const MAX_FIELDS: usize = 10;
/// Slack takes 50 blocks: the pieces, what is common to all, how many more there are, the footer, and this.
const MAX_ADVICE: usize = 20;
/// What Slack answers, with different statuses, when a hook will never work again.
const CLOSED: [&str; 7] =
    ["no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled", "channel_is_archived", "channel_not_found"];

/// Posts one message. The URL is the permission: there is nothing to sign.
pub(crate) async fn send(outbound: &Outbound, url: &str, message: &Message, now_ms: u64) -> Reception {
    let request = Request::post(url, HeaderValue::from_static("application/json"), payload(message).to_string());
    answer::reception(outbound.send(&request).await, judge, now_ms)
}

/// What is posted.
fn payload(message: &Message) -> Value {
    let many = message.shown().len() > 1 || message.shown().first().is_some_and(|piece| piece.title() != message.title());
    let mut blocks = Vec::new();
    if many {
        blocks.push(section(&bold(message.title())));
    }
    blocks.extend(message.shown().iter().map(piece));
    if !message.common().is_empty() {
        blocks.push(with_fields(section("*All of them*"), message.common()));
    }
    if message.rest() > 0 {
        blocks.push(section(&format!("… and {} more. `keyvawlt status` lists everything that is due.", message.rest())));
    }
    blocks.extend(message.advice().iter().take(MAX_ADVICE).map(|advice| {
        let commands = advice.commands.iter().map(|command| format!("\n`{}`", escape(command)));
        section(&format!("*What to do:* {}{}", escape(advice.to_do), commands.collect::<String>()))
    }));
    blocks.push(json!({ "type": "context", "elements": [text(FOOTER)] }));
    json!({ "text": bare(message.title()), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

const FOOTER: &str =
    "An admin of the organization has notices sent here (`keyvawlt notify list`). The server that sent this cannot read your secrets.";

/// What an answer means.
fn judge(status: u16, retry_after: Option<&str>, said: &[u8], now_ms: u64) -> Reception {
    let word = String::from_utf8_lossy(said);
    if status >= 400 && CLOSED.contains(&word.trim()) {
        return Reception::Closed { why: format!("it answered {status}: {}", word.trim()) };
    }
    answer::judge(status, retry_after, said, now_ms)
}

fn piece(piece: &Piece) -> Value {
    let mut lines = vec![format!("{}{}", symbol(piece.tone()), bold(piece.title()))];
    lines.extend(piece.lines().iter().map(|line| escape(line)));
    lines.extend(piece.shown_code().map(|code| format!("`{}`", escape(code))));
    with_fields(section(&lines.join("\n")), piece.facts())
}

/// Colours are for attachments, which Slack discourages; a symbol is seen in a list of channels, too.
fn symbol(tone: Tone) -> &'static str {
    match tone {
        Tone::Urgent => ":red_circle: ",
        Tone::Soon => ":large_orange_circle: ",
        Tone::Calm => "",
        Tone::Good => ":large_green_circle: ",
    }
}

fn section(markup: &str) -> Value {
    json!({ "type": "section", "text": text(markup) })
}

fn with_fields(mut section: Value, facts: &[Fact]) -> Value {
    let fields: Vec<Value> = facts.iter().take(MAX_FIELDS).map(|fact| text(&format!("*{}*\n{}", fact.name, escape(&fact.value)))).collect();
    if !fields.is_empty() {
        section["fields"] = fields.into();
    }
    section
}

/// Verbatim: Slack makes no links, channels or mentions of words that look like them.
fn text(markup: &str) -> Value {
    json!({ "type": "mrkdwn", "text": markup, "verbatim": true })
}

fn bold(words: &str) -> String {
    format!("*{}*", escape(words))
}

/// The three characters Slack reads as markup of its own, as entities; the ones that only change how letters look, as letters that look like them.
fn escape(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for character in words.chars().take(MAX_TEXT_CHARS) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '*' => escaped.push('∗'),
            '`' => escaped.push('ˋ'),
            '~' => escaped.push('∼'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// For those that know no blocks, and read names, links and pictures out of plain text where nothing says "verbatim" (Mattermost, Rocket.Chat,
/// Discord): what begins one of these is a letter that looks like it.
fn bare(words: &str) -> String {
    let lookalike = |character| match character {
        '@' => '＠',
        '[' => '［',
        ']' => '］',
        other => other,
    };
    escape(words).chars().map(lookalike).collect::<String>().replace("://", ":∕∕").replace("www.", "www․")
}

#[cfg(test)]
mod tests;
