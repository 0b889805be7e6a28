//! What does not exist: names in the contract, and crates in the lock file. Each check is shown to find what is planted.

use prost::Message as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// No rpc, message or field of the contract has one of these words in its name.
pub fn names_none_of(words: &[&str]) {
    let contract = contract();
    assert!(contract.contains("ReadAccountResponse.sealed_account_key"), "the contract is read");
    assert_eq!(found(words, &contract), Vec::<&str>::new(), "the contract has names with {words:?}");
    for word in words {
        let planted = BTreeSet::from([format!("LogInResponse.{word}_x")]);
        assert_eq!(found(words, &planted).len(), 1, "{word} is found where it is planted");
    }
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
