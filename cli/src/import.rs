//! What an import would do, before it does anything.
//!
//! Invariant: all names are checked and all conflicts known before the first write; messages name
//! secrets, never values. A value that is itself a reference is left out: it belongs in the env
//! file, and importing it would store the reference's text as a secret.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::args::delivery::{Conflict, ImportFormat};
use crate::envfile;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt::MAX_VALUE_BYTES;
use crate::reference::{SecretName, Template};

/// One value from the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The secret it goes to.
    pub name: SecretName,
    /// The value.
    pub value: Zeroizing<String>,
}

/// What the file holds, and what a person should know about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The values, each name once.
    pub incoming: Vec<Incoming>,
    /// Lines that other readers may read differently, and references left out.
    pub warnings: Vec<String>,
}

/// What happens to one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It is new.
    Create,
    /// It gets a new version.
    Overwrite,
    /// It has this value already.
    Unchanged,
    /// It has another value, and keeps it.
    Skip,
}

impl Step {
    /// The step in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Overwrite => "overwrite",
            Self::Unchanged => "unchanged",
            Self::Skip => "skip",
        }
    }
}

/// The format a file has by its name; an env file unless it ends in `.json`.
pub fn format_of(path: &Path) -> ImportFormat {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => ImportFormat::Json,
        _ => ImportFormat::Dotenv,
    }
}

/// Reads the file; `prefix` comes before every name.
pub fn read(format: ImportFormat, bytes: &[u8], prefix: &str) -> Outcome<Contents> {
    let mut contents = Contents::default();
    let pairs = match format {
        ImportFormat::Json => read_json(bytes)?,
        ImportFormat::Dotenv => {
            let file = envfile::parse(bytes).map_err(|malformed| Failure::usage(malformed.to_string()))?;
            contents.warnings = file.warnings;
            file.entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
        }
    };
    let mut refused = Vec::new();
    for (name, value) in pairs {
        let is_reference = Template::parse(&value).is_ok_and(|template| !template.is_literal());
        match SecretName::parse(&format!("{prefix}{name}")) {
            Err(malformed) => refused.push(format!("{prefix}{name}: {malformed}")),
            Ok(name) if value.len() > MAX_VALUE_BYTES => {
                refused.push(format!("{name}: longer than {MAX_VALUE_BYTES} bytes"));
            }
            Ok(name) if is_reference && format == ImportFormat::Dotenv => {
                contents.warnings.push(format!("{name}: left out, it is a reference"));
            }
            Ok(name) => contents.incoming.push(Incoming { name, value }),
        }
    }
    if refused.is_empty() { Ok(contents) } else { Err(Failure::usage(format!("nothing was imported: {}", refused.join("; ")))) }
}

/// Decides what happens to each value, in order. `current` tells the value a name has now.
pub fn plan<'a>(incoming: &[Incoming], on_conflict: Conflict, current: impl Fn(&SecretName) -> Option<&'a [u8]>) -> Outcome<Vec<Step>> {
    let mut conflicts = Vec::new();
    let steps = incoming
        .iter()
        .map(|Incoming { name, value }| match current(name) {
            None => Step::Create,
            Some(now) if now == value.as_bytes() => Step::Unchanged,
            Some(_) => {
                conflicts.push(name.as_str());
                if on_conflict == Conflict::Overwrite { Step::Overwrite } else { Step::Skip }
            }
        })
        .collect();
    if on_conflict == Conflict::Fail && !conflicts.is_empty() {
        return Err(Failure::new(
            Exit::Conflict,
            format!("nothing was imported, since these have another value: {}", conflicts.join(", ")),
        )
        .hint("choose with --on-conflict skip or --on-conflict overwrite")
        .retry(false, None));
    }
    Ok(steps)
}

fn read_json(bytes: &[u8]) -> Outcome<Vec<(String, Zeroizing<String>)>> {
    // The parser's own message may repeat a value, so only the place is told.
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_slice(bytes)
        .map_err(|error| Failure::usage(format!("line {}, column {}: not one JSON object of strings", error.line(), error.column())))?;
    let mut pairs = Vec::with_capacity(object.len());
    let mut refused = Vec::new();
    for (name, value) in object {
        match value {
            serde_json::Value::String(text) => pairs.push((name, Zeroizing::new(text))),
            _ => refused.push(name),
        }
    }
    if refused.is_empty() {
        Ok(pairs)
    } else {
        Err(Failure::usage(format!("nothing was imported: these values are no strings: {}", refused.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(contents: &Contents) -> Vec<&str> {
        contents.incoming.iter().map(|incoming| incoming.name.as_str()).collect()
    }

    #[test]
    fn env_files_and_json_become_names_under_the_prefix() {
        let contents = read(ImportFormat::Dotenv, b"A=1\nB='2'\nA=3", "x/").unwrap();
        assert_eq!(names(&contents), ["x/B", "x/A"]);
        assert_eq!(contents.incoming[1].value.as_str(), "3");
        assert_eq!(contents.warnings.len(), 1);
        let contents = read(ImportFormat::Json, br#"{"a/b":"1","c":"${vault:x}"}"#, "").unwrap();
        assert_eq!(names(&contents), ["a/b", "c"]);
        assert_eq!(format_of(Path::new("x.JSON")), ImportFormat::Json);
        assert_eq!(format_of(Path::new(".env.production")), ImportFormat::Dotenv);
    }

    #[test]
    fn references_in_env_files_stay_in_the_file() {
        let contents = read(ImportFormat::Dotenv, b"A=${vault:x}\nB=$${vault:x}", "").unwrap();
        assert_eq!(names(&contents), ["B"]);
        assert_eq!(contents.warnings, ["A: left out, it is a reference"]);
    }

    #[test]
    fn what_is_refused_is_named_together_and_shows_no_value() {
        let long = format!("A={}\nB=1", "canary".repeat(11_000));
        let json = br#"{"-a":"canary","b c":"canary"}"#;
        let cases = [
            (read(ImportFormat::Dotenv, long.as_bytes(), ""), "A: longer than 65536"),
            (read(ImportFormat::Json, json, ""), "-a: a name is made"),
            (read(ImportFormat::Json, br#"{"a":1,"b":"canary","c":[]}"#, ""), "no strings: a, c"),
            (read(ImportFormat::Json, b"\"canary\"", ""), "line 1, column 8: not one JSON object"),
            (read(ImportFormat::Json, b"{\n\"canary", ""), "line 2"),
            (read(ImportFormat::Dotenv, b"A=1", "/"), "/A: a name is made"),
        ];
        for (result, expected) in cases {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn conflicts_are_decided_before_anything_is_written() {
        let contents = read(ImportFormat::Dotenv, b"NEW=1\nSAME=1\nOTHER=1", "").unwrap();
        let current = |name: &SecretName| match name.as_str() {
            "SAME" => Some(&b"1"[..]),
            "OTHER" => Some(&b"2"[..]),
            _ => None,
        };
        let steps = |on_conflict| plan(&contents.incoming, on_conflict, current);
        assert_eq!(steps(Conflict::Skip).unwrap(), [Step::Create, Step::Unchanged, Step::Skip]);
        assert_eq!(steps(Conflict::Overwrite).unwrap(), [Step::Create, Step::Unchanged, Step::Overwrite]);
        let failure = steps(Conflict::Fail).unwrap_err();
        assert_eq!(failure.exit(), Exit::Conflict);
        assert!(failure.to_string().contains("another value: OTHER"), "{failure}");
    }
}
