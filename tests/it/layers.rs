//! The architecture is the edges that are not there; these tests keep them away, over the graph that cargo resolves.
//! A failing test names the edge, or the whole path. Normal and build edges count; dev edges do not.

mod graph;
mod license;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use graph::{graph, locked, toml_file};

/// Who may name whom: the drawing in ARCHITECTURE.md, as a list. A new room must take its place here.
const ROOMS: &[(&str, &[&str])] = &[
    ("keyvawlt-catalogue", &[]),
    ("keyvawlt-ledger", &[]),
    ("keyvawlt-proto", &[]),
    ("keyvawlt-crypto", &["keyvawlt-ledger"]),
    ("keyvawlt-schema", &["keyvawlt-ledger"]),
    ("keyvawlt-domain", &["keyvawlt-ledger", "keyvawlt-schema"]),
    ("keyvawlt-api", &["keyvawlt-domain", "keyvawlt-ledger", "keyvawlt-proto"]),
    ("keyvawlt-worker", &["keyvawlt-domain"]),
    ("keyvawlt-server", &["keyvawlt-api", "keyvawlt-domain", "keyvawlt-worker"]),
    ("keyvawlt-client", &["keyvawlt-catalogue", "keyvawlt-crypto", "keyvawlt-ledger", "keyvawlt-proto"]),
    ("keyvawlt", &["keyvawlt-catalogue", "keyvawlt-client", "keyvawlt-crypto", "keyvawlt-ledger"]),
    // Measures both sides, and is part of neither.
    (
        "keyvawlt-bench",
        &[
            "keyvawlt-client",
            "keyvawlt-crypto",
            "keyvawlt-domain",
            "keyvawlt-ledger",
            "keyvawlt-proto",
            "keyvawlt-schema",
            "keyvawlt-server",
            "keyvawlt-worker",
        ],
    ),
];

/// What runs where secrets must not be readable.
const BLIND: &[&str] =
    &["keyvawlt-server", "keyvawlt-api", "keyvawlt-domain", "keyvawlt-worker", "keyvawlt-schema", "keyvawlt-proto", "keyvawlt-ledger"];

/// What opens secrets: our own room for it, and the foreign crates it is made of.
const OPENS_SECRETS: &[&str] = &["keyvawlt-crypto", "keyvawlt-client", "hpke", "x-wing", "x25519-dalek", "chacha20poly1305", "argon2"];

/// Frameworks (by name or by "prefix*") and the rooms that may name them.
const FRAMEWORKS: &[(&str, &[&str])] = &[
    ("tonic*", &["keyvawlt-proto", "keyvawlt-api", "keyvawlt-client", "keyvawlt-bench"]),
    ("prost*", &["keyvawlt-proto", "keyvawlt-api", "keyvawlt-client", "keyvawlt-bench"]),
    ("apalis*", &["keyvawlt-worker"]),
    ("redis", &["keyvawlt-worker", "keyvawlt-api"]),
    ("lettre", &["keyvawlt-worker"]),
    // What dials over HTTP is the worker's way out (`worker/src/outbound`) and the client's check of keys (`sdk/rust/src/health`), and nothing else.
    ("hyper*", &["keyvawlt-worker", "keyvawlt-client"]),
    ("http-body-util", &["keyvawlt-worker", "keyvawlt-client"]),
    ("tokio-rustls", &["keyvawlt-worker", "keyvawlt-client"]),
    ("rustls-native-certs", &["keyvawlt-worker", "keyvawlt-client"]),
    ("reqwest", &[]),
    ("askama", &["keyvawlt-worker"]),
    ("sea-orm*", &["keyvawlt-domain", "keyvawlt-schema", "keyvawlt-bench"]),
    ("sqlx*", &[]),
    ("figment", &["keyvawlt-server"]),
    ("clap*", &["keyvawlt", "keyvawlt-bench"]),
    ("rpassword", &["keyvawlt"]),
];

/// Rooms without I/O, clock or global randomness: the same bytes in give the same answer, on both sides of the wire.
const PURE: &[&str] = &["keyvawlt-catalogue", "keyvawlt-ledger", "keyvawlt-crypto"];
const IMPURE: &[&str] = &["tokio", "mio", "socket2", "async-std", "sea-orm", "sqlx-core", "tonic", "hyper", "lettre", "rustix"];
const RANDOM_BY_ITSELF: &[&str] = &["rand", "getrandom"];

/// Two copies of one of these would be two sets of types, two TLS stacks or two links to SQLite.
const SINGLE: &[&str] = &[
    "argon2",
    "chacha20poly1305",
    "curve25519-dalek",
    "ed25519-dalek",
    "hpke",
    "jsonwebtoken",
    "libsqlite3-sys",
    "prost",
    "ring",
    "rustls",
    "sea-orm",
    "sqlx-core",
    "tokio",
    "tonic",
    "x25519-dalek",
];

#[test]
fn the_server_reaches_nothing_that_opens_secrets() {
    for room in BLIND {
        let path = graph().path(room, |package| OPENS_SECRETS.contains(&package.name.as_str()));
        assert_eq!(path, None, "the server must stay blind");
    }
}

#[test]
fn a_path_is_found_where_there_is_one() {
    let path = graph().path("keyvawlt-client", |package| package.name == "hpke");
    assert_eq!(path.as_deref(), Some("keyvawlt-client → keyvawlt-crypto → hpke"));
}

#[test]
fn every_room_names_only_the_rooms_drawn_below_it() {
    let drawn: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let found: BTreeSet<&str> = graph().rooms().map(|room| room.name.as_str()).collect();
    let known: BTreeSet<&str> = drawn.keys().copied().collect();
    assert_eq!(found, known, "the workspace's packages (left) and ROOMS (right) differ");

    let stray = edges_between_rooms().filter(|(from, to)| !drawn[from].contains(to)).map(written);
    assert_none(stray, "edges that the drawing does not have");
}

#[test]
fn a_framework_stays_in_its_room() {
    let mut stray = Vec::new();
    for (framework, homes) in FRAMEWORKS {
        for room in graph().rooms().filter(|room| !homes.contains(&room.name.as_str())) {
            let named = graph().needs_of(&room.name).filter(|package| is_named(&package.name, framework));
            stray.extend(named.map(|package| written((&room.name, &package.name))));
        }
    }
    assert_none(stray, "frameworks outside their room");
}

#[test]
fn nothing_but_the_worker_reaches_queue_or_mail() {
    for room in ["keyvawlt-api", "keyvawlt-domain", "keyvawlt-schema", "keyvawlt-client", "keyvawlt"] {
        let path = graph().path(room, |package| package.name.starts_with("apalis") || package.name == "lettre");
        assert_eq!(path, None, "{room} only writes job rows, or knows nothing of jobs");
    }
}

#[test]
fn the_pure_rooms_reach_no_io_and_name_no_randomness() {
    for room in PURE {
        let path = graph().path(room, |package| IMPURE.contains(&package.name.as_str()));
        assert_eq!(path, None, "{room} is pure");

        let random = graph().needs_of(room).filter(|package| RANDOM_BY_ITSELF.contains(&package.name.as_str()));
        assert_none(random.map(|package| written((room, &package.name))), "randomness is passed in");
    }
}

#[test]
fn no_banned_crate_is_locked_on_any_platform() {
    let denied = toml_file("deny.toml");
    let reasons: BTreeMap<&str, &str> = denied["bans"]["deny"]
        .as_array()
        .expect("deny.toml lists banned crates")
        .iter()
        .map(|ban| (ban["crate"].as_str().expect("a name"), ban["reason"].as_str().expect("a reason")))
        .collect();
    let found = locked().into_iter().filter_map(|(name, version)| {
        let reason = reasons.get(name.as_str())?;
        Some(format!("{name} {version}: {reason}"))
    });
    assert_none(found, "banned crates in Cargo.lock (cargo tree -i <crate> shows who brings one)");
}

#[test]
fn every_licence_is_on_the_list() {
    let allowed: Vec<String> = toml_file("deny.toml")["licenses"]["allow"]
        .as_array()
        .expect("deny.toml lists licences")
        .iter()
        .map(|licence| licence.as_str().expect("a name").to_owned())
        .collect();
    let refused = graph().packages().filter_map(|package| {
        let expression = package.license.as_deref().unwrap_or("no licence named");
        (!license::is_allowed(expression, &allowed)).then(|| format!("{} {}: {expression}", package.name, package.version))
    });
    assert_none(refused, "licences that deny.toml does not allow");
}

#[test]
fn what_must_be_single_is_locked_once() {
    let locked = locked();
    let versions =
        |name: &str| -> Vec<String> { locked.iter().filter(|(locked, _)| locked == name).map(|(_, version)| version.clone()).collect() };
    let wrong = SINGLE.iter().filter_map(|name| {
        let found = versions(name);
        (found.len() != 1).then(|| format!("{name}: {found:?}"))
    });
    assert_none(wrong, "not exactly once in Cargo.lock");
}

#[test]
fn our_rooms_agree_on_one_version_of_each_crate() {
    let mut seen: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for room in graph().rooms() {
        for package in graph().needs_of(&room.name) {
            seen.entry(&package.name).or_default().entry(&package.version).or_default().push(&room.name);
        }
    }
    let split = seen.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, versions)| format!("{name}: {versions:?}"));
    assert_none(split, "one crate, two versions, both named by our own code");
}

#[test]
fn every_manifest_takes_dependencies_and_lints_from_the_workspace() {
    let mut own_ways = Vec::new();
    for room in graph().rooms() {
        let manifest = toml_file(&room.manifest);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            let apart = entries.iter().filter(|(_, entry)| !says_workspace(entry));
            own_ways.extend(apart.map(|(name, _)| format!("{}: [{section}] {name}", room.name)));
        }
        if !manifest.get("lints").is_some_and(says_workspace) {
            own_ways.push(format!("{}: [lints] workspace = true is missing", room.name));
        }
    }
    assert_none(own_ways, "features or lints that only one crate has");
}

#[test]
fn no_folder_has_a_name_that_says_nothing() {
    const EMPTY_WORDS: &[&str] = &["common", "core", "util", "utils", "helper", "helpers", "shared", "types", "misc"];
    let rooms = graph().rooms().filter_map(|room| Path::new(&room.manifest).parent());
    let named = rooms.flat_map(|folder| ["", "src"].map(|inner| folder.join(inner))).flat_map(|folder| {
        let listed = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        listed.collect::<Vec<_>>()
    });
    let empty = named.filter(|path| path.file_stem().is_some_and(|stem| EMPTY_WORDS.iter().any(|word| stem == *word)));
    assert_none(empty.map(|path| path.display().to_string()), "names that say nothing");
}

fn edges_between_rooms() -> impl Iterator<Item = (&'static str, &'static str)> {
    graph().rooms().flat_map(|room| {
        let rooms = graph().needs_of(&room.name).filter(|package| package.is_room);
        rooms.map(|package| (room.name.as_str(), package.name.as_str()))
    })
}

fn is_named(package: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(package == pattern, |prefix| package.starts_with(prefix))
}

fn says_workspace(entry: &toml::Value) -> bool {
    entry.get("workspace").and_then(toml::Value::as_bool) == Some(true)
}

fn written((from, to): (&str, &str)) -> String {
    format!("{from} → {to}")
}

fn assert_none(found: impl IntoIterator<Item = String>, what: &str) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
