//! Reading `.env` files.
//!
//! The dialect is what common readers agree on: `export`, single, double and backtick quotes over
//! several lines, comments, CRLF, a byte order mark. Nothing is expanded: `$` stands for itself
//! (references are resolved later, by `run`). Where readers disagree, the file is refused or a
//! warning tells the line. Messages name lines and variables, never values.

use std::iter::Peekable;
use std::str::Chars;

use zeroize::Zeroizing;

/// The largest file read: an environment larger than this does not fit a process anyway.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value, with quotes and escapes undone.
    pub value: Zeroizing<String>,
    /// The line it begins on, from 1.
    pub line: usize,
}

/// A file's variables, each once, and what a person should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// The variables; of several with one name, the last.
    pub entries: Vec<Entry>,
    /// Things that other readers may read differently.
    pub warnings: Vec<String>,
}

/// Where and why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    Encoding,
    /// Too large.
    #[error("the file is larger than 1 MiB")]
    TooLarge,
    /// A NUL byte.
    #[error("a NUL byte, which no environment variable can hold")]
    Nul,
    /// Not a variable's name.
    #[error("a variable's name is made of letters, digits, '_', '.' and '-', not beginning with a digit")]
    Name,
    /// No `=`.
    #[error("expected NAME=VALUE")]
    Equals,
    /// A quote without end.
    #[error("the quote that begins here is never closed")]
    Unclosed,
    /// Text after the closing quote.
    #[error("text after the closing quote")]
    AfterQuote,
    /// `\$` before `{vault:`.
    #[error("to write a literal ${{vault: double the dollar sign: $${{vault:")]
    EscapedReference,
    /// A carriage return that ends no line.
    #[error("a carriage return in the middle of a line")]
    CarriageReturn,
}

/// Parses a file.
pub fn parse(bytes: &[u8]) -> Result<EnvFile, Malformed> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Malformed { line: 1, problem: Problem::TooLarge });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
        line: 1 + bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').skip(1).count(),
        problem: Problem::Encoding,
    })?;
    let text = Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"));
    let mut reader = Reader { chars: text.chars().peekable(), line: 1, file: EnvFile::default() };
    match reader.file() {
        Ok(()) => Ok(reader.file),
        Err(problem) => Err(Malformed { line: reader.line, problem }),
    }
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    file: EnvFile,
}

impl Reader<'_> {
    fn file(&mut self) -> Result<(), Problem> {
        loop {
            self.skip_blanks();
            match self.chars.peek() {
                None => return Ok(()),
                Some('\n') => {
                    self.next()?;
                }
                Some('#') => self.skip_line()?,
                Some(_) => self.entry()?,
            }
        }
    }

    fn entry(&mut self) -> Result<(), Problem> {
        let line = self.line;
        let mut name = self.name();
        if name == "export" && self.chars.peek().is_some_and(|next| is_blank(*next)) {
            self.skip_blanks();
            if self.chars.peek() != Some(&'=') {
                name = self.name();
            }
        }
        if !is_name(&name) {
            return Err(if name.is_empty() { Problem::Equals } else { Problem::Name });
        }
        self.skip_blanks();
        if self.chars.next_if_eq(&'=').is_none() {
            return Err(Problem::Equals);
        }
        let spaced = self.skip_blanks();
        let value = match self.chars.peek() {
            Some(&quote @ ('\'' | '"' | '`')) => self.quoted(&name, quote)?,
            _ => self.bare(&name, spaced)?,
        };
        self.keep(Entry { name, value, line });
        Ok(())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.chars.next_if(|next| *next != '=' && !next.is_whitespace()) {
            name.push(next);
        }
        name
    }

    fn quoted(&mut self, name: &str, quote: char) -> Result<Zeroizing<String>, Problem> {
        let line = self.line;
        self.next()?;
        if quote == '`' {
            self.warn(&format!("{name}: only some readers know backtick quotes"));
        }
        let mut value = Zeroizing::new(String::new());
        loop {
            match self.next() {
                Ok(Some(next)) if next == quote => break,
                Ok(Some('\\')) if quote == '"' => self.escape(&mut value)?,
                Ok(Some(next)) => value.push(next),
                Ok(None) => {
                    self.line = line;
                    return Err(Problem::Unclosed);
                }
                Err(problem) => return Err(problem),
            }
        }
        self.skip_blanks();
        match self.chars.peek() {
            None | Some('\n') => Ok(value),
            Some('#') => self.skip_line().map(|()| value),
            Some(_) => Err(Problem::AfterQuote),
        }
    }

    /// Inside double quotes. A backslash before any other character stands for itself.
    fn escape(&mut self, value: &mut String) -> Result<(), Problem> {
        let escaped = match self.chars.peek() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(&same @ ('"' | '\\' | '$')) => same,
            _ => {
                value.push('\\');
                return Ok(());
            }
        };
        self.next()?;
        let mut ahead = self.chars.clone();
        if escaped == '$' && "{vault:".chars().all(|expected| ahead.next() == Some(expected)) {
            return Err(Problem::EscapedReference);
        }
        value.push(escaped);
        Ok(())
    }

    /// Without quotes: to the end of the line, or to a `#` after a space.
    fn bare(&mut self, name: &str, spaced: bool) -> Result<Zeroizing<String>, Problem> {
        let mut value = Zeroizing::new(String::new());
        let mut after_blank = spaced;
        let mut hash = false;
        while let Some(&next) = self.chars.peek() {
            if next == '\n' {
                break;
            }
            if next == '#' && after_blank {
                self.skip_line()?;
                break;
            }
            hash |= next == '#';
            after_blank = is_blank(next);
            if next == '\r' {
                return Err(Problem::CarriageReturn);
            }
            self.next()?;
            value.push(next);
        }
        if hash {
            self.warn(&format!("{name}: some readers end the value at '#'; quote it"));
        }
        let kept = value.trim_end_matches(is_blank).len();
        value.truncate(kept);
        Ok(value)
    }

    fn keep(&mut self, entry: Entry) {
        if let Some(at) = self.file.entries.iter().position(|other| other.name == entry.name) {
            let earlier = self.file.entries.remove(at);
            self.file
                .warnings
                .push(format!("line {}: {} was already set on line {}; the last one counts", entry.line, entry.name, earlier.line));
        }
        self.file.entries.push(entry);
    }

    fn warn(&mut self, text: &str) {
        self.file.warnings.push(format!("line {}: {text}", self.line));
    }

    fn next(&mut self) -> Result<Option<char>, Problem> {
        match self.chars.next() {
            Some('\0') => Err(Problem::Nul),
            Some('\n') => {
                self.line += 1;
                Ok(Some('\n'))
            }
            next => Ok(next),
        }
    }

    fn skip_blanks(&mut self) -> bool {
        let mut any = false;
        while self.chars.next_if(|next| is_blank(*next)).is_some() {
            any = true;
        }
        any
    }

    /// To the end of the line, which is left to read.
    fn skip_line(&mut self) -> Result<(), Problem> {
        while self.chars.peek().is_some_and(|next| *next != '\n') {
            self.next()?;
        }
        Ok(())
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// Dots and dashes are taken, since some programs' files have them; shells could not set them.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests;
