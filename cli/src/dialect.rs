//! Writing secrets for other programs: dotenv, JSON, shell.
//!
//! Invariant: what is written reads back as the same value in every reader named for the dialect,
//! or it is refused by name. Dotenv readers disagree about escapes (Node's knows only `\n` and
//! `\r`, python-dotenv also undoes `\\`, `\'` and replaces `${…}` even in single quotes), so each
//! value takes the first form that both read alike.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};
use crate::names;

/// A way to write variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// For python-dotenv, Node's dotenv and `keyvawlt run --env-file`.
    Dotenv,
    /// One JSON object.
    Json,
    /// `export` lines for POSIX shells, to be sourced.
    Shell,
}

/// What was written, and what a person should know about it.
pub struct Written {
    /// The text, ending in a newline.
    pub text: Zeroizing<String>,
    /// Names of values that are safe in dotenv readers, but not if a shell sources the file.
    pub not_for_shells: Vec<String>,
}

/// Why a variable cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a variable's name.
    #[error("is no variable's name")]
    Name,
    /// Written already.
    #[error("occurs twice")]
    Twice,
    /// A name that readers give a meaning of their own.
    #[error("is a name that the readers of this format keep for themselves")]
    Reserved,
    /// A NUL byte.
    #[error("contains a NUL byte, which no environment variable can hold")]
    Nul,
    /// `${…}`, which python-dotenv replaces.
    #[error("contains ${{…}}, which python-dotenv would replace in any quotes")]
    Interpolated,
    /// No common form.
    #[error("mixes quotes, backslashes, '#' or line breaks in a way dotenv readers read differently")]
    NoCommonForm,
}

/// Writes variables in the given order (JSON: by name).
pub fn write(dialect: Dialect, variables: &[(String, &str)]) -> Outcome<Written> {
    let mut text = Zeroizing::new(String::new());
    let mut not_for_shells = Vec::new();
    let mut refused = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, value) in variables {
        let line = if seen.insert(name) {
            match dialect {
                Dialect::Dotenv => dotenv_line(name, value),
                Dialect::Shell => shell_line(name, value).map(|line| (line, true)),
                Dialect::Json => Ok((Zeroizing::default(), true)),
            }
        } else {
            Err(Refusal::Twice)
        };
        match line {
            Ok((line, sourceable)) => {
                text.push_str(&line);
                if !sourceable {
                    not_for_shells.push(name.clone());
                }
            }
            Err(refusal) => refused.push(format!("{name} {refusal}")),
        }
    }
    if !refused.is_empty() {
        return Err(refuse(dialect, &refused));
    }
    if dialect == Dialect::Json {
        text = json(variables)?;
    }
    Ok(Written { text, not_for_shells })
}

fn refuse(dialect: Dialect, refused: &[String]) -> Failure {
    let failure = Failure::usage(format!("cannot be exported: {}", refused.join("; "))).code("NOT_REPRESENTABLE");
    match dialect {
        Dialect::Dotenv => failure.hint(
            "json and shell carry any text; leave single secrets out with --only, or start the \
             program with keyvawlt run instead of a file",
        ),
        Dialect::Shell | Dialect::Json => failure,
    }
}

fn json(variables: &[(String, &str)]) -> Outcome<Zeroizing<String>> {
    let object: std::collections::BTreeMap<&str, &str> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut text = serde_json::to_string_pretty(&object).map_err(|error| Failure::local(format!("cannot write JSON: {error}")))?;
    text.push('\n');
    Ok(Zeroizing::new(text))
}

/// Shell variables that ignore what is assigned to them, or refuse it, in bash or dash.
const SHELL_RESERVED: &[&str] = &[
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_ARGV0",
    "BASH_CMDS",
    "BASH_COMMAND",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "OPTIND",
    "PIPESTATUS",
    "PPID",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
    "_",
];

fn shell_line(name: &str, value: &str) -> Result<Zeroizing<String>, Refusal> {
    check(name, value)?;
    if SHELL_RESERVED.contains(&name) {
        return Err(Refusal::Reserved);
    }
    let quoted = Zeroizing::new(value.replace('\'', r"'\''"));
    Ok(Zeroizing::new(format!("export {name}='{}'\n", quoted.as_str())))
}

fn check(name: &str, value: &str) -> Result<(), Refusal> {
    if !names::is_variable(name) {
        Err(Refusal::Name)
    } else if value.contains('\0') {
        Err(Refusal::Nul)
    } else {
        Ok(())
    }
}

/// The line, and whether a shell that sources it would at worst read another text: a value in
/// double quotes or none may hold `$(…)`, which a shell would run.
fn dotenv_line(name: &str, value: &str) -> Result<(Zeroizing<String>, bool), Refusal> {
    check(name, value)?;
    if name == "__proto__" {
        return Err(Refusal::Reserved);
    }
    if is_interpolated(value) {
        return Err(Refusal::Interpolated);
    }
    let breaks = value.contains(['\n', '\r']);
    let line = |quote: &str, text: &str| Zeroizing::new(format!("{name}={quote}{text}{quote}\n"));
    if !breaks && fits_single(value) {
        Ok((line("'", value), true))
    } else if fits_double(value) {
        let escaped = Zeroizing::new(value.replace('\n', "\\n").replace('\r', "\\r"));
        Ok((line("\"", &escaped), !value.contains(['$', '`', '!'])))
    } else if fits_single(value) && !value.contains('\r') {
        Ok((line("'", value), true))
    } else if fits_bare(value) {
        Ok((line("", value), false))
    } else {
        Err(Refusal::NoCommonForm)
    }
}

/// Single quotes: python-dotenv undoes `\\` and `\'`, Node's dotenv neither; a backslash at the end
/// would swallow the quote.
fn fits_single(value: &str) -> bool {
    !value.contains('\'') && !value.contains(r"\\") && !value.ends_with('\\')
}

/// Double quotes: only `\n` and `\r` mean the same everywhere, so any other backslash must stand
/// before a character for which no reader has an escape.
fn fits_double(value: &str) -> bool {
    const ESCAPED_BY_SOME: &str = "\\'\"$`\n\rabfnrtv";
    let after_backslashes = value.match_indices('\\').map(|(at, _)| value[at + 1..].chars().next());
    !value.contains('"') && after_backslashes.into_iter().all(|next| next.is_some_and(|next| !ESCAPED_BY_SOME.contains(next)))
}

/// No quotes: backslashes and inner quotes stand for themselves, but `#` begins a comment for some
/// and the ends are trimmed, by each reader's own idea of a space.
fn fits_bare(value: &str) -> bool {
    let odd = |character: char| {
        character == '#' || character == '\u{feff}' || character.is_control() || (character.is_whitespace() && character != ' ')
    };
    !value.starts_with(['\'', '"', '`', ' ']) && !value.ends_with(' ') && !value.contains(odd)
}

/// Whether python-dotenv sees `${name}` or `${name:-default}` somewhere. `${vault:…}` is not one.
fn is_interpolated(value: &str) -> bool {
    value.match_indices("${").any(|(at, opening)| {
        let rest = &value[at + opening.len()..];
        match rest.find(['}', ':']) {
            None => false,
            Some(end) if rest[end..].starts_with('}') => true,
            Some(end) => rest[end..].starts_with(":-") && rest[end..].contains('}'),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envfile;

    fn dotenv(value: &str) -> Result<String, Refusal> {
        dotenv_line("A", value).map(|(line, _)| line.trim_end_matches('\n').to_owned())
    }

    #[test]
    fn each_value_takes_the_first_form_all_readers_share() {
        let cases = [
            ("", "A=''"),
            ("sk_live_x", "A='sk_live_x'"),
            (" b # c ", "A=' b # c '"),
            ("pa$$word", "A='pa$$word'"),
            (r#"{"a":"b"}"#, r#"A='{"a":"b"}'"#),
            (r"C:\new", r"A='C:\new'"),
            ("it's", r#"A="it's""#),
            ("one\ntwo\n", r#"A="one\ntwo\n""#),
            ("one\r\ntwo", r#"A="one\r\ntwo""#),
            ("{\n\"a\":1}", "A='{\n\"a\":1}'"),
            (r"C:\dir\", r"A=C:\dir\"),
            (r#"it's "quoted""#, r#"A=it's "quoted""#),
            (r"\\host\it's", r"A=\\host\it's"),
            ("${vault:x/y}", "A='${vault:x/y}'"),
        ];
        for (value, line) in cases {
            assert_eq!(dotenv(value).as_deref(), Ok(line), "{value:?}");
        }
    }

    #[test]
    fn what_no_common_form_carries_is_refused() {
        let cases = [
            ("${HOME}", Refusal::Interpolated),
            ("a${b:-c}", Refusal::Interpolated),
            ("${a\nb}", Refusal::Interpolated),
            ("${vault:${B}}", Refusal::Interpolated),
            ("a\0", Refusal::Nul),
            ("it's \"a\" # b", Refusal::NoCommonForm),
            ("it's\n\"a\"", Refusal::NoCommonForm),
            (" \\\\ ", Refusal::NoCommonForm),
            ("\"it's\"", Refusal::NoCommonForm),
        ];
        for (value, refusal) in cases {
            assert_eq!(dotenv(value), Err(refusal), "{value:?}");
        }
        for value in ["${", "${a", "${a:b}", "$${", "${a:-b", "$(x)"] {
            assert!(!is_interpolated(value), "{value}");
        }
    }

    #[test]
    fn refusals_name_the_variables_and_never_the_values() {
        let variables =
            [("GOOD".to_owned(), "x"), ("BAD-NAME".to_owned(), "x"), ("BAD".to_owned(), "canary \"' # "), ("GOOD".to_owned(), "y")];
        let failure = write(Dialect::Dotenv, &variables).err().unwrap().to_string();
        assert!(failure.contains("BAD-NAME is no variable's name"), "{failure}");
        assert!(failure.contains("BAD mixes quotes"), "{failure}");
        assert!(failure.contains("GOOD occurs twice"), "{failure}");
        assert!(!failure.contains("canary"), "{failure}");
    }

    #[test]
    fn values_a_sourcing_shell_could_run_are_told() {
        let variables = [("A".to_owned(), "$(id)"), ("B".to_owned(), "it's $(id)"), ("C".to_owned(), "it's"), ("D".to_owned(), "\\;id")];
        let written = write(Dialect::Dotenv, &variables).unwrap();
        assert_eq!(written.not_for_shells, ["B"]);
        let written = write(Dialect::Dotenv, &[("E".to_owned(), "id;id\\")]).unwrap();
        assert_eq!(written.not_for_shells, ["E"]);
    }

    #[test]
    fn shell_lines_quote_everything() {
        let variables = [("A".to_owned(), "it's $(id)\n`x` \\"), ("B".to_owned(), "")];
        let written = write(Dialect::Shell, &variables).unwrap();
        assert_eq!(written.text.as_str(), "export A='it'\\''s $(id)\n`x` \\'\nexport B=''\n");
        assert!(write(Dialect::Shell, &[("UID".to_owned(), "0")]).is_err());
        assert!(write(Dialect::Shell, &[("A;id".to_owned(), "0")]).is_err());
    }

    #[test]
    fn json_takes_any_name_and_text() {
        let variables = [("b/c".to_owned(), "\0\n\"'"), ("a".to_owned(), "ü")];
        let written = write(Dialect::Json, &variables).unwrap();
        let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&written.text).unwrap();
        assert_eq!(read["b/c"], "\0\n\"'");
        assert_eq!(read["a"], "ü");
    }

    proptest! {
        #[test]
        fn our_own_reader_reads_what_was_written(
            values in proptest::collection::vec("(\\PC|[\n\r\t '\"`\\\\#$!{}nrt]){0,10}", 1..6)
        ) {
            let variables: Vec<_> = values
                .iter()
                .enumerate()
                .filter(|(_, value)| dotenv(value).is_ok())
                .map(|(index, value)| (format!("V{index}"), value.as_str()))
                .collect();
            let written = write(Dialect::Dotenv, &variables).unwrap();
            let file = envfile::parse(written.text.as_bytes()).unwrap();
            let read: Vec<_> = file
                .entries
                .iter()
                .map(|entry| (entry.name.clone(), entry.value.as_str()))
                .collect();
            prop_assert_eq!(read, variables);
        }
    }
}
