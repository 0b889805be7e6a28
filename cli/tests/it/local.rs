//! Commands without a server, and how failures look.

use std::process::{Command, Output};

use tempfile::TempDir;

fn keyvawlt(dir: &TempDir, arguments: &[&str]) -> Output {
    prepared(dir, arguments).output().unwrap()
}

fn prepared(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyvawlt"));
    command.env_clear().env("HOME", dir.path()).env("KEYVAWLT_TOKEN", "canary").current_dir(dir.path()).args(arguments);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn init_writes_a_file_that_config_debug_names_as_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let output = keyvawlt(&dir, &["init"]);
    assert_eq!(output.status.code(), Some(2));
    let output = keyvawlt(&dir, &["init", "--project", "payments", "--org", "acme"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        std::fs::read_to_string(dir.path().join("keyvawlt.toml")).unwrap(),
        "# Which secrets this repository uses. Safe to commit: it holds none.\n\
         org = \"acme\"\nproject = \"payments\"\nenvironment = \"development\"\n"
    );
    assert_eq!(keyvawlt(&dir, &["init", "--project", "other"]).status.code(), Some(1));
    assert_eq!(keyvawlt(&dir, &["init", "--force", "-e", "production"]).status.code(), Some(0));

    let output = keyvawlt(&dir, &["config", "debug", "--json", "--org", "flag"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| rows.iter().find(|row| row["setting"] == name).unwrap();
    assert_eq!(row("org")["source"], "--org");
    assert_eq!(row("environment")["value"], "production");
    assert!(row("project")["source"].as_str().unwrap().ends_with("keyvawlt.toml"));
    assert_eq!(row("token")["value"], "(hidden)");
    assert!(!stdout(&output).contains("canary"));
    assert!(stdout(&keyvawlt(&dir, &["config", "debug"])).starts_with("SETTING"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    for words in ["--help", "--version", "version", "completion bash", "config debug", "config debug --json", "explain E_ROLLBACK"] {
        let (nobody_reads, out) = std::io::pipe().unwrap();
        drop(nobody_reads);
        let arguments: Vec<&str> = words.split(' ').collect();
        let output = prepared(&dir, &arguments).stdout(out).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()), "{words}");
    }
}

#[test]
fn failures_have_codes_and_json() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(keyvawlt(&dir, &["nonsense"]).status.code(), Some(2));
    assert_eq!(keyvawlt(&dir, &["--help"]).status.code(), Some(0));
    assert!(stdout(&keyvawlt(&dir, &["version"])).starts_with("keyvawlt "));
    let output = keyvawlt(&dir, &["config", "debug", "--profile", "none", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(json["error"]["code"], "USAGE");
    assert_eq!(json["error"]["resource"], "none");
}

#[test]
fn bash_completes_commands_with_our_script() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["zsh", "fish"] {
        assert!(stdout(&keyvawlt(&dir, &["completion", shell])).contains("rollback"), "{shell}");
    }
    let script = stdout(&keyvawlt(&dir, &["completion", "bash"]));
    let press_tab = "COMP_WORDS=(keyvawlt secrets roll); COMP_CWORD=2; _keyvawlt keyvawlt roll secrets; echo \"${COMPREPLY[@]}\"";
    // Longer than one argument may be.
    let path = dir.path().join("completion.bash");
    std::fs::write(&path, format!("{script}\n{press_tab}")).unwrap();
    let output = Command::new("bash").arg(&path).output().unwrap();
    assert_eq!(stdout(&output), "rollback\n", "{output:?}");
}

#[test]
fn the_providers_whose_keys_are_checked_are_listed_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let output = keyvawlt(&dir, &["health", "providers", "--json"]);
    let providers: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(providers.len() >= 25);
    let of = |id: &str| providers.iter().find(|provider| provider["id"] == id).unwrap();
    assert_eq!((&of("stripe")["checked"], &of("stripe")["needs_endpoint"]), (&true.into(), &false.into()));
    assert!(of("aws")["remark"].is_string() && of("aws")["checked"] == false);
    assert!(stdout(&keyvawlt(&dir, &["health", "providers"])).contains("stripe"));
}
