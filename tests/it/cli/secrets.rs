//! One secret's life in commands, and what programs read of it.

use super::shell::{Shell, text};
use crate::world::{Engine, World};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

/// Where the secrets here lie.
const PRODUCTION: (&str, &str) = ("KEYVAWLT_ENV", "production");

/// An editor that does what `script` says; the file is `$1`.
fn editor(shell: &Shell, script: &str) -> String {
    let path = shell.home().join("editor");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// What differs from run to run, as one word: moments.
fn without_times(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end().trim_end_matches(',');
        let moment = word.len() >= 20 && word.starts_with("20") && bare.ends_with('Z');
        if moment { word.replace(bare, "TIME") } else { word.to_owned() }
    });
    words.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_set_read_edited_deleted_and_brought_back() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var(PRODUCTION.0, PRODUCTION.1);
    let set = run("secrets set stripe/key --stdin --expires 7d --rotate-every 90d --provider stripe --tag pay --tag live");
    let set = set.arg("--label").arg("Stripe live").arg("--note").arg("from the\ndashboard").input("sk_1\n").output().await;
    assert_eq!(text(&set.stdout), "stripe/key is at version 1\n");
    let told = text(&set.stderr);
    assert!(told.starts_with("the server and its mails can read: expires 20"), "{told}");
    assert!(told.ends_with("Z, in 7 d, rotate every 90d, label Stripe live, provider stripe\n"), "{told}");
    assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_1");
    assert_eq!(
        without_times(&run("secrets get stripe/key").ok().await),
        "name     stripe/key\nversion  1\nupdated  TIME by ada\nexpires  TIME, in 7 d\nrotate   every 90d\nlabel    Stripe live\nprovider stripe\n\
         tags     pay, live\nnote     from the\\ndashboard\nvalue    sk_1\n"
    );
    let edited = run("secrets edit stripe/key").var("EDITOR", &editor(&ada, "printf sk_2 > \"$1\"")).output().await;
    assert_eq!(text(&edited.stdout), "stripe/key is at version 2\n");
    assert!(text(&edited.stderr).contains("the new version has no date unless you set one"));
    let list = without_times(&run("secrets list").ok().await);
    let columns: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        columns,
        [vec!["NAME", "VERSION", "UPDATED", "BY", "EXPIRES", "LABEL"], vec!["stripe/key", "2", "TIME", "ada", "Stripe", "live"]]
    );
    // Without anybody to ask, nothing is deleted.
    assert!(run("secrets delete stripe/key").fails(2).await.contains("give it with --yes"));
    assert_eq!(run("secrets delete stripe/key --yes").ok().await, "deleted stripe/key\n");
    assert!(run("secrets get stripe/key").fails(12).await.contains("stripe/key: there is no such secret"));
    assert!(run("secrets delete stripe/key --yes").fails(12).await.contains("stripe/key"));
    assert_eq!(run("secrets list --names-only").ok().await, "");
    assert!(run("secrets list --deleted").ok().await.contains("stripe/key  3 (deleted)"));
    assert_eq!(run("secrets undelete stripe/key").ok().await, "stripe/key is back as version 4\n");
    assert!(run("secrets undelete stripe/key").fails(2).await.contains("stripe/key is not deleted"));
    assert_eq!(run("secrets rollback stripe/key --to 1").ok().await, "stripe/key is at version 5, with the value of version 1\n");
    assert!(run("secrets rollback stripe/key --to 3").fails(12).await.contains("stripe/key@3"));
    let back = run("secrets get stripe/key").ok().await;
    assert!(back.contains("tags     pay, live\n") && back.ends_with("value    sk_1\n"), "{back}");
    assert_eq!(
        without_times(&run("secrets history stripe/key").ok().await),
        "VERSION  WHAT     AT                    BY   STATE\n5        set      TIME  ada  current\n4        set      TIME  ada  previous, ends in 7 d\n\
         3        deleted  TIME  ada  retired\n2        set      TIME  ada  retired\n1        set      TIME  ada  retired\n"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_read_every_answer_as_json() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var(PRODUCTION.0, PRODUCTION.1);
    let written = |version: u64| json!({ "name": "db", "version": version, "expires": null });
    assert_eq!(run("secrets set db --stdin --label Database --tag a").input(r#"{"user":"u","port":5432}"#).json().await, written(1));
    let edit = run("secrets edit db").var("EDITOR", &editor(&ada, "printf '\\377' > \"$1\""));
    assert_eq!(edit.json().await, written(2));
    assert_eq!(run("secrets rollback db --to 1").json().await, written(3));
    let row = json!({
        "name": "db", "version": 3, "updated": "TIME", "by": "ada", "expires": null, "rotate_every": null, "grace": null,
        "label": "Database", "provider": null, "owner": null, "monitor": null, "deleted": false,
    });
    let timeless = |mut value: Value| {
        value["updated"] = "TIME".into();
        let id = value.as_object_mut().unwrap().remove("id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 32);
        value
    };
    let listed = run("secrets list").json().await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(timeless(listed[0].clone()), row);
    assert_eq!(run("secrets list --names-only").json().await, json!(["db"]));
    let mut shown = row.clone();
    let more = json!({ "note": null, "tags": ["a"], "field": null, "value": r#"{"user":"u","port":5432}"#, "value_base64": null });
    shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(timeless(run("secrets get db").json().await), shown);
    let field = run("secrets get db --field port").json().await;
    assert_eq!((&field["field"], &field["value"]), (&json!("port"), &json!("5432")));
    let bytes = run("secrets get db --version 2").json().await;
    assert_eq!((&bytes["value"], &bytes["value_base64"]), (&Value::Null, &json!("/w==")));
    let history = run("secrets history db").json().await;
    assert_eq!(history.as_array().unwrap().iter().map(|version| version["version"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(run("secrets delete db db --yes").json().await, json!({ "deleted": ["db"] }));
    assert_eq!(run("secrets undelete db").json().await, json!([written(5)]));
    let failure: Value = serde_json::from_str(&run("secrets get nope --json").fails(12).await).unwrap();
    assert_eq!((&failure["error"]["code"], &failure["error"]["resource"]), (&json!("NOT_FOUND"), &json!("nope")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_go_in_and_come_out_byte_for_byte() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var(PRODUCTION.0, PRODUCTION.1);
    let bytes: Vec<u8> = (0..=255).chain(*b"\n").collect();
    std::fs::write(ada.home().join("all"), &bytes).unwrap();
    run("secrets set all --file all").ok().await;
    assert_eq!(run("secrets get all --plain").output().await.stdout, bytes);
    assert!(run("secrets get all").ok().await.ends_with("value    (no text; --plain writes its bytes)\n"));
    let cases: [(&str, &str); 4] = [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("", "")];
    for (piped, kept) in cases {
        run("secrets set a --stdin").input(piped).ok().await;
        assert_eq!(run("secrets get a --plain").ok().await, kept, "{piped:?}");
    }
    run("secrets set a=b=c").ok().await;
    assert_eq!(run("secrets get a --plain").ok().await, "b=c");
    // What a terminal would obey is shown, not sent.
    run("secrets set a --stdin").input("x\u{1b}[2Jy\nz").ok().await;
    assert!(run("secrets get a").ok().await.ends_with("value\nx\\u{1b}[2Jy\nz\n"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_over_a_version_that_was_not_seen() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var(PRODUCTION.0, PRODUCTION.1);
    run("secrets set a --stdin --if-version 0").input("1").ok().await;
    for (expected, exists) in [("0", "a is at version 1"), ("2", "a is at version 1")] {
        let refused = run("secrets set a --stdin --if-version").arg(expected).input("canary").fails(13).await;
        assert!(refused.contains(exists) && !refused.contains("canary"), "{refused}");
    }
    // While an editor is open, others work; what they wrote is not overwritten.
    let meanwhile = format!("\"{}\" secrets set a=2 --env production && printf canary > \"$1\"", super::shell::binary().display());
    let refused = run("secrets edit a").var("EDITOR", &editor(&ada, &meanwhile)).output().await;
    assert_eq!(refused.status.code(), Some(13));
    assert!(text(&refused.stderr).contains("a: somebody wrote a version while you were editing; your text was not saved"));
    assert_eq!(run("secrets get a --plain").ok().await, "2");
    let failed = run("secrets edit a").var("EDITOR", &editor(&ada, "printf canary > \"$1\"; exit 1")).fails(1).await;
    assert!(failed.contains("nothing was changed"), "{failed}");
    let unchanged = run("secrets edit a").var("EDITOR", "true").output().await;
    assert_eq!((text(&unchanged.stdout).as_str(), text(&unchanged.stderr).as_str()), ("", "unchanged; nothing was written\n"));
    assert_eq!(run("secrets get a").json().await["version"], 2);
    world.stop().await;
}
