//! What does not exist: names in the contract, and crates in the lock file. Each check is shown to find what is planted.

use prost::Message as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// No rpc, message or field of the contract has one of these words in its name.
pub fn names_none_of(words: &[&str]) {
    names_only(words, &[]);
}

/// Of the rpcs, messages and fields of the contract, just these have one of the words in their names.
pub fn names_only(words: &[&str], known: &[&str]) {
    let contract = contract();
    assert!(contract.contains("ReadAccountResponse.sealed_account_key"), "the contract is read");
    assert_eq!(found(words, &contract), known, "the contract has names with {words:?}");
    for word in words {
        let planted = BTreeSet::from([format!("LogInResponse.{word}_x")]);
        assert_eq!(found(words, &planted).len(), 1, "{word} is found where it is planted");
    }
}

/// Of the clients' sources, just these files have one of the words in them.
pub fn clients_say_only_in(words: &[&str], known: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> =
        ["sdk/rust/src", "cli/src", "catalogue/src", "ledger/src", "crypto/src", "proto/src"].map(|room| root.join(room)).into();
    let mut saying = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                if words.iter().any(|word| text.contains(word)) {
                    saying.insert(path.strip_prefix(root).expect("a source of the project").to_string_lossy().into_owned());
                }
            }
        }
    }
    assert_eq!(saying.iter().map(String::as_str).collect::<Vec<_>>(), known, "the clients' sources with {words:?}");
}

/// None of these crates is locked, on any platform.
pub fn locks_none_of(crates: &[&str]) {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a lock file");
    let locked = |lock: &str| -> Vec<String> {
        let named = crates.iter().filter(|name| lock.contains(&format!("\nname = \"{name}\"\n")));
        named.map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(locked(&lock), Vec::<String>::new(), "crates that must not be there");
    for name in crates {
        assert_eq!(locked(&format!("{lock}\nname = \"{name}\"\n")), [*name], "it is found where it is planted");
    }
}

fn found<'a>(words: &[&str], names: &'a BTreeSet<String>) -> Vec<&'a str> {
    let hit = |name: &&String| words.iter().any(|word| name.to_lowercase().contains(word));
    names.iter().filter(hit).map(String::as_str).collect()
}

/// Every rpc, and every field with its message.
fn contract() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(keyvawlt_proto::DESCRIPTORS).expect("descriptors");
    let mut names = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package() == "keyvawlt.v1") {
        names.extend(file.service.iter().flat_map(|service| &service.method).map(|rpc| rpc.name().to_owned()));
        for message in &file.message_type {
            names.extend(message.field.iter().map(|field| format!("{}.{}", message.name(), field.name())));
        }
    }
    names
}
