//! Searches every short history as far as ten minutes go, and writes `docs/exploration.md`. With a number of steps and a file
//! (`-- 1 /tmp/page.md`) it searches that far, and writes there.
//!
//! `cargo run --release -p keyvawlt-ledger --example explore`

#[path = "../../tests/it/explore/mod.rs"]
#[expect(dead_code, reason = "the tests plant faults besides")]
mod explore;
mod page;
#[path = "../../tests/it/people.rs"]
#[expect(dead_code, reason = "the tests' people; not all are needed here")]
mod people;
#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests' world; not all of it is needed here")]
mod world;

use explore::{Rules, forks, search};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Of the search over the rules: who waits for it longer should search less.
const PATIENCE: Duration = Duration::from_mins(10);
/// Further than the time is enough for.
const FAR: usize = 5;
/// After so many steps two clients have been shown everything there is.
const ALL_SHOWN: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments.next().map(|text| text.parse()).transpose()?;
    let file = match (steps, arguments.next()) {
        (None, _) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exploration.md"),
        (Some(_), Some(file)) => PathBuf::from(file),
        (Some(_), None) => return Err("a search of fewer steps needs a file of its own".into()),
    };
    let begun = Instant::now();
    let found = search(Rules::Real, steps.unwrap_or(FAR), PATIENCE);
    let forks = forks::search(forks::Client::Real, steps.unwrap_or(ALL_SHOWN));
    if let Some(why) = found.broken.as_ref().or(forks.broken.as_ref()) {
        return Err(format!("a property broke: {why}").into());
    }
    std::fs::write(file, page::written(&found, &forks, begun.elapsed()))?;
    Ok(())
}
