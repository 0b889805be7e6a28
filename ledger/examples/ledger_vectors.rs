//! Writes `tests/vectors/{links,manifest,state,merkle}.json`: the same bytes each time, from names alone.

#[path = "../tests/it/people.rs"]
#[expect(dead_code, reason = "the tests' people; not all are needed here")]
mod people;
#[path = "../tests/it/story.rs"]
mod story;
#[path = "../tests/it/vectors.rs"]
mod vectors;
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests' world; not all of it is needed here")]
mod world;
#[path = "../tests/it/writing.rs"]
#[expect(dead_code, reason = "the tests' writing; not all of it is needed here")]
mod writing;

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    for (name, content) in vectors::files() {
        std::fs::write(folder.join(name), content)?;
    }
    Ok(())
}
