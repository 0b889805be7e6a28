//! The cases of every format: valid ones, and invalid ones that differ from a valid one by a single mutation.
//!
//! Each case says all that is needed to open it. The error of an invalid case is what this crate answers, not what we think it answers.

mod account;
mod aead;
mod codes;
mod encoding;
mod health;
mod identity;
mod namespace;
mod padding;
mod recovery;
mod secret;
pub mod seeded;
mod signature;
mod wrap;

use keyvawlt_ledger::Fault;
use serde_json::{Map, Value, json};

/// One file of cases.
pub struct File {
    /// Its name below `tests/vectors`.
    pub name: &'static str,
    about: &'static str,
    valid: Vec<Value>,
    invalid: Vec<Value>,
}

impl File {
    /// What is written.
    pub fn text(&self) -> String {
        let whole = json!({ "about": self.about, "valid": self.valid, "invalid": self.invalid });
        let mut text = serde_json::to_string_pretty(&whole).expect("JSON of strings and numbers");
        text.push('\n');
        text
    }
}

/// Every file.
pub fn all() -> Vec<File> {
    vec![
        encoding::cbor(),
        encoding::hashes(),
        signature::file(),
        aead::file(),
        padding::file(),
        identity::file(),
        namespace::file(),
        wrap::file(),
        secret::file(),
        account::file(),
        codes::file(),
        recovery::file(),
        health::file(),
    ]
}

/// A case under construction.
#[derive(Clone)]
pub struct Case(Map<String, Value>);

impl Case {
    /// A valid case.
    pub fn new(name: &str) -> Self {
        Self(Map::new()).with("name", name)
    }

    /// Adds or replaces a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// Adds or replaces a field of bytes, in hexadecimal.
    #[must_use]
    pub fn bytes(self, field: &str, value: impl AsRef<[u8]>) -> Self {
        self.with(field, hex::encode(value))
    }

    /// The case itself.
    pub fn valid(self) -> Value {
        Value::Object(self.0)
    }

    /// The case as one that must fail, with the code it failed with.
    pub fn refused<T>(self, name: &str, result: Result<T, Fault>) -> Value {
        let Err(fault) = result else { panic!("{name}: accepted") };
        self.with("name", name).with("error", fault.code.as_str()).valid()
    }
}

/// The bytes with one bit changed.
pub fn flipped(bytes: impl AsRef<[u8]>, at: usize) -> Vec<u8> {
    let mut bytes = bytes.as_ref().to_vec();
    bytes[at] ^= 1;
    bytes
}
