//! Replacing references by what they mean.
//!
//! A reference inside a JSON string is escaped for JSON, so that a value with a quote in it cannot
//! change the document around it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::{Malformed, Part, Reference, SecretName, Template, Version};

/// Why a reference has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not there, or not to be seen: the two answer alike.
    #[error("no such secret, or no access to it")]
    Absent,
    /// Known to be there, but this identity may not read it.
    #[error("not allowed")]
    Forbidden,
    /// The secret has no such version.
    #[error("no such version")]
    NoSuchVersion,
    /// The secret is new, or came back from a deletion.
    #[error("there is no previous version")]
    NoPrevious,
    /// The previous version was replaced too long ago.
    #[error("the grace of the previous version ended {0}")]
    GraceOver(String),
    /// The value is no text.
    #[error("the value is not UTF-8 text")]
    NotText,
    /// An environment variable cannot hold it.
    #[error("the value contains a NUL byte, which no environment variable can hold")]
    Nul,
    /// `#field` on something else than a JSON object.
    #[error("the value is not a JSON object, so it has no fields")]
    NotAnObject,
    /// The object has no such member.
    #[error("the JSON object has no such field")]
    NoSuchField,
    /// The member is neither a string, a whole number nor a truth value.
    #[error("the field is neither a string, a whole number, true nor false")]
    FieldNotScalar,
    /// The text is no reference.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Something the vault reports in its own words, which name no value.
    #[error("{0}")]
    Other(String),
}

/// Everything that could not be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unresolved {
    /// The variable, the reference if it could be read, and the reason.
    pub failures: Vec<(String, Option<Reference>, Why)>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (variable, reference, why)) in self.failures.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match reference {
                Some(reference) => write!(f, "{variable} ({reference}): {why}")?,
                None => write!(f, "{variable}: {why}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unresolved {}

/// Resolves every template, asking `lookup` once per secret and version. All failures come back
/// together.
pub fn resolve<L>(templates: &[(String, Template)], lookup: L) -> Result<Vec<(String, Zeroizing<String>)>, Unresolved>
where
    L: FnMut(&SecretName, Version) -> Result<Zeroizing<String>, Why>,
{
    let mut vault = Vault { lookup, seen: BTreeMap::new() };
    let mut resolved = Vec::with_capacity(templates.len());
    let mut unresolved = Unresolved::default();
    for (variable, template) in templates {
        let values: Vec<_> = template.references().map(|reference| (reference, vault.read(reference))).collect();
        let mut good = Vec::with_capacity(values.len());
        for (reference, value) in values {
            match value {
                Ok(value) => good.push(value),
                Err(why) => unresolved.failures.push((variable.clone(), Some(reference.clone()), why)),
            }
        }
        if unresolved.failures.is_empty() {
            resolved.push((variable.clone(), fill(template, &good)));
        }
    }
    if unresolved.failures.is_empty() { Ok(resolved) } else { Err(unresolved) }
}

/// A value, or why there is none.
pub type Answer = Result<Zeroizing<String>, Why>;

struct Vault<L> {
    lookup: L,
    seen: BTreeMap<(SecretName, Version), Answer>,
}

impl<L: FnMut(&SecretName, Version) -> Answer> Vault<L> {
    fn read(&mut self, reference: &Reference) -> Answer {
        let version = reference.version.unwrap_or(Version::Current);
        let answer = self.seen.entry((reference.name.clone(), version)).or_insert_with(|| (self.lookup)(&reference.name, version));
        let value = answer.as_ref().map_err(Clone::clone)?;
        let value = match &reference.field {
            Some(field) => select(value, field)?,
            None => value.clone(),
        };
        if value.contains('\0') { Err(Why::Nul) } else { Ok(value) }
    }
}

/// A member of a value that is a JSON object.
pub fn select(value: &str, field: &str) -> Answer {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(value).map_err(|_| Why::NotAnObject)?;
    match object.get(field) {
        None => Err(Why::NoSuchField),
        Some(serde_json::Value::String(text)) => Ok(Zeroizing::new(text.clone())),
        Some(serde_json::Value::Bool(truth)) => Ok(Zeroizing::new(truth.to_string())),
        Some(serde_json::Value::Number(number)) if !number.is_f64() => Ok(Zeroizing::new(number.to_string())),
        Some(_) => Err(Why::FieldNotScalar),
    }
}

fn fill(template: &Template, values: &[Zeroizing<String>]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    let json = is_json(template);
    let mut inside = false;
    let mut values = values.iter();
    for part in template.parts() {
        match part {
            Part::Literal(literal) => {
                inside ^= json && toggles_string(literal, inside);
                text.push_str(literal);
            }
            Part::Reference(_) => {
                let value = values.next().map_or("", |value| value.as_str());
                if inside { push_escaped(&mut text, value) } else { text.push_str(value) }
            }
        }
    }
    text
}

/// Whether the value is JSON when every reference is replaced by `0`, which fits both inside a
/// string and outside.
fn is_json(template: &Template) -> bool {
    if template.is_literal() || template.parts().len() == 1 {
        return false;
    }
    let dummy: String = template
        .parts()
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => literal.as_str(),
            Part::Reference(_) => "0",
        })
        .collect();
    serde_json::from_str::<serde::de::IgnoredAny>(&dummy).is_ok()
}

/// Whether this stretch of JSON ends on the other side of a string's quotes than it began.
fn toggles_string(literal: &str, inside: bool) -> bool {
    let mut now = inside;
    let mut escaped = false;
    for byte in literal.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if now => escaped = true,
            b'"' => now = !now,
            _ => {}
        }
    }
    now != inside
}

fn push_escaped(text: &mut Zeroizing<String>, value: &str) {
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
}
