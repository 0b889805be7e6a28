//! The committed vectors are what the program makes: formats cannot drift unnoticed.

use crate::hex_json;

#[path = "../../examples/crypto_vectors/cases/mod.rs"]
mod cases;

#[test]
fn the_committed_files_are_what_the_program_makes() {
    for file in cases::all() {
        let made: serde_json::Value = serde_json::from_str(&file.text()).unwrap();
        let committed = hex_json::read(file.name);
        assert!(
            made == committed,
            "tests/vectors/{} differs: a format changed. If that is meant, run `cargo run -p keyvawlt-crypto --example crypto_vectors`",
            file.name
        );
    }
}
