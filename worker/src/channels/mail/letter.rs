//! A message as a mail: a subject, a text, and the same as HTML, in one design for all of them.
//!
//! A template that fails takes nothing away but its form: a plain text of the same pieces is made without any template. The log says so, and the
//! letter, so that the delivery's record can.

use crate::message::{Message, Tone};
use askama::Template;

/// What stands in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    /// `None` if its template failed.
    pub(crate) html: Option<String>,
    /// What is plainer than it should be, and why.
    pub(crate) lacks: Option<&'static str>,
}

/// How a message becomes the parts of a mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Templates {
    pub(crate) text: Render,
    pub(crate) html: Render,
}

impl Default for Templates {
    fn default() -> Self {
        Self { text: text_of, html: html_of }
    }
}

impl Letter {
    /// Never fails.
    pub(crate) fn of(message: &Message, templates: Templates) -> Self {
        let failed = |form: &'static str| {
            let title = message.title();
            move |error: askama::Error| tracing::error!(%error, form, title, "a mail's template failed; the mail goes out without it")
        };
        let text = (templates.text)(message).map_err(failed("text"));
        let html = (templates.html)(message).map_err(failed("html")).ok();
        let lacks = match (&text, &html) {
            (Ok(_), Some(_)) => None,
            (Ok(_), None) => Some("its HTML template failed, so it went out as text"),
            (Err(()), _) => Some("its text template failed, so its text went out plain"),
        };
        let text = text.unwrap_or_else(|()| plain_text_of(message));
        Self { subject: message.title().to_owned(), text, html, lacks }
    }
}

pub(crate) type Render = fn(&Message) -> askama::Result<String>;

fn text_of(message: &Message) -> askama::Result<String> {
    Text { title: message.title(), many: is_many(message), message }.render()
}

fn html_of(message: &Message) -> askama::Result<String> {
    Html { title: message.title(), preview: preview(message), many: is_many(message), message }.render()
}

/// What the templates would say, line by line.
fn plain_text_of(message: &Message) -> String {
    let mut text = vec![message.title()];
    for piece in message.shown() {
        text.push(piece.title());
        text.extend(piece.lines().iter().map(String::as_str));
        text.extend(piece.shown_code());
        text.extend(piece.facts().iter().flat_map(|fact| [fact.name, fact.value.as_str()]));
    }
    text.extend(message.common().iter().flat_map(|fact| [fact.name, fact.value.as_str()]));
    text.extend(message.advice().iter().flat_map(|advice| [&[advice.to_do], advice.commands.as_slice()].concat()));
    text.extend(message.reasons());
    text.extend(message.unsubscribe_url());
    format!("{}\n", text.join("\n"))
}

/// A digest of one piece has a title of its own, so the piece shows its one too.
fn is_many(message: &Message) -> bool {
    message.shown().len() > 1 || message.shown().first().is_some_and(|piece| piece.title() != message.title())
}

/// What inboxes show beside the subject.
fn preview(message: &Message) -> &str {
    let first = message.shown().first();
    let line = first.and_then(|piece| piece.lines().first()).map(String::as_str);
    line.or_else(|| message.advice().first().map(|advice| advice.to_do)).unwrap_or_default()
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Soon => "soon",
            Self::Calm => "text",
            Self::Good => "good",
        }
    }

    /// On white; the dark one is in the template's style sheet.
    fn colour(self) -> &'static str {
        match self {
            Self::Urgent => "#b42318",
            Self::Soon => "#8a4b00",
            Self::Calm => "#1c2430",
            Self::Good => "#1b6e3c",
        }
    }
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    title: &'a str,
    many: bool,
    message: &'a Message,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    title: &'a str,
    preview: &'a str,
    many: bool,
    message: &'a Message,
}

#[cfg(test)]
mod browser;
#[cfg(test)]
mod tests;
