//! docs/errors.md is what `keyvawlt explain` says, and no code that is shown or sent lacks its texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyvawlt_cli::explain;
use keyvawlt_cli::explain::Explanation;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn names(explanations: &[Explanation]) -> BTreeSet<String> {
    explanations.iter().map(|known| known.code.to_owned()).collect()
}

#[test]
fn the_page_is_what_the_program_says() {
    let page = explain::manual();
    if fs::read_to_string(project("docs/errors.md")).unwrap_or_default() != page {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors.md");
        fs::write(&path, page).unwrap();
        panic!("the explanations have changed: cp {} docs/errors.md", path.display());
    }
}

#[test]
fn every_reason_of_the_contract_is_explained() {
    let contract = fs::read_to_string(project("proto/keyvawlt/v1/error_reason.proto")).unwrap();
    let reasons = contract.lines().filter_map(|line| line.trim().strip_prefix("ERROR_REASON_")?.split_once(" = "));
    let reasons: BTreeSet<String> = reasons.map(|(name, _)| name.to_owned()).filter(|name| name != "UNSPECIFIED").collect();
    assert!(reasons.contains("REFUSED"), "the contract is read");
    assert_eq!(names(&explain::of_server()), reasons);
}

#[test]
fn every_word_of_a_failure_is_explained() {
    let mut shown = BTreeSet::new();
    for source in super::manual::sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&source).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        shown.extend(program.split(".code(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    assert!(shown.contains("STORAGE"), "the sources are read");
    let known = names(&explain::of_exits());
    assert_eq!(shown.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "words without an explanation");
}
