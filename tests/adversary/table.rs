//! The record of a run, and the table rendered from it. docs/attacks.json and docs/attacks.md must be what the run found.

use crate::attack::{Expected, Row, Telling};
use crate::rows;
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
    let tries = row.tries.iter().map(|tried| match tried.result {
        Expected::Detected(code, play) => {
            block_on(play(Telling::Nobody));
            block_on(play(Telling::Everybody(code)));
            block_on(play(Telling::One(code)));
            json!({ "try": tried.what, "control": "ok", "everybody": detected(code.as_str()), "one": detected(code.as_str()) })
        }
        Expected::DetectedByAll(code, play) => {
            block_on(play(Telling::Nobody));
            block_on(play(Telling::Everybody(code)));
            json!({ "try": tried.what, "control": "ok", "everybody": detected(code.as_str()), "one": "–" })
        }
        Expected::Defeated(play) => {
            block_on(play());
            json!({ "try": tried.what, "control": "ok", "everybody": "DEFEATED", "one": "DEFEATED" })
        }
        Expected::Absent(check) => {
            check();
            json!({ "try": tried.what, "control": "ok", "everybody": "N/A-path", "one": "N/A-path" })
        }
    });
    let tries: Vec<Value> = tries.collect();
    json!({ "row": row.id, "title": row.title, "tries": tries, "version": env!("CARGO_PKG_VERSION") })
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
    let records: Vec<Value> = rows::ALL.iter().map(|row| record_of(row)).collect();
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
* **DEFEATED**: it had no effect on confidentiality or integrity; in the control what is genuine was accepted.
* **N/A-path**: no code path for it exists; the check that says so found one where it was planted.

`TVnn` are attacks particular to a team vault; `BWnn`, `LPnn`, `DLnn` and `1Pnn` are the numbers of eprint 2026/058 (revised 2026, 31 attacks
on four password managers). Rows not listed were not tried yet: they come with the rest of the suite.

| Row | The malicious server | How it was tried | Control | Told to all | Told to one |
|---|---|---|---|---|---|
";

fn rendered(records: &[Value]) -> String {
    let mut text = HEAD.replace("VERSION", env!("CARGO_PKG_VERSION"));
    for record in records {
        let field = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        for (number, tried) in record["tries"].as_array().into_iter().flatten().enumerate() {
            let (id, title) = if number == 0 { (field(record, "row"), field(record, "title")) } else { (String::new(), String::new()) };
            let cells = ["try", "control", "everybody", "one"].map(|key| field(tried, key));
            writeln!(text, "| {id} | {title} | {} |", cells.join(" | ")).expect("a string takes text");
        }
    }
    text
}
