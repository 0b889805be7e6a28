//! References to secrets inside values: `${vault:path[#field][@version]}`.
//!
//! Invariants: parsing and printing are inverse; resolving is one pass (what a secret contains is
//! never parsed again) and reports every failure at once, by name, never by value.
//! Absent: defaults (a silent fallback hides an outage) and the environment, which is no part of a
//! reference: it comes from the profile.

use std::fmt;

pub use address::Address;
pub use resolve::{Answer, Unresolved, Why, resolve, select};

mod address;
mod resolve;

/// What opens a reference.
pub const OPEN: &str = "${vault:";
/// What stands for a literal `${vault:`.
pub const ESCAPED_OPEN: &str = "$${vault:";
/// The longest name of a secret, in bytes: the protocol's limit.
pub const MAX_NAME_BYTES: usize = 256;

/// The full name of a secret, such as `supabase/access_token`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// Checks the path grammar: segments of letters, digits, `_`, `.` and `-`, joined by `/`, each
    /// beginning with a letter, a digit or `_`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_NAME_BYTES {
            return Err(Malformed::TooLong);
        }
        if text.split('/').all(is_segment) { Ok(Self(text.to_owned())) } else { Err(Malformed::Path) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for SecretName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

/// Which version of a secret a reference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The newest, said explicitly.
    Current,
    /// The one before the newest, within its grace.
    Previous,
    /// Exactly this one; versions count from 1.
    Number(u64),
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The secret.
    pub name: SecretName,
    /// A member of the secret's value, which is then a JSON object.
    pub field: Option<String>,
    /// The version; the newest when absent.
    pub version: Option<Version>,
}

impl Reference {
    /// Parses what stands between `${vault:` and `}`.
    pub fn parse(body: &str) -> Result<Self, Malformed> {
        if body.contains(":-") || body.contains(":=") || body.contains(":?") {
            return Err(Malformed::Default);
        }
        if body.contains('|') {
            return Err(Malformed::Filter);
        }
        let (rest, version) = match body.split_once('@') {
            Some((rest, version)) => (rest, Some(parse_version(version)?)),
            None => (body, None),
        };
        let (path, field) = match rest.split_once('#') {
            Some((path, field)) if is_segment(field) => (path, Some(field.to_owned())),
            Some(_) => return Err(Malformed::Field),
            None => (rest, None),
        };
        Ok(Self { name: SecretName::parse(path)?, field, version })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        if let Some(field) = &self.field {
            write!(f, "#{field}")?;
        }
        match self.version {
            None => Ok(()),
            Some(Version::Current) => f.write_str("@current"),
            Some(Version::Previous) => f.write_str("@previous"),
            Some(Version::Number(number)) => write!(f, "@{number}"),
        }
    }
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// A reference to be replaced.
    Reference(Reference),
}

/// A value with any number of references in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Splits a value into literals and references.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let after = &rest[at + OPEN.len()..];
            if rest[..at].ends_with('$') {
                literal.push_str(&rest[..at - 1]);
                literal.push_str(OPEN);
                rest = after;
                continue;
            }
            literal.push_str(&rest[..at]);
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            let (body, tail) = after.split_once('}').ok_or(Malformed::Unclosed)?;
            parts.push(Part::Reference(Reference::parse(body)?));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }

    /// Whether nothing needs resolving.
    pub fn is_literal(&self) -> bool {
        self.references().next().is_none()
    }

    /// The pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(&text.replace(OPEN, ESCAPED_OPEN))?,
                Part::Reference(reference) => write!(f, "{OPEN}{reference}}}")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no reference. Says nothing of the text, which may hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No `}`.
    #[error("the reference has no closing brace")]
    Unclosed,
    /// Not the path grammar.
    #[error(
        "a name is made of segments joined by '/', each of letters, digits, '_', '.' and '-' and \
         not beginning with '.' or '-'"
    )]
    Path,
    /// Longer than the limit.
    #[error("a name has at most 256 bytes")]
    TooLong,
    /// Not a field name.
    #[error("a field after '#' is made of letters, digits, '_', '.' and '-'")]
    Field,
    /// Not a version.
    #[error("a version is a number from 1 on, 'current' or 'previous'")]
    Version,
    /// Not a full address.
    #[error("an address is keyvawlt://project/environment/NAME, with ?version=N, current or previous at its end where one is meant")]
    Address,
    /// `:-` and its relatives.
    #[error("a reference has no default: a silent fallback would hide an outage")]
    Default,
    /// `|`.
    #[error("a reference has no filters")]
    Filter,
}

fn is_segment(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn parse_version(text: &str) -> Result<Version, Malformed> {
    match text {
        "current" => Ok(Version::Current),
        "previous" => Ok(Version::Previous),
        // One way to write each number, so that printing gives back what was parsed.
        _ if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) => Err(Malformed::Version),
        _ => text.parse().map(Version::Number).map_err(|_| Malformed::Version),
    }
}

#[cfg(test)]
mod tests;
