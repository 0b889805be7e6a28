//! Reading the vectors' files: JSON whose bytes are hexadecimal.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// `tests/vectors` of the repository.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// A file below it.
pub fn read(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of a file below `primitives/`.
pub fn primitives(name: &str) -> Vec<Value> {
    read(&format!("primitives/{name}.json"))["cases"].as_array().expect("cases").clone()
}

/// A field of text.
pub fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {}", case["name"]))
}

/// A field of bytes.
pub fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(case, field)).unwrap_or_else(|error| panic!("{field} of {}: {error}", case["name"]))
}

/// A field of bytes of a known length.
pub fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap_or_else(|_| panic!("the length of {field} of {}", case["name"]))
}

/// A field of a number.
pub fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} of {}", case["name"]))
}
