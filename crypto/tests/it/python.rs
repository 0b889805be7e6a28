//! The vectors opened by another language with other libraries.

use std::path::Path;
use std::process::Command;

#[test]
fn python_agrees_with_every_vector() {
    #[expect(clippy::disallowed_methods, reason = "tests/run names the Python that has `cryptography` this way")]
    let python = std::env::var_os("KEYVAWLT_TEST_PYTHON");
    let Some(python) = python else {
        println!("skipped: KEYVAWLT_TEST_PYTHON names no Python with `cryptography` 47 or newer (tests/run sets it)");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/open_vectors.py");
    let ran = Command::new(python).arg(script).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
}
