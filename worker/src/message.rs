//! What is to be said to somebody, in no form yet: pieces with a title, sentences, particulars, what to do and why they are told.
//!
//! `words/` makes pieces of what happened; `channels/` makes a mail, a webhook or a Slack message of them. Every text is one clean line of bounded
//! length from the moment it enters, so no form has to distrust what an owner called a secret. Never a secret's name or value.

use serde_json::{Map, Value};

/// Pieces that are shown; the rest is counted. A mail stays below the 100 KB at which readers cut it off, and below what anybody reads.
pub(crate) const MAX_SHOWN: usize = 20;
/// A title is a subject line: phones show some 40 characters of it, servers accept many more.
const MAX_TITLE_CHARS: usize = 160;
/// A sentence or two.
const MAX_LINE_CHARS: usize = 500;
/// The value of a particular: an identifier of 64 characters and some words.
const MAX_FACT_CHARS: usize = 200;
/// Of a label, this much stands in a title.
const MAX_LABEL_CHARS: usize = 80;

/// How much it matters, most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// Something has failed or ended.
    Urgent,
    /// Something will.
    Soon,
    /// Good to know.
    Calm,
    /// It is over.
    Good,
}

impl Tone {
    /// In words, for those who see no colours.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Urgent => Some("Act now"),
            Self::Soon => Some("Act soon"),
            Self::Calm => None,
            Self::Good => Some("All good"),
        }
    }
}

/// A particular: what it is called, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// An identifier or a command, to be shown as such.
    pub(crate) exact: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    kind: &'static str,
    tone: Tone,
    title: String,
    lines: Vec<String>,
    code: Option<String>,
    facts: Vec<Fact>,
    to_do: Option<String>,
    command: Option<String>,
    why: Option<String>,
    data: Map<String, Value>,
    raised_ms: Option<u64>,
    unworded: bool,
}

impl Piece {
    /// `kind` is what webhooks call it, the name of its kind.
    pub(crate) fn new(kind: &'static str, tone: Tone, title: &str) -> Self {
        Self {
            kind,
            tone,
            title: plain(title, MAX_TITLE_CHARS),
            lines: Vec::new(),
            code: None,
            facts: Vec::new(),
            to_do: None,
            command: None,
            why: None,
            data: Map::new(),
            raised_ms: None,
            unworded: false,
        }
    }

    /// A sentence, or two.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(plain(line, MAX_LINE_CHARS));
        self
    }

    /// A code to be typed, shown large; it stands in no title.
    pub(crate) fn code(mut self, code: &str) -> Self {
        self.code = Some(plain(code, MAX_FACT_CHARS));
        self
    }

    /// A particular in words, like a date.
    pub(crate) fn fact(self, name: &'static str, value: &str) -> Self {
        self.with_fact(name, value, false)
    }

    /// A particular to be copied, like an identifier.
    pub(crate) fn exact(self, name: &'static str, value: &str) -> Self {
        self.with_fact(name, value, true)
    }

    /// What the reader should do about it.
    pub(crate) fn advise(mut self, to_do: &str) -> Self {
        self.to_do = Some(plain(to_do, MAX_LINE_CHARS));
        self
    }

    /// The command that does it. Made of ids and fixed words only: it will be pasted into a shell.
    pub(crate) fn command(mut self, command: &str) -> Self {
        self.command = Some(plain(command, MAX_FACT_CHARS));
        self
    }

    /// Why the reader is told.
    pub(crate) fn why(mut self, why: &str) -> Self {
        self.why = Some(plain(why, MAX_LINE_CHARS));
        self
    }

    /// What programs are told: a member of the webhook's `data`. Times are RFC 3339, ids hexadecimal, and what is not known is null.
    pub(crate) fn datum(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// When it was noticed; the message may be made later.
    pub(crate) fn raised(mut self, moment_ms: u64) -> Self {
        self.raised_ms = Some(moment_ms);
        self
    }

    /// Its words failed: this is a plain sentence in their place.
    pub(crate) fn unworded(mut self) -> Self {
        self.unworded = true;
        self
    }

    fn with_fact(mut self, name: &'static str, value: &str, exact: bool) -> Self {
        self.facts.push(Fact { name, value: plain(value, MAX_FACT_CHARS), exact });
        self
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn tone(&self) -> Tone {
        self.tone
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn shown_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    pub(crate) fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    pub(crate) fn raised_ms(&self) -> Option<u64> {
        self.raised_ms
    }
}

/// What one delivery says: pieces, the most urgent first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    title: String,
    shown: Vec<Piece>,
    common: Vec<Fact>,
    rest: usize,
    unworded: usize,
    unsubscribe: Option<String>,
}

impl Message {
    /// A message of one piece.
    pub(crate) fn one(piece: Piece) -> Self {
        let unworded = usize::from(piece.unworded);
        Self { title: piece.title.clone(), shown: vec![piece], common: Vec::new(), rest: 0, unworded, unsubscribe: None }
    }

    /// A message of many pieces, `None` without any. `rest` counts what the caller did not load.
    pub(crate) fn many(mut pieces: Vec<Piece>, rest: usize) -> Option<Self> {
        pieces.sort_by_key(|piece| piece.tone);
        let others = pieces.len().checked_sub(1)? + rest;
        let title = gathered_title(&pieces, others)?;
        let unworded = pieces.iter().filter(|piece| piece.unworded).count();
        let rest = rest + pieces.len().saturating_sub(MAX_SHOWN);
        pieces.truncate(MAX_SHOWN);
        let common = take_common(&mut pieces);
        Some(Self { title, shown: pieces, common, rest, unworded, unsubscribe: None })
    }

    /// The same under a title of its own: a digest is not named after its first piece.
    pub(crate) fn titled(mut self, title: &str) -> Self {
        self.title = plain(title, MAX_TITLE_CHARS);
        self
    }

    /// The same for a reader who is told for another reason than people are.
    pub(crate) fn because(mut self, why: &str) -> Self {
        for piece in &mut self.shown {
            piece.why = Some(plain(why, MAX_LINE_CHARS));
        }
        self
    }

    /// The same with an address at which one POST ends such messages (RFC 8058). Anything but an `https` URL in ASCII is left out: mail programs
    /// post to nothing else, and a header line must not break.
    pub(crate) fn unsubscribe(mut self, url: &str) -> Self {
        let speakable = url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"'));
        self.unsubscribe = (url.starts_with("https://") && speakable && url.len() <= MAX_URL_BYTES).then(|| url.to_owned());
        self
    }

    /// The subject line.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The pieces that are shown.
    pub(crate) fn shown(&self) -> &[Piece] {
        &self.shown
    }

    /// Particulars of all pieces, when there are several.
    pub(crate) fn common(&self) -> &[Fact] {
        &self.common
    }

    /// How many more there are.
    pub(crate) fn rest(&self) -> usize {
        self.rest
    }

    /// How many pieces say a plain sentence, for their words failed.
    pub(crate) fn unworded(&self) -> usize {
        self.unworded
    }

    /// Where to unsubscribe.
    pub(crate) fn unsubscribe_url(&self) -> Option<&str> {
        self.unsubscribe.as_deref()
    }

    /// What to do, each advice once, with the commands that belong to it.
    pub(crate) fn advice(&self) -> Vec<Advice<'_>> {
        let mut advice: Vec<Advice<'_>> = Vec::new();
        for piece in &self.shown {
            let Some(to_do) = piece.to_do.as_deref() else { continue };
            let known = advice.iter().position(|known| known.to_do == to_do);
            let place = known.unwrap_or_else(|| {
                advice.push(Advice { to_do, commands: Vec::new() });
                advice.len() - 1
            });
            let command = piece.command.as_deref().filter(|command| !advice[place].commands.contains(command));
            advice[place].commands.extend(command);
        }
        advice
    }

    /// Why the reader is told, each reason once.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        let mut reasons = Vec::new();
        for why in self.shown.iter().filter_map(|piece| piece.why.as_deref()) {
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        reasons
    }
}

/// The first's, and how many ride with it: "more" only of its own kind, good news apart, so that nobody takes another thing for one more of the same.
fn gathered_title(pieces: &[Piece], others: usize) -> Option<String> {
    let first = pieces.first()?;
    let sort = |piece: &Piece| (piece.kind, piece.tone == Tone::Good);
    let alike = pieces.iter().all(|piece| sort(piece) == sort(first));
    Some(match (others, alike) {
        (0, _) => first.title.clone(),
        (others, true) => format!("{}, and {others} more", first.title),
        (1, false) => format!("{}, and another notice", first.title),
        (others, false) => format!("{}, and {others} other notices", first.title),
    })
}

/// Takes out what all pieces say, like the organization they are of: it is said once.
fn take_common(pieces: &mut [Piece]) -> Vec<Fact> {
    let Some((first, others)) = pieces.split_first() else { return Vec::new() };
    let everywhere = |fact: &&Fact| !others.is_empty() && others.iter().all(|piece| piece.facts.contains(fact));
    let common: Vec<Fact> = first.facts.iter().filter(everywhere).cloned().collect();
    for piece in pieces {
        piece.facts.retain(|fact| !common.contains(fact));
    }
    common
}

/// Longer ones would fold in a header.
const MAX_URL_BYTES: usize = 900;

/// One advice of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice<'a> {
    pub(crate) to_do: &'a str,
    pub(crate) commands: Vec<&'a str>,
}

/// What an owner called something, fit for a title; `None` if nothing readable is left.
pub(crate) fn label(text: Option<&str>) -> Option<String> {
    text.map(|text| plain(text, MAX_LABEL_CHARS)).filter(|label| !label.is_empty())
}

/// One line without control characters and without marks that reorder what is read, of at most `max` characters.
fn plain(text: &str, max: usize) -> String {
    let reorders = |c: char| matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line = text.chars().map(|c| if breaks(c) { ' ' } else { c }).filter(|c| !reorders(*c));
    let kept: String = line.by_ref().take(max).collect();
    let kept = kept.trim();
    if line.next().is_none() { kept.to_owned() } else { format!("{kept}…") }
}

#[cfg(test)]
mod tests;
