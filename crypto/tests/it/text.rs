//! docs/protocol.md says what the code does: the labels, the numbers, the published vector.

use keyvawlt_crypto::{Key, aead};
use keyvawlt_ledger::hash;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every number of a hash.
const HASHES: [u16; 13] = [
    hash::ORG_ID,
    hash::LINK,
    hash::MANIFEST,
    hash::KEY_ID,
    hash::INVITE_KEY,
    hash::LINK_KEY,
    hash::STATE_ENTRY,
    hash::NK_COMMIT,
    hash::WRAP,
    hash::PAYLOAD,
    hash::FACTS,
    hash::DEK,
    hash::NAME,
];

#[test]
fn every_label_of_the_code_is_in_the_text_and_no_other() {
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(repository("crypto/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            used.extend(labels(&std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(used.len() > 15, "{used:?}");
    assert_eq!(used, labels(&protocol()));
}

#[test]
fn every_hash_number_is_in_the_text() {
    let text = protocol();
    for number in HASHES {
        assert!(text.contains(&format!("| 0x{number:04x} |")), "{number:04x}");
    }
}

#[test]
fn the_published_vector_is_in_the_text() {
    let sealed = hex::encode(aead::seal_with_salt(&Key::from_bytes([3; 32]), b"ctx", b"sk_live_x", &[5; 32]));
    let text = protocol();
    for line in sealed.as_bytes().chunks(64) {
        assert!(text.contains(std::str::from_utf8(line).unwrap()));
    }
}

/// Everything of the form `"kv1/…"`, quotes stripped.
fn labels(text: &str) -> BTreeSet<String> {
    text.split('"').filter(|part| part.starts_with("kv1/")).map(|part| part.split_whitespace().collect()).collect()
}

fn protocol() -> String {
    std::fs::read_to_string(repository("docs/protocol.md")).unwrap()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
