//! Where passwords and values come from: a hidden prompt, stdin, a file, or (values only, with a
//! warning) the command line.
//!
//! Invariant: nothing secret is ever *needed* in an argument, and what was read is wiped after use.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};
use crate::output::printable;

/// The longest value of a secret: the protocol's limit.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// The longest password or code read: far beyond what people type, well below a mistaken file.
pub const MAX_PASSWORD_BYTES: usize = 4096;

/// Where a secret text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person types it, unseen.
    Prompt,
    /// All of stdin, without the line end that `echo` adds.
    Stdin,
    /// A file, byte for byte.
    File(PathBuf),
}

/// The person in front, or what stands in for one.
pub trait Person {
    /// Asks without showing the answer.
    fn ask_hidden(&mut self, question: &str) -> io::Result<String>;
    /// Asks and shows the answer.
    fn ask(&mut self, question: &str) -> io::Result<String>;
    /// Whether anybody is there to answer.
    fn is_there(&self) -> bool;
    /// What is piped in.
    fn stdin(&mut self) -> &mut dyn Read;
}

/// The person at the terminal. Questions go to the terminal itself, so stdin and stdout stay free.
pub struct AtTerminal {
    stdin: io::Stdin,
}

impl Default for AtTerminal {
    fn default() -> Self {
        Self { stdin: io::stdin() }
    }
}

impl Person for AtTerminal {
    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(format!("{question}: "))
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        use std::io::{BufRead, BufReader, Write};
        let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
        write!(terminal, "{question}: ")?;
        terminal.flush()?;
        let mut answer = String::new();
        BufReader::new(terminal.take(MAX_PASSWORD_BYTES as u64)).read_line(&mut answer)?;
        Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn is_there(&self) -> bool {
        self.stdin.is_terminal() || File::open("/dev/tty").is_ok()
    }

    fn stdin(&mut self) -> &mut dyn Read {
        &mut self.stdin
    }
}

/// A password, recovery code or token.
pub fn password(person: &mut dyn Person, source: &Source, what: &str) -> Outcome<Zeroizing<String>> {
    let bytes = match source {
        Source::Prompt => Zeroizing::new(hidden(person, what)?.as_bytes().to_vec()),
        Source::Stdin => read_stdin(person, MAX_PASSWORD_BYTES, what)?,
        // Here a file is one somebody typed, so its last line end is no part of the password.
        Source::File(path) => without_line_end(read_file(path, MAX_PASSWORD_BYTES, what)?),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage(format!("the {what} is not UTF-8 text")))?;
    if text.is_empty() {
        return Err(Failure::usage(format!("the {what} is empty")));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// A password that is being chosen: typed twice, when typed.
pub fn new_password(person: &mut dyn Person, source: &Source, what: &str) -> Outcome<Zeroizing<String>> {
    let first = password(person, source, what)?;
    if *source == Source::Prompt && *hidden(person, &format!("{what}, again"))? != *first {
        return Err(Failure::usage(format!("the two entries of the {what} differ")));
    }
    Ok(first)
}

/// A secret's value.
pub fn value(person: &mut dyn Person, source: &Source, name: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    match source {
        Source::Prompt => {
            let typed = hidden(person, &format!("value of {name}"))?;
            limit(Zeroizing::new(typed.as_bytes().to_vec()), MAX_VALUE_BYTES, "value")
        }
        Source::Stdin => read_stdin(person, MAX_VALUE_BYTES, "value"),
        Source::File(path) => read_file(path, MAX_VALUE_BYTES, "value"),
    }
}

/// Asks for something that is no secret, such as an e-mail address.
pub fn line(person: &mut dyn Person, what: &str, flag: &str) -> Outcome<String> {
    if !person.is_there() {
        return Err(nobody(what, flag));
    }
    let answer = person.ask(what).map_err(|error| unreadable(what, &error))?;
    let answer = answer.trim();
    if answer.is_empty() {
        return Err(Failure::usage(format!("no {what} given")).hint(format!("give it with {flag}")));
    }
    Ok(answer.to_owned())
}

/// Asks whether to go on; without anybody to ask, `--yes` is needed.
pub fn confirm(person: &mut dyn Person, question: &str, yes: bool) -> Outcome {
    if yes {
        return Ok(());
    }
    if !person.is_there() {
        return Err(nobody("confirmation", "--yes"));
    }
    // Names of other people stand in questions.
    let answer = person.ask(&format!("{} [y/N]", printable(question))).map_err(|error| unreadable("confirmation", &error))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::local("not confirmed; nothing was changed").code("NOT_CONFIRMED"))
    }
}

fn hidden(person: &mut dyn Person, what: &str) -> Outcome<Zeroizing<String>> {
    if !person.is_there() {
        return Err(nobody(what, "a --…stdin or --…file flag"));
    }
    person.ask_hidden(what).map(Zeroizing::new).map_err(|error| unreadable(what, &error))
}

fn nobody(what: &str, flag: &str) -> Failure {
    Failure::usage(format!("there is no terminal to ask for the {what}")).code("NO_TERMINAL").hint(format!("give it with {flag}"))
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::local(format!("cannot read the {what}: {error}"))
}

fn read_stdin(person: &mut dyn Person, max_bytes: usize, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let bytes = read_up_to(person.stdin(), max_bytes).map_err(|error| unreadable(what, &error))?;
    limit(without_line_end(bytes), max_bytes, what)
}

fn read_file(path: &Path, max_bytes: usize, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let bytes =
        File::open(path).and_then(|mut file| read_up_to(&mut file, max_bytes)).map_err(|error| Failure::file(path, "read", &error))?;
    limit(bytes, max_bytes, what)
}

/// Room for the limit, one byte more to notice excess, and `\r\n`; made at once, since a growing
/// buffer would leave unwiped copies behind.
fn read_up_to(from: &mut dyn Read, max_bytes: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = max_bytes + 3;
    let mut bytes = Zeroizing::new(vec![0; most]);
    let mut filled = 0;
    while filled < most {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn without_line_end(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

fn limit(bytes: Zeroizing<Vec<u8>>, max_bytes: usize, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    if bytes.len() > max_bytes {
        return Err(Failure::usage(format!("the {what} is longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers in order; nobody is there when there are none.
    struct Scripted {
        answers: Vec<&'static str>,
        stdin: io::Cursor<Vec<u8>>,
    }

    fn person(answers: &[&'static str], stdin: &[u8]) -> Scripted {
        Scripted { answers: answers.to_vec(), stdin: io::Cursor::new(stdin.to_vec()) }
    }

    impl Person for Scripted {
        fn ask_hidden(&mut self, _: &str) -> io::Result<String> {
            Ok(self.answers.remove(0).to_owned())
        }

        fn ask(&mut self, question: &str) -> io::Result<String> {
            self.ask_hidden(question)
        }

        fn is_there(&self) -> bool {
            !self.answers.is_empty()
        }

        fn stdin(&mut self) -> &mut dyn Read {
            &mut self.stdin
        }
    }

    #[test]
    fn stdin_loses_one_line_end_and_files_none() {
        let cases: [(&[u8], &[u8]); 5] = [(b"x\n", b"x"), (b"x\r\n", b"x"), (b"x\n\n", b"x\n"), (b"x", b"x"), (b"", b"")];
        for (given, read) in cases {
            assert_eq!(*value(&mut person(&[], given), &Source::Stdin, "A").unwrap(), read);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\xff\n").unwrap();
        let source = Source::File(file.path().to_owned());
        assert_eq!(*value(&mut person(&[], b""), &source, "A").unwrap(), b"\xff\n");
        assert!(password(&mut person(&[], b""), &source, "password").is_err());
        std::fs::write(file.path(), b"correct horse\n").unwrap();
        let read = password(&mut person(&[], b""), &source, "password").unwrap();
        assert_eq!(read.as_str(), "correct horse");
    }

    #[test]
    fn values_have_a_limit() {
        let fits = vec![b'x'; MAX_VALUE_BYTES];
        let mut with_line_end = fits.clone();
        with_line_end.extend(b"\r\n");
        assert!(value(&mut person(&[], &with_line_end), &Source::Stdin, "A").is_ok());
        let mut over = fits;
        over.push(b'x');
        let failure = value(&mut person(&[], &over), &Source::Stdin, "A").unwrap_err();
        assert_eq!(failure.to_string(), "the value is longer than 65536 bytes");
    }

    #[test]
    fn a_new_password_is_typed_twice() {
        let good = new_password(&mut person(&["a", "a"], b""), &Source::Prompt, "password");
        assert_eq!(good.unwrap().as_str(), "a");
        let typo = new_password(&mut person(&["canary", "b"], b""), &Source::Prompt, "password");
        assert_eq!(typo.unwrap_err().to_string(), "the two entries of the password differ");
        let piped = new_password(&mut person(&[], b"a\n"), &Source::Stdin, "password");
        assert_eq!(piped.unwrap().as_str(), "a");
        assert!(password(&mut person(&[], b"\n"), &Source::Stdin, "password").is_err());
    }

    #[test]
    fn without_a_terminal_the_flag_is_named() {
        let failure = value(&mut person(&[], b""), &Source::Prompt, "A").unwrap_err();
        assert!(failure.to_string().contains("no terminal"), "{failure}");
        let failure = confirm(&mut person(&[], b""), "delete", false).unwrap_err();
        assert!(failure.to_string().contains("--yes"), "{failure}");
        assert!(line(&mut person(&[], b""), "e-mail", "--email").is_err());
    }

    #[test]
    fn only_yes_confirms() {
        assert!(confirm(&mut person(&["YES"], b""), "delete", false).is_ok());
        assert!(confirm(&mut person(&["y"], b""), "delete", false).is_ok());
        assert!(confirm(&mut person(&[""], b""), "delete", false).is_err());
        assert!(confirm(&mut person(&["yeah"], b""), "delete", false).is_err());
        assert!(confirm(&mut person(&[], b""), "delete", true).is_ok());
        assert_eq!(line(&mut person(&[" a@b "], b""), "e-mail", "--email").unwrap(), "a@b");
    }
}
