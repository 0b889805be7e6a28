//! `keyvawlt import` and `keyvawlt export`: values survive the way from one env file to another, through the vault.

use super::shell::{Line, Shell, text};
use crate::world::{Engine, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn production(line: Line) -> Line {
    line.var("KEYVAWLT_ENV", "production")
}

/// Names and values as programs have them, and an env file that says the same.
const VALUES: [(&str, &str, &str); 10] = [
    ("PLAIN", "sk_live_1", "PLAIN=sk_live_1"),
    ("EMPTY", "", "EMPTY="),
    ("SPACES", " a  b ", "SPACES=' a  b '"),
    ("HASH", "a #b", "HASH='a #b'"),
    ("QUOTE", "it's", "QUOTE=\"it's\""),
    ("DOLLAR", "pa$$word $(id) `id`", "DOLLAR='pa$$word $(id) `id`'"),
    ("BACKSLASH", r"C:\new", r"BACKSLASH='C:\new'"),
    ("LINES", "one\ntwo\n", "LINES=\"one\\ntwo\\n\""),
    ("JSON", r#"{"a":"b"}"#, r#"JSON='{"a":"b"}'"#),
    ("TEXT", "ü € 🔑", "export TEXT='ü € 🔑'"),
];

fn expected() -> BTreeMap<String, String> {
    VALUES.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_env_file_is_exported_as_every_reader_reads_it() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| production(ada.run(words));
    let lines: Vec<String> = VALUES.iter().map(|(_, _, line)| format!("{line}\n")).collect();
    std::fs::write(ada.home().join(".env"), lines.concat()).unwrap();
    let imported = run("import .env").json().await;
    assert_eq!(imported.as_array().unwrap().len(), VALUES.len());
    assert_eq!(imported[0], json!({ "name": "PLAIN", "step": "create", "version": 1 }));
    let versions = run("secrets list").json().await;
    assert!(versions.as_array().unwrap().iter().all(|row| row["version"] == 1 && row["updated"] == versions[0]["updated"]), "one write");
    for (name, format) in [("out.env", "dotenv"), ("out.sh", "shell"), ("out.json", "json")] {
        run(&format!("export --format {format} --output {name}")).ok().await;
        let mode = std::fs::metadata(ada.home().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let read: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(ada.home().join("out.json")).unwrap()).unwrap();
    assert_eq!(read, expected());
    assert_eq!(serde_json::from_value::<BTreeMap<String, String>>(run("export").json().await).unwrap(), expected());
    for shell in ["bash", "dash"] {
        assert_eq!(read_by_shell(shell, ada.home()), expected(), "{shell}");
    }
    read_by_dotenv(&ada.home().join("out.env"));
    // And through `run`, from the exported file and straight from the vault.
    for source in ["--env-file out.env", "--all"] {
        let printed = run(&format!("run {source} -- env -0")).ok().await;
        let environment: BTreeMap<String, String> = printed
            .split_terminator('\0')
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        assert!(expected().iter().all(|(name, value)| environment.get(name) == Some(value)), "{source}: {environment:?}");
    }
    world.stop().await;
}

/// What a shell that sources the exported file holds.
fn read_by_shell(shell: &str, home: &Path) -> BTreeMap<String, String> {
    let output = Command::new(shell).env_clear().current_dir(home).args(["-c", ". ./out.sh && env -0"]).output().unwrap();
    let environment = text(&output.stdout);
    let lines = environment.split_terminator('\0').filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| expected().contains_key(*name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// python-dotenv and Node's dotenv, where `tests/run` names them.
#[expect(clippy::disallowed_methods, reason = "tests/run names the programs by variables")]
fn read_by_dotenv(file: &Path) {
    let python = "import sys, json, dotenv\nprint(json.dumps(dict(dotenv.dotenv_values(sys.argv[1]))))";
    let node = "console.log(JSON.stringify(require('dotenv').parse(require('fs').readFileSync(process.argv[1]))))";
    for (variable, flag, script) in [("KEYVAWLT_TEST_PYTHON", "-c", python), ("KEYVAWLT_TEST_NODE", "-e", node)] {
        let Some(program) = std::env::var_os(variable) else { continue };
        let modules = std::env::var_os("KEYVAWLT_TEST_NODE_PATH").unwrap_or_default();
        let output = Command::new(program).args([flag, script]).arg(file).env("NODE_PATH", modules).output().unwrap();
        let read: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(read, expected(), "{variable}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_says_what_it_does_before_it_does_anything() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| production(ada.run(words));
    let steps = |imported: &Value| -> Vec<String> {
        imported
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {} {}", row["name"], row["step"], row["version"]).replace('"', ""))
            .collect()
    };
    let dry = run("import - --prefix stripe/ --dry-run").input("A=1\nB=${vault:x}\n").output().await;
    assert!(text(&dry.stderr).contains("warning: stripe/B: left out, it is a reference") && text(&dry.stderr).contains("a dry run"));
    assert_eq!(run("secrets list --names-only").ok().await, "");
    assert_eq!(steps(&run("import - --prefix stripe/").input("A=1\n").json().await), ["stripe/A create 1"]);
    let file = "A=canary\nNEW=1\n";
    let refused = run("import - --prefix stripe/").input(file).fails(13).await;
    assert!(refused.contains("these have another value: stripe/A") && !refused.contains("canary"), "{refused}");
    assert_eq!(run("secrets list --names-only").ok().await, "stripe/A\n");
    let skipped = run("import - --prefix stripe/ --on-conflict skip").input(file).json().await;
    assert_eq!(steps(&skipped), ["stripe/A skip null", "stripe/NEW create 1"]);
    let written = run("import - --prefix stripe/ --on-conflict overwrite").input(file).json().await;
    assert_eq!(steps(&written), ["stripe/A overwrite 2", "stripe/NEW unchanged null"]);
    assert_eq!(run("secrets get stripe/A --plain").ok().await, "canary");
    let json = run("import - --format json").input(r#"{"a/b":"1","c":2}"#).fails(2).await;
    assert!(json.contains("these values are no strings: c"), "{json}");
    assert!(run("import nowhere.env").fails(1).await.contains("nowhere.env: cannot read the file"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_cannot_be_right_writes_nothing() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| production(ada.run(words));
    run("secrets set a/b --stdin").input("1").ok().await;
    std::fs::write(ada.home().join("out.env"), "precious").unwrap();
    assert!(run("export --output out.env").fails(1).await.contains("--force replaces it"));
    assert_eq!(std::fs::read_to_string(ada.home().join("out.env")).unwrap(), "precious");
    run("export --output out.env --force").ok().await;
    assert_eq!(std::fs::read_to_string(ada.home().join("out.env")).unwrap(), "A_B='1'\n");
    run("secrets set a.b --stdin").input("2").ok().await;
    assert!(run("export").fails(2).await.contains("a.b and a/b both give A_B"));
    assert_eq!(run("export --only a.b").ok().await, "A_B='2'\n");
    std::fs::write(ada.home().join("bytes"), b"\xff").unwrap();
    run("secrets set bytes --file bytes").ok().await;
    assert!(run("export --only bytes").fails(2).await.contains("the values are no text: bytes"));
    run("secrets set home --stdin").input("${HOME}").ok().await;
    assert!(run("export --only home").fails(2).await.contains("HOME; if you mean it: --allow-name HOME"));
    assert!(run("export --only home --allow-name HOME").fails(2).await.contains("python-dotenv would replace"));
    assert_eq!(run("export --only home --allow-name HOME --format shell").ok().await, "export HOME='${HOME}'\n");
    assert!(run("export --prefix zzz").fails(12).await.contains("zzz"));
    world.stop().await;
}
