//! The crate from outside: properties of everything that seals, the published vectors, our own, and their check in another language.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod codes;
mod fuzz;
mod hex_json;
mod opening;
mod primitives;
mod python;
mod sealing;
mod text;
mod vectors;
