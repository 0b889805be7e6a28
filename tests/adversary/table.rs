//! The record of a run, and the table rendered from it. docs/attacks.json and docs/attacks.md must be what the run found.

use crate::attack::{Expected, Playing, Row, Telling, Try};
use crate::rows;
use keyvawlt_ledger::Code;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Set to write the files instead of comparing them.
const UPDATE: &str = "KEYVAWLT_UPDATE_DOCS";

/// Plays a row, once in this process, and says what came of it. Panics where that is not what must come of it.
pub fn record_of(row: &'static Row) -> Value {
    static RECORDS: Mutex<BTreeMap<&'static str, Arc<OnceLock<Value>>>> = Mutex::new(BTreeMap::new());
    let record = Arc::clone(RECORDS.lock().unwrap_or_else(PoisonError::into_inner).entry(row.id).or_default());
    record.get_or_init(|| play(row)).clone()
}

fn play(row: &Row) -> Value {
    let tries: Vec<Value> = row.tries.iter().map(tried).collect();
    json!({ "row": row.id, "title": row.title, "tries": tries, "version": env!("CARGO_PKG_VERSION") })
}

fn tried(tried: &Try) -> Value {
    let (everybody, one, code) = match tried.result {
        Expected::Detected(code, play) => {
            block_on(play(Telling::Nobody));
            block_on(play(Telling::Everybody(code)));
            block_on(play(Telling::One(code)));
            (detected(code.as_str()), detected(code.as_str()), Some(code))
        }
        Expected::DetectedByAll(code, play) => {
            block_on(play(Telling::Nobody));
            block_on(play(Telling::Everybody(code)));
            (detected(code.as_str()), "–".to_owned(), Some(code))
        }
        Expected::Defeated(play) => played(play, "DEFEATED"),
        Expected::Reduced(play) => played(play, "REDUCED"),
        Expected::Visible(play) => played(play, "VISIBLE"),
        Expected::Absent(check) => {
            check();
            ("N/A-path".to_owned(), "N/A-path".to_owned(), None)
        }
    };
    let command_line = match (tried.command_line, code) {
        (Some(play), Some(code)) => {
            block_on(play(code));
            "exit 17"
        }
        _ => "–",
    };
    json!({ "try": tried.what, "control": "ok", "everybody": everybody, "one": one, "command_line": command_line })
}

fn played(play: fn() -> Playing, result: &str) -> (String, String, Option<Code>) {
    block_on(play());
    (result.to_owned(), result.to_owned(), None)
}

fn detected(code: &str) -> String {
    format!("DETECTED({code})")
}

/// Plays on a runtime of its own.
pub fn block_on(play: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(play);
}

#[test]
fn the_committed_table_is_what_this_run_found() {
    let mut records: Vec<Value> = rows::ALL.iter().map(|row| record_of(row)).collect();
    records.extend(rows::UNTRIED.iter().map(
        |row| json!({ "row": row.id, "title": row.title, "result": row.result, "why": row.why, "version": env!("CARGO_PKG_VERSION") }),
    ));
    let json = serde_json::to_string_pretty(&records).unwrap() + "\n";
    compare("docs/attacks.json", &json);
    compare("docs/attacks.md", &rendered(&records));
}

#[expect(clippy::disallowed_methods, reason = "whoever changes a row says so by a variable")]
fn compare(name: &str, found: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, found).expect("a file to write");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, found, "{name} differs from what was found: run again with {UPDATE}=1, and review the change");
}

const HEAD: &str = "\
# Attacks tried

A malicious server may try anything: alone, or together with somebody who was removed or has few rights. This table lists what was tried
against the real client library by the suite in `tests/adversary`, with what came of it. The suite writes this file, and fails when it and a
run differ; `attacks.json` is the same for programs. It ran on version VERSION.

* **Control**: the same flow without the lie succeeded, so that a broken client does not count as a detection.
* **Told to all**, **told to one**: the lie was told to every client, or to one while the others heard the truth and worked on; – where it
  is part of what everybody verifies.
* **DETECTED(code)**: the client stopped with that code, at first and when its user insisted, wrote nothing afterwards, and no byte of the
  canaries (values, names, passwords) and of any private key was sent to the server, by any client, in clear or as hexadecimal.
* **Command line**: the lie was told to the program `keyvawlt` as well, run as anybody runs it: reading, writing, exporting and starting a program
  each ended with exit 17 and the code, showed nothing, wrote nothing, and left evidence that `keyvawlt evidence check` reads.
* **DEFEATED**: it had no effect on confidentiality or integrity; in the control what is genuine was accepted.
* **REDUCED**: it gains something that the play measures, and nothing beyond it. **VISIBLE**: nothing stops it, and people see it.
* **N/A-path**: no code path for it exists; the check that says so found one where it was planted.

`TVnn` are attacks particular to a team vault; `BWnn`, `LPnn`, `DLnn` and `1Pnn` are the numbers of eprint 2026/058 (revised 2026, 31 attacks
on four password managers); `KR` is about rotated keys; `CS`, `MG`, `NC`, `MX`, `TH`, `KO`, `IN`, `CV` and `SA` come from earlier work on cloud storage, messengers, OpenPGP and
password managers.

| Row | The malicious server | How it was tried | Control | Told to all | Told to one | Command line |
|---|---|---|---|---|---|---|
";

const UNTRIED: &str = "
## Rows without a play

| Row | The malicious server | Result | Why |
|---|---|---|---|
";

fn rendered(records: &[Value]) -> String {
    let mut text = HEAD.replace("VERSION", env!("CARGO_PKG_VERSION"));
    for record in records.iter().filter(|record| record["tries"].is_array()) {
        let field = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        for (number, tried) in record["tries"].as_array().into_iter().flatten().enumerate() {
            let (id, title) = if number == 0 { (field(record, "row"), field(record, "title")) } else { (String::new(), String::new()) };
            let cells = ["try", "control", "everybody", "one", "command_line"].map(|key| field(tried, key));
            writeln!(text, "| {id} | {title} | {} |", cells.join(" | ")).expect("a string takes text");
        }
    }
    text.push_str(UNTRIED);
    for row in rows::UNTRIED {
        writeln!(text, "| {} | {} | {} | {} |", row.id, row.title, row.result, row.why).expect("a string takes text");
    }
    text
}

#[test]
fn every_attack_that_is_known_has_a_row() {
    let count = [("BW", 12), ("LP", 7), ("DL", 6), ("1P", 6), ("CS", 10), ("MG", 6), ("NC", 3), ("TV", 56)];
    let one = ["MX01", "TH01", "KO01", "IN01", "CV01", "SA01"].map(str::to_owned);
    let known = count.iter().flat_map(|(source, count)| (1..=*count).map(move |number| format!("{source}{number:02}"))).chain(one);
    let mut told: Vec<String> =
        rows::ALL.iter().flat_map(|row| row.tries.iter().map(|tried| format!("{} {}", row.title, tried.what))).collect();
    told.extend(rows::UNTRIED.iter().map(|row| row.title.to_owned()));
    let mut ids: Vec<&str> = rows::ALL.iter().map(|row| row.id).chain(rows::UNTRIED.iter().map(|row| row.id)).collect();
    for id in known {
        assert!(
            ids.contains(&id.as_str()) || told.iter().any(|text| text.contains(&id)),
            "{id} has no row, and no row says that it stands for it"
        );
    }
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a row stands twice");
}
