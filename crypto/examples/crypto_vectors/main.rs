//! Writes `tests/vectors/*.json`: `cargo run -p keyvawlt-crypto --example crypto_vectors`. The same every time; a test compares.

mod cases;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    std::fs::create_dir_all(&folder)?;
    for file in cases::all() {
        std::fs::write(folder.join(file.name), file.text())?;
    }
    Ok(())
}
