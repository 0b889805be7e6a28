//! Rotations in steps, facts, rules about expiry and reminders, told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{Engine, World};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_begun_in_one_pipeline_step_is_committed_in_another_whatever_was_cut_off() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let set = ada.run("secrets set stripe/key --stdin --note live --tag pay -e production");
    set.words("--rotate-every 90d").input("k1").ok().await;
    let token = ada.run("machine create deploy --perm write -e production").ok().await;
    // Each step begins on a fresh machine, as pipelines do.
    let step = |nth: u32, words: &str| Shell::new(&world, &format!("step-{nth}")).run(words).var("KEYVAWLT_TOKEN", token.trim());
    let begin = "rotate begin stripe/key --random alnum:32 --key build-42 --expires 90d -e production";
    step(1, "rotate commit stripe/key -e production").fails(12).await;
    let began = step(2, begin).json().await;
    assert_eq!((&began["state"], &began["already"]), (&json!("pending"), &json!(false)));
    // The step was killed here, and the pipeline starts over.
    let again = step(3, begin).json().await;
    assert_eq!((&again["state"], &again["already"]), (&json!("pending"), &json!(true)));
    let drawn = step(4, "secrets get stripe/key --draft --plain -e production").ok().await;
    assert_eq!(drawn.len(), 32);
    assert_eq!(ada.run("secrets get stripe/key --plain -e production").ok().await, "k1", "nobody uses it yet");
    let staged = ada.run("secrets get stripe/key --draft -e production").json().await;
    assert_eq!((&staged["tags"], &staged["note"]), (&json!(["pay"]), &json!("live")));
    let under_way = ada.run("rotate list -e production").json().await;
    assert_eq!(
        (&under_way[0]["name"], &under_way[0]["state"], &under_way[0]["by"]),
        (&json!("stripe/key"), &json!("pending"), &json!("deploy"))
    );

    let committed = step(5, "rotate commit stripe/key -e production").json().await;
    assert_eq!((&committed["version"], &committed["already"]), (&json!(2), &json!(false)));
    // Facts that are told anew since take nothing from that.
    ada.run("secrets facts stripe/key --label Stripe -e production").ok().await;
    let twice = step(6, "rotate commit stripe/key -e production").json().await;
    assert_eq!((&twice["version"], &twice["already"]), (&json!(2), &json!(true)), "once");
    let late = step(7, "rotate abort stripe/key -e production").fails(13).await;
    assert!(late.contains("was committed as version 2: it is too late to abort it"), "{late}");
    let over = step(8, begin).json().await;
    assert_eq!((&over["state"], &over["version"]), (&json!("committed"), &json!(2)), "the same rotation, from the beginning");
    let now = ada.run("secrets get stripe/key -e production").json().await;
    assert_eq!((&now["value"], &now["version"], &now["rotate_every"]), (&json!(drawn), &json!(2), &json!("90d")));
    assert_eq!(
        (&now["tags"], &now["note"]),
        (&json!(["pay"]), &json!("live")),
        "what was not said stays, and the key of the rotation is gone"
    );
    assert!(now["expires"].is_string(), "{now}");

    let next = step(9, &begin.replace("build-42", "build-43")).json().await;
    assert_eq!((&next["state"], &next["already"]), (&json!("pending"), &json!(false)), "another rotation");
    assert_eq!(step(10, "rotate abort stripe/key -e production").json().await["already"], false);
    assert_eq!(step(11, "rotate abort stripe/key -e production").json().await["already"], true);
    let aborted = step(12, "rotate commit stripe/key -e production").fails(13).await;
    assert!(aborted.contains("was aborted"), "{aborted}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_with_a_value_is_one_rotation_and_another_value_is_refused() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let run = |words: &str, value: &str| ada.run(words).var("KEYVAWLT_ENV", "production").input(value);
    run("rotate begin db --stdin", "d1").fails(12).await;
    run("secrets set db --stdin", "d1").ok().await;
    assert_eq!(run("rotate begin db --stdin", "d1").json().await["state"], "current");
    assert_eq!(run("rotate begin db --stdin", "d2").json().await["already"], false);
    assert_eq!(run("rotate begin db --stdin", "d2").json().await["already"], true);
    let other = run("rotate begin db --stdin", "d3").fails(13).await;
    assert!(other.contains("another value is under way") && other.contains("--replace"), "{other}");
    assert_eq!(run("rotate begin db --stdin --replace", "d3").json().await["already"], false);
    assert_eq!(run("secrets draft list", "").json().await[0]["name"], "db", "a rotation is a draft, and nothing else");
    let committed = run("rotate commit db", "").json().await;
    assert_eq!(committed["version"], 2);
    assert!(committed["previous_until"].is_string(), "{committed}");
    assert_eq!(run("secrets get db --plain", "").ok().await, "d3");
    // Two steps of one pipeline, started twice at the same moment.
    let begin = || run("rotate begin db --random hex:32 --key twice", "").json();
    let (one, other) = tokio::join!(begin(), begin());
    let staged = [&one, &other].map(|begun| (begun["state"].clone(), begun["already"].clone()));
    assert!(staged.contains(&(json!("pending"), json!(false))) && staged.contains(&(json!("pending"), json!(true))), "{staged:?}");
    run("rotate abort db", "").ok().await;
    for key in ["", "with space", &"x".repeat(49)] {
        let refused = run("rotate begin db --stdin --key", "d4").arg(key).fails(2).await;
        assert!(refused.contains("key: 1 to 48"), "{refused}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_previous_value_is_readable_within_its_grace_and_refused_after() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("secrets set stripe/key --stdin").input("k1").ok().await;
    assert!(run("secrets get stripe/key --previous").fails(12).await.contains("no previous version"));
    run("secrets set stripe/key --stdin").input("k2").ok().await;
    assert_eq!(run("secrets get stripe/key --previous --plain").ok().await, "k1");
    let address = "keyvawlt://payments/production/stripe/key?version=previous";
    assert_eq!(ada.run("secrets get --plain").arg(address).ok().await, "k1", "wherever one is");
    let both = "${vault:stripe/key}+${vault:stripe/key@previous}";
    let shown = || run("run -- /usr/bin/printenv BOTH").var("BOTH", both);
    assert_eq!(shown().ok().await, "k2+k1\n");
    let history = run("secrets history stripe/key").json().await;
    assert_eq!((&history[0]["state"], &history[1]["state"]), (&json!("current"), &json!("previous")));
    assert!(history[1]["until"].is_string());
    let listed = run("rotate list").json().await;
    assert_eq!((&listed[0]["state"], &listed[0]["version"], &listed[0]["previous"]), (&json!("grace"), &json!(2), &json!(1)));
    assert!(run("rotate list").ok().await.contains("version 1 ends in 7 d"));

    // Without grace, whoever still asks for it hears so, and no program starts.
    run("secrets facts stripe/key --grace none").ok().await;
    let over = run("secrets get stripe/key --previous").fails(12).await;
    assert!(over.contains("error[GRACE_OVER]") && over.contains("--version 1"), "{over}");
    assert!(shown().fails(12).await.contains("the grace of the previous version ended"));
    assert_eq!(run("rotate list").json().await, json!([]));
    run("secrets facts stripe/key --grace 1s").ok().await;
    run("secrets set stripe/key --stdin").input("k3").ok().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    run("secrets get stripe/key --previous").fails(12).await;
    assert_eq!(run("secrets get stripe/key --version 2 --plain").ok().await, "k2");
    assert_eq!(run("secrets history stripe/key").json().await[1]["state"], "retired");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_production_secret_without_an_expiry_is_refused_where_the_organization_says_so() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let set = |words: &str| ada.run(&format!("secrets set --stdin -e {words}")).input("v");
    let old = set("production old").ok().await;
    assert_eq!(old, "old is at version 1\n");
    let shown = ada.run("policy set --expiry-in-production warn --yes").json().await;
    assert_eq!((&shown["expiry_in_production"], &shown["default_expiry"]), (&json!("warn"), &Value::Null));
    let warned = set("production old").output().await;
    assert!(String::from_utf8_lossy(&warned.stderr).contains("wants one in production"), "{warned:?}");
    assert_eq!(due(&ada, "").await, [("old".to_owned(), "no_expiry".to_owned())]);
    ada.run("remind --fail-within 1d").ok().await;
    let heard = |output: std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let without = heard(set("production bare --without expires").output().await);
    assert!(!without.contains("can read:"), "there is nothing to read: {without}");
    ada.run("secrets facts old --expires 60d -e production").ok().await;
    let taken = heard(ada.run("secrets facts old --without expires -e production").output().await);
    assert!(taken.contains("wants one in production"), "{taken}");
    let both = ada.run("secrets facts old --expires 60d --without expires -e production").fails(2).await;
    assert!(both.contains("say one of them"), "{both}");
    ada.run("secrets delete bare --yes -e production").ok().await;
    // What was staged before the rule does not pass it.
    ada.run("rotate begin old --random hex:32 -e production").ok().await;

    ada.run("policy set --expiry-in-production refuse --yes").ok().await;
    for step in ["rotate commit old", "secrets draft commit old"] {
        let refused = ada.run(step).words("-e production").fails(2).await;
        assert!(refused.contains("rotate begin old --replace --expires"), "{refused}");
    }
    let told = "rotate begin old --random hex:32 --replace --expires 60d -e production";
    ada.run(told).ok().await;
    let committed = heard(ada.run("rotate commit old -e production").output().await);
    assert!(committed.contains("in 60 d") && !committed.contains("default"), "somebody said it: {committed}");
    let file = ada.home().join("more.env");
    std::fs::write(&file, "IMPORTED=1\n").unwrap();
    ada.run("import more.env -e production").fails(2).await;
    ada.run("import more.env --expires 60d -e production").ok().await;
    assert!(ada.run("secrets get IMPORTED -e production").json().await["expires"].is_string());
    let refused = set("production new").fails(2).await;
    assert!(refused.contains("expires: new: the organization wants an expiry on every secret in production"), "{refused}");
    ada.run("rotate begin old --random hex:32 -e production").fails(2).await;
    set("production new --expires 60d").ok().await;
    ada.run("secrets facts new --without expires -e production").fails(2).await;
    ada.run("secrets facts new --label New -e production").ok().await;
    set("development new").ok().await;
    let back = ada.run("secrets rollback old --to 1 -e production").json().await;
    assert_eq!(back["expires"], Value::Null, "going back is never refused");
    let due_now = ada.run("remind --fail-within 1d").output().await;
    assert_eq!(due_now.status.code(), Some(20));
    let said = String::from_utf8_lossy(&due_now.stderr).into_owned();
    assert!(said.contains("error[DUE]: 1 thing is due within 1d"), "{said}");

    // With a default, everything new ends, and it is said.
    ada.run("policy set --default-expiry 90d --yes").ok().await;
    let written = set("production old").output().await;
    let said = String::from_utf8_lossy(&written.stderr).into_owned();
    assert!(said.contains("in 90 d") && said.contains("the organization's default"), "{said}");
    assert!(set("production old").json().await["expires"].is_string());
    set("production old --without expires").fails(2).await;
    let imported = heard(ada.run("import more.env --on-conflict overwrite --prefix x/ -e production").output().await);
    assert!(imported.contains("they expire in 90d, the organization's default"), "{imported}");
    let bob = colleague(&world, &ada, "bob", "payments/production:write").await;
    bob.run("secrets set theirs --stdin -e production").input("v").ok().await;
    assert!(bob.run("secrets get theirs -e production").json().await["expires"].is_string(), "every client keeps the rules");
    bob.run("policy set --default-expiry none --yes").fails(11).await;
    ada.run("policy set --default-expiry 2h --yes").fails(2).await;

    // A machine cannot read the rules, which its people's reminders make up for.
    let token = ada.run("machine create ci --perm write -e production").ok().await;
    let ci = Shell::new(&world, "ci");
    let by_machine = ci.run("secrets set made/by-ci --stdin -e production").var("KEYVAWLT_TOKEN", token.trim()).input("v").output().await;
    assert!(by_machine.status.success());
    assert!(String::from_utf8_lossy(&by_machine.stderr).contains("machines cannot read the organization's rules"), "{by_machine:?}");
    assert_eq!(due(&ada, "").await, [("made/by-ci".to_owned(), "no_expiry".to_owned())]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_hears_what_is_due_and_whose_it_is() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let bob = colleague(&world, &ada, "bob", "payments/production:write").await;
    let set = |words: &str| ada.run(&format!("secrets set --stdin -e production {words}")).input("v");
    assert_eq!(ada.run("remind").output().await.stdout, b"", "nothing is due");
    set("soon --expires 5d --owner bob --label Soon").ok().await;
    set("later --expires 60d --owner ada").ok().await;
    set("old --rotate-every 20d --owner bob").ok().await;
    set("gone --expires 1s").ok().await;
    let nobody = set("x --owner Zoe").fails(12).await;
    assert!(nobody.contains("keyvawlt member list"), "{nobody}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let pair = |name: &str, why: &str| (name.to_owned(), why.to_owned());
    let expected = [pair("gone", "expired"), pair("soon", "expires"), pair("old", "rotation")];
    assert_eq!(due(&ada, "").await, expected);
    assert_eq!(due(&bob, "--mine").await, [pair("soon", "expires"), pair("old", "rotation")]);
    assert_eq!(due(&ada, "--within 90d").await.last(), Some(&pair("later", "expires")));
    let text = ada.run("remind").ok().await;
    assert!(text.contains("payments/production  soon    Soon   bob    expires in 5 d"), "{text}");
    assert!(text.contains("is to be rotated in 20 d"), "{text}");
    let status = ada.run("status").ok().await;
    assert!(status.contains("payments/production soon (Soon) expires in 5 d"), "{status}");
    let code = async |words: &str| bob.run(&format!("remind --mine --fail-within {words}")).output().await.status.code();
    assert_eq!((code("2d").await, code("7d").await), (Some(0), Some(20)));

    // Whoever leaves leaves work behind, which the server is not asked about.
    bob.run("secrets get old --plain -e production").ok().await;
    ada.run("member remove bob --yes").ok().await;
    assert!(due(&ada, "").await.contains(&pair("soon", "work_owed")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_make_no_sense_are_refused_by_name_and_each_is_taken_back_alone() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    ada.run("monitor add api --url https://api.example.com/health -e development").ok().await;
    let missing = run("secrets set db --stdin --monitor api").input("v").fails(12).await;
    assert!(missing.contains("no such monitor") && missing.contains("--monitor"), "{missing}");
    let monitor = run("monitor add api --url https://api.example.com/health").json().await["id"].as_str().unwrap().to_owned();
    let all = "secrets set db --stdin --expires 90d --rotate-every 90d --grace 7d --provider postgres --owner ada --monitor api";
    run(all).arg("--label").arg("Main database").input("v").ok().await;
    let shown = run("secrets get db").json().await;
    let told = ["rotate_every", "grace", "label", "provider", "owner", "monitor"].map(|fact| shown[fact].as_str().unwrap().to_owned());
    assert_eq!(told, ["90d", "7d", "Main database", "postgres", "ada", monitor.as_str()]);
    let cases = [
        ("--rotate-every 5m", "rotate-every: at least an hour"),
        ("--grace 400d", "grace: at most a year"),
        ("--grace 100d", "grace: it must not be longer than the time between two rotations"),
        ("--expires 2020-01-01", "--expires: the moment lies in the past"),
    ];
    for (words, said) in cases {
        let refused = run("secrets facts db").words(words).fails(2).await;
        assert!(refused.contains(said), "{refused}");
    }
    for (flag, value) in [("--label", "x".repeat(201)), ("--provider", "a\nb".to_owned()), ("--monitor", " ".to_owned())] {
        let refused = run("secrets facts db").arg(flag).arg(&value).fails(2).await;
        assert!(refused.contains(&format!("{}: ", flag.trim_start_matches('-'))), "{refused}");
    }
    for (fact, key) in
        [("expires", "expires"), ("grace", "grace"), ("owner", "owner"), ("monitor", "monitor"), ("rotate-every", "rotate_every")]
    {
        run("secrets facts db --without").arg(fact).ok().await;
        assert_eq!(run("secrets get db").json().await[key], Value::Null, "{fact}");
    }
    let reads = run("secrets facts db --without label").ok().await;
    assert_eq!(reads, "of db the server and its mails can read: provider postgres\n");
    world.stop().await;
}

/// What somebody is told to be due: names, and why.
async fn due(who: &Shell, words: &str) -> Vec<(String, String)> {
    let said = who.run(&format!("remind {words}")).json().await;
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    said["due"].as_array().unwrap().iter().map(|item| (text(item, "secret"), text(item, "why"))).collect()
}
