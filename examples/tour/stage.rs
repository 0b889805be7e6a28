//! What the audience sees: numbered steps with a sentence each, and facts below them. Colours only where a person looks.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::time::Duration;

/// Columns of running text: fits the terminals people have.
const WIDTH: usize = 100;
/// Where facts begin.
const INDENT: &str = "    ";
/// Columns of a fact's name.
const LABEL: usize = 16;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const CYAN: &str = "36";

pub(crate) struct Stage {
    out: Stdout,
    colours: bool,
    steps: u32,
}

impl Stage {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let out = io::stdout();
        #[expect(clippy::disallowed_methods, reason = "NO_COLOR is a convention between terminals and programs, not a setting of ours")]
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let mut stage = Self { colours: out.is_terminal() && !unwanted, out, steps: 0 };
        let title = stage.painted(BOLD, "KeyVawlt, a tour");
        writeln!(stage.out, "\n{title}: a team shares secrets, an agent uses one, somebody leaves, and the server lies.")?;
        Ok(stage)
    }

    /// The next step, and why it is as it is.
    pub(crate) fn step(&mut self, title: &str, why: &str) -> anyhow::Result<()> {
        self.steps += 1;
        let heading = self.painted(BOLD, &format!("{:>2}  {title}", self.steps));
        writeln!(self.out, "\n{heading}")?;
        for line in wrapped(why) {
            let line = self.painted(DIM, &line);
            writeln!(self.out, "{INDENT}{line}")?;
        }
        Ok(())
    }

    /// A fact.
    pub(crate) fn show(&mut self, label: &str, fact: impl Display) -> anyhow::Result<()> {
        let label = self.painted(CYAN, &format!("{label:<LABEL$}"));
        writeln!(self.out, "{INDENT}{label}{fact}")?;
        Ok(())
    }

    /// Something that was checked, and holds.
    pub(crate) fn holds(&mut self, what: impl Display) -> anyhow::Result<()> {
        let mark = self.painted(GREEN, "✔");
        writeln!(self.out, "{INDENT}{mark} {what}")?;
        Ok(())
    }

    /// A text of somebody else: a page, a mail, a program's output.
    pub(crate) fn quote(&mut self, text: &str) -> anyhow::Result<()> {
        for line in text.trim_end().lines() {
            let bar = self.painted(DIM, "│");
            writeln!(self.out, "{}", format!("{INDENT}{bar} {line}").trim_end())?;
        }
        Ok(())
    }

    /// The curtain.
    pub(crate) fn end(mut self, took: Duration) -> anyhow::Result<()> {
        let line = self.painted(BOLD, &format!("The tour took {:.1} s.", took.as_secs_f64()));
        writeln!(self.out, "\n{line} Its folder is gone. Next: cargo run --release, and README.md.\n")?;
        Ok(())
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whether the tour ended because nobody reads on: `tour | head`.
pub(crate) fn is_audience_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Bytes as people look at them: the beginning in hexadecimal, and how many there are.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    const SHOWN: usize = 18;
    let beginning = hex::encode(bytes.get(..SHOWN).unwrap_or(bytes));
    if bytes.len() > SHOWN { format!("{beginning}…  ({} bytes)", bytes.len()) } else { beginning }
}

/// The beginning of something long.
pub(crate) fn short(text: &str, characters: usize) -> String {
    let beginning: String = text.chars().take(characters).collect();
    if beginning.len() < text.len() { format!("{beginning}…") } else { beginning }
}

/// Running text in lines.
pub(crate) fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if INDENT.len() + line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
