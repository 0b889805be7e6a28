//! What `export` writes, read by the programs it is written for: bash, dash, python-dotenv and
//! Node's dotenv (both of its parsers). Thousands of values per process, so that it stays fast.
//!
//! `KEYVAWLT_TEST_PYTHON`, `KEYVAWLT_TEST_NODE` and `KEYVAWLT_TEST_NODE_PATH` name the programs; a
//! test whose variable is absent says so and ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use keyvawlt_cli::dialect::{Dialect, write};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Enough for every pair of the characters readers treat specially to meet many times.
const VALUES: usize = 4000;

/// Values that have been trouble somewhere, before the random ones.
const TROUBLE: &[&str] = &[
    "",
    " ",
    "'",
    "\"",
    "\\",
    "#",
    " # ",
    "a#b",
    "a #b",
    "it's",
    "it''s",
    "\"x\"",
    "`x`",
    "it's \"x\"",
    "it's `x`",
    "a\\",
    "a\\\\",
    "a\\nb",
    "a\\\\nb",
    "a\\'b",
    "\\$x",
    "$x",
    "$$",
    "${",
    "${}",
    "${x}",
    "${x:-y}",
    "${vault:a/b}",
    "$${vault:a/b}",
    "$(id)",
    "`id`",
    "!!",
    "a;id",
    "a&&id",
    "\n",
    "\r",
    "\r\n",
    "a\nb",
    "a\nb\n",
    "a\n#b",
    "a\nB=c",
    "it's\nb",
    "a\\\nb",
    "{\n  \"a\": \"b\"\n}",
    "-----BEGIN PRIVATE KEY-----\nMIIE+/=\n-----END PRIVATE KEY-----\n",
    "postgres://u:p%40$s@h:5432/db?x=y&z=#f",
    "C:\\new\\table\\",
    "\t",
    "\u{b}\u{c}\u{1b}\u{7f}",
    "\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}",
    "\u{a0}",
    "\u{2028}a'\u{2029}",
    "\u{feff}a\\\\",
    "ü € 🔑",
    "=",
    "a=b",
    "export A=b",
];

/// The values the dialect carries, each under a name of its own.
fn carried(dialect: Dialect) -> BTreeMap<String, String> {
    let characters = "(\\PC|[\n\r\t '\"`\\\\#$!{}:;&|=nrtv-]|[\u{80}-\u{a0}]|[\u{2028}\u{2029}\u{feff}]){0,10}";
    // A fixed seed: a failure is a failure for everybody.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let random = (0..VALUES).map(|_| characters.new_tree(&mut runner).unwrap().current());
    let values = TROUBLE.iter().map(|value| (*value).to_owned()).chain(random);
    let carried: BTreeMap<String, String> = values
        .enumerate()
        .map(|(index, value)| (format!("KV_{index}"), value))
        .filter(|(name, value)| write(dialect, &[(name.clone(), value.as_str())]).is_ok())
        .collect();
    // If the dialect refused most values, the test would prove nothing.
    assert!(carried.len() > VALUES * 6 / 10, "{dialect:?} carries only {}", carried.len());
    carried
}

/// Writes in several orders, since a value may break the one after it.
fn files(dialect: Dialect, variables: &BTreeMap<String, String>, dir: &Path) -> Vec<OsString> {
    let mut pairs: Vec<_> = variables.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
    (0..3)
        .map(|turn| {
            pairs.rotate_left(turn * 7);
            if turn == 1 {
                pairs.reverse();
            }
            let path = dir.join(format!("{turn}.env"));
            std::fs::write(&path, write(dialect, &pairs).unwrap().text.as_bytes()).unwrap();
            path.into_os_string()
        })
        .collect()
}

fn compare(reader: &str, expected: &BTreeMap<String, String>, read: &BTreeMap<String, String>) {
    for (name, value) in expected {
        assert_eq!(read.get(name), Some(value), "{reader}: {name}");
    }
    assert_eq!(expected.len(), read.len(), "{reader} read names that were not written");
}

/// Runs a reader that prints a JSON list with one object per file.
fn check_dotenv(reader: &str, command: &mut Command) {
    let dir = tempfile::tempdir().unwrap();
    let expected = carried(Dialect::Dotenv);
    let files = files(Dialect::Dotenv, &expected, dir.path());
    let output = command.args(&files).output().unwrap();
    assert!(output.status.success(), "{reader}: {}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<BTreeMap<String, String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len() % files.len(), 0);
    for read in &read {
        compare(reader, &expected, read);
    }
}

fn check_shell(shell: &str) {
    let dir = tempfile::tempdir().unwrap();
    let expected = carried(Dialect::Shell);
    for file in files(Dialect::Shell, &expected, dir.path()) {
        // `env -0` alone would not fit: the environment is larger than a process may get.
        let output = Command::new(shell)
            .env_clear()
            .args(["-c", ". \"$1\" && for i in $2; do eval \"printf '%s\\\\0' \\\"\\$$i\\\"\"; done"])
            .arg(shell)
            .arg(&file)
            .arg(expected.keys().cloned().collect::<Vec<_>>().join(" "))
            .output()
            .unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let values = text.split_terminator('\0').map(str::to_owned);
        let read = expected.keys().cloned().zip(values).collect();
        compare(shell, &expected, &read);
    }
}

fn named(variable: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "tests/run names the programs here")]
    let value = std::env::var_os(variable);
    if value.is_none() {
        println!("skipped: {variable} names no program");
    }
    value
}

#[test]
fn bash_reads_what_was_written() {
    check_shell("bash");
}

#[test]
fn dash_reads_what_was_written() {
    check_shell("dash");
}

#[test]
fn python_dotenv_reads_what_was_written() {
    let Some(python) = named("KEYVAWLT_TEST_PYTHON") else { return };
    let script = "import sys, json, dotenv\n\
                  print(json.dumps([dict(dotenv.dotenv_values(f)) for f in sys.argv[1:]]))";
    check_dotenv("python-dotenv", Command::new(python).args(["-c", script]));
}

#[test]
fn nodes_dotenv_reads_what_was_written() {
    let (Some(node), Some(path)) = (named("KEYVAWLT_TEST_NODE"), named("KEYVAWLT_TEST_NODE_PATH")) else {
        return;
    };
    let script = "const d = require('dotenv'), f = require('fs'), r = [];\n\
                  for (const p of process.argv.slice(1)) for (const fast of [false, true])\n\
                  r.push(d.parse(f.readFileSync(p), { fast }));\n\
                  console.log(JSON.stringify(r));";
    check_dotenv("node dotenv", Command::new(node).env("NODE_PATH", path).args(["-e", script, "--"]));
}
