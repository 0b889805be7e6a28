//! The dependency graph as cargo itself resolves it: packages, and who needs whom in a normal or a build edge.
//! Dev edges are absent on purpose: tests may reach what the programs may not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The workspace's folder; the test belongs to its root package.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One resolved package, ours or foreign.
pub struct Package {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub manifest: String,
    pub is_room: bool,
}

/// Packages by cargo's id, with the ids each one needs.
pub struct Graph {
    packages: BTreeMap<String, Package>,
    needs: BTreeMap<String, Vec<String>>,
}

/// Asks cargo once per test process.
pub fn graph() -> &'static Graph {
    static GRAPH: OnceLock<Graph> = OnceLock::new();
    GRAPH.get_or_init(|| Graph::from_metadata(&cargo_metadata()))
}

impl Graph {
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    pub fn rooms(&self) -> impl Iterator<Item = &Package> {
        self.packages().filter(|package| package.is_room)
    }

    /// Direct edges of one of our packages.
    pub fn needs_of(&self, room: &str) -> impl Iterator<Item = &Package> {
        let id = self.id_of(room);
        self.needs[id].iter().map(|to| &self.packages[to])
    }

    /// The shortest path from `room` to a package for which `is_target` holds, as "a → b → c".
    pub fn path(&self, room: &str, is_target: impl Fn(&Package) -> bool) -> Option<String> {
        let start = self.id_of(room);
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            if at != start && is_target(&self.packages[at]) {
                return Some(self.written_path(at, &came_from));
            }
            for next in &self.needs[at] {
                if seen.insert(next) {
                    came_from.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    fn written_path(&self, end: &str, came_from: &BTreeMap<&str, &str>) -> String {
        let mut names = vec![self.packages[end].name.as_str()];
        let mut at = end;
        while let Some(before) = came_from.get(at) {
            names.push(&self.packages[*before].name);
            at = before;
        }
        names.reverse();
        names.join(" → ")
    }

    fn id_of(&self, room: &str) -> &str {
        let found = self.packages.iter().find(|(_, package)| package.is_room && package.name == room);
        found.unwrap_or_else(|| panic!("the workspace has no package {room}")).0
    }

    fn from_metadata(metadata: &Value) -> Self {
        let members: BTreeSet<&str> = list(metadata, "workspace_members").iter().map(as_text).collect();
        let packages = list(metadata, "packages").iter().map(|package| {
            let id = text(package, "id");
            let read = Package {
                name: text(package, "name").to_owned(),
                version: text(package, "version").to_owned(),
                license: package["license"].as_str().map(str::to_owned),
                manifest: text(package, "manifest_path").to_owned(),
                is_room: members.contains(id),
            };
            (id.to_owned(), read)
        });
        let needs = list(&metadata["resolve"], "nodes").iter().map(|node| {
            let edges = list(node, "deps").iter().filter(|edge| is_normal_or_build(edge));
            (text(node, "id").to_owned(), edges.map(|edge| text(edge, "pkg").to_owned()).collect())
        });
        Self { packages: packages.collect(), needs: needs.collect() }
    }
}

/// Every package of Cargo.lock with its version: all platforms, not only this one.
pub fn locked() -> Vec<(String, String)> {
    let lock = toml_file("Cargo.lock");
    let packages = lock["package"].as_array().expect("Cargo.lock lists packages");
    let field = |package: &toml::Value, key: &str| package[key].as_str().expect("a text").to_owned();
    packages.iter().map(|package| (field(package, "name"), field(package, "version"))).collect()
}

/// A TOML file, named from the workspace's folder (or by an absolute path).
pub fn toml_file(path: &str) -> toml::Value {
    let path = Path::new(ROOT).join(path);
    let content = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: toml::Table = content.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::Value::Table(table)
}

/// Offline, and for this platform only: what a build of the workspace has already fetched is enough.
fn cargo_metadata() -> Value {
    let host = host_triple();
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host];
    let answer = cargo(&arguments);
    serde_json::from_slice(&answer).expect("cargo metadata answers in JSON")
}

fn host_triple() -> String {
    let version = String::from_utf8(cargo(&["-vV"])).expect("cargo's version is text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo -vV names its host").to_owned()
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO")).current_dir(ROOT).args(arguments).output().expect("cargo starts");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn is_normal_or_build(edge: &Value) -> bool {
    list(edge, "dep_kinds").iter().any(|kind| kind["kind"].as_str() != Some("dev"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo metadata has no list {key}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    as_text(&value[key])
}

fn as_text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata gives a text here")
}
