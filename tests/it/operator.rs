//! The operator at the server's command line, beside a server that runs: how the store is, and what became of jobs.

use crate::world::{World, on_each_store};
use std::process::{Command, Output};
use std::time::Duration;

on_each_store!(a_job_that_was_given_up_is_found_and_run_again_or_discarded);

async fn a_job_that_was_given_up_is_found_and_run_again_or_discarded(world: World) {
    for name in ["ada", "bob"] {
        world.newcomer(name).await;
    }
    world.drain().await;
    world
        .database
        .execute("UPDATE job SET state = 3, failures = 6, last_error = 'the mail server\u{1b} is away' WHERE kind = 'email_code'")
        .await;
    let given_up = succeeded(&keyvawlt_server(&world, &["jobs", "list", "--state", "given-up"]));
    assert!(given_up.contains("6 failed") && given_up.contains("the mail server  is away"), "{given_up}");
    let page = keyvawlt_server(&world, &["jobs", "list", "--state", "given-up", "--limit", "1", "--json"]);
    let newest: serde_json::Value = serde_json::from_str(&succeeded(&page)).unwrap();
    let newest_id = newest["id"].as_str().unwrap();
    assert_eq!(newest["payload"]["job"], "email_code", "JSON for programs, not a text of it: {newest}");
    let more = String::from_utf8(page.stderr).unwrap();
    assert_eq!(more.trim(), format!("There may be more: --before {newest_id}"));
    let older = keyvawlt_server(&world, &["jobs", "list", "--state=given-up", "--before", newest_id, "--json"]);
    let older: serde_json::Value = serde_json::from_str(&succeeded(&older)).unwrap();
    let older_id = older["id"].as_str().unwrap();

    let (nobody_reads, out) = std::io::pipe().unwrap();
    drop(nobody_reads);
    let quiet = prepared(&world, &["jobs", "list", "--state", "given-up"]).stdout(out).output().unwrap();
    assert_eq!((succeeded(&quiet), quiet.stderr), (String::new(), vec![]), "who has seen enough hears of no failure");

    let nobody = "00000000000000000000000000000000";
    let refused = keyvawlt_server(&world, &["jobs", "retry", older_id, nobody]);
    assert!(!refused.status.success() && String::from_utf8(refused.stderr).unwrap().contains(nobody));
    assert_eq!(succeeded(&keyvawlt_server(&world, &["jobs", "discard", newest_id])), format!("{newest_id} discarded\n"));
    // Real programs read the real clock, which is ahead of the story's or behind it.
    succeeded(&keyvawlt_server(&world, &["jobs", "retry", older_id]));
    world.database.execute("UPDATE job SET run_at = 0 WHERE state = 0").await;
    world.pass(Duration::from_mins(2));
    world.drain().await;
    assert_eq!(world.mails().len(), 3, "the discarded one stays discarded");
    assert_eq!(succeeded(&keyvawlt_server(&world, &["jobs", "list", "--state", "given-up"])), "");
    let said = succeeded(&keyvawlt_server(&world, &["check"]));
    assert!(said.ends_with("# the store opens, and its tables are up to date\n"), "{said}");
    world.stop().await;
}

#[test]
fn check_says_how_a_store_is_and_makes_none() {
    let folder = tempfile::TempDir::new().unwrap();
    let check = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyvawlt-server"));
        command.env_clear().env("KEYVAWLT_SERVER__STORE__URL", url).env("KEYVAWLT_SERVER__DATA", folder.path()).arg("check");
        command.output().unwrap()
    };
    let file = folder.path().join("vault.db");
    let url = format!("sqlite://{}", file.display());
    assert!(succeeded(&check(&url)).contains("not there yet"));
    assert!(!file.exists());
    let wrong = check("mysql://elsewhere");
    assert!(!wrong.status.success() && String::from_utf8(wrong.stderr).unwrap().contains("store.url"));
}

fn keyvawlt_server(world: &World, arguments: &[&str]) -> Output {
    prepared(world, arguments).output().expect("the program runs")
}

fn prepared(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyvawlt-server"));
    command.env_clear().env("KEYVAWLT_SERVER__STORE__URL", &world.database.url).env("KEYVAWLT_SERVER__DATA", &world.config.data);
    command.args(arguments);
    command
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}
