//! `keyvawlt keys rotate`, killed with -9 at each point where it has had an effect, or was about to: before each of its calls that change something,
//! and after the server did what such a call asks for. Whatever was reached, the same command ends it, and nobody has a third set of keys.

use crate::black_box::{Machine, text};
use crate::scene::{CANARY, CANARY_NAME, Scene};
use serde_json::Value;
use std::time::Duration;

/// More calls that change something than any rotation here makes: a test that finds no end must not go round for ever.
const MAX_WRITES: usize = 12;
/// A call of a debug build, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_killed_at_any_point_is_continued() {
    killed_everywhere(&["keys", "rotate", "--yes"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_after_a_leak_killed_at_any_point_is_continued() {
    killed_everywhere(&["keys", "rotate", "--yes", "--compromised"]).await;
}

async fn killed_everywhere(command: &[&str]) {
    let mut points = 0;
    for writes in 0..MAX_WRITES {
        for passed in [false, true] {
            if !Box::pin(killed_at(command, writes, passed)).await {
                assert!(points >= 4, "the account's data and the organization's chain change: {points} points");
                return;
            }
            points += 1;
        }
    }
    panic!("the rotation has no end");
}

/// Kills the command at its call after so many that change something. `false` where it ended before it came to that.
async fn killed_at(command: &[&str], writes: usize, passed: bool) -> bool {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let bob = Machine::of(&mut scene);
    assert_eq!(shown(&bob, &["keys", "show"]).await["generation"], 1);
    let mut reached = scene.server.holds_after(writes, passed);
    let mut child = bob.start(command);
    let killed = tokio::select! {
        reached = &mut reached => { reached.expect("the server is there"); true }
        ended = child.wait() => { assert!(ended.expect("an end").success()); false }
        () = tokio::time::sleep(PATIENCE) => panic!("{command:?} hangs before write {writes}"),
    };
    if killed {
        child.kill().await.expect("it is killed");
    }
    scene.server.repent();

    let point = format!("killed at write {writes}, passed on: {passed}");
    let before = shown(&bob, &["keys", "show"]).await;
    let unfinished = before["earlier_in"].as_array().expect("a list").len();
    if unfinished > 0 || before["generation"] == 1 {
        let rotated = shown(&bob, command).await;
        assert_eq!(rotated["resumed"], unfinished > 0, "{point}");
    }
    let after = shown(&bob, &["keys", "show"]).await;
    assert_eq!((&after["generation"], &after["earlier_in"]), (&Value::from(2), &Value::Array(vec![])), "{point}");
    // He reads what was there, and writes what others read; they see his new keys.
    let read = bob.run(&["secrets", "get", CANARY_NAME, "--plain"]).await;
    assert_eq!(text(&read.stdout), CANARY, "{point}: {}", text(&read.stderr));
    let write = bob.run(&["secrets", "set", "after/rotation", "--stdin"]).await;
    assert!(write.status.success(), "{point}: {}", text(&write.stderr));
    let ada = scene.ada.vault();
    ada.sync().await.expect("everything verifies");
    assert_eq!(&*ada.read(&production, "after/rotation").expect("Bob's secret").value, CANARY.as_bytes(), "{point}");
    let bobs = ada.members().expect("names open").into_iter().find(|member| member.name == "bob").expect("Bob");
    assert_eq!(after["words"], bobs.words.join(" "), "{point}");
    scene.end().await;
    killed
}

async fn shown(machine: &Machine, line: &[&str]) -> Value {
    let output = machine.run(&[line, &["--json"]].concat()).await;
    assert!(output.status.success(), "{line:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
