//! Monitors by command: one is changed field by field, and every mistake names its field.

use super::bad_input::Heard;
use super::people::owner_of_payments;
use crate::world::{Engine, World};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_is_changed_field_by_field() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("monitor add api --url https://a.example/health --expect 200 --slow 800 --header x-ok").ok().await;
    let before = run("monitor show api").json().await;
    run("monitor set api").fails(2).await;
    run("monitor set api --url https://a.example/health").fails(2).await;
    run("monitor set nothing --interval 5m").fails(12).await;

    let said = run("monitor set api --name web --url https://b.example/ready --interval 5m --without headers,slow").ok().await;
    assert_eq!(said, "web is looked at anew: keyvawlt monitor show web\n");
    let after = run("monitor show web").json().await;
    assert_eq!(after["id"], before["id"], "it is the same one");
    assert_eq!((&after["url"], &after["interval_ms"]), (&json!("https://b.example/ready"), &json!(300_000)));
    let whole = run("monitor show web").ok().await;
    assert!(
        whole.contains("200") && !whole.contains("x-ok") && !whole.contains("800"),
        "what is not said stays, the rest is gone: {whole}"
    );
    run("monitor show api").fails(12).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_about_monitors_zones_and_facts_name_their_field() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let mut heard = Heard::of(&world);
    heard.hide("x".repeat(100), "LONG");
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("monitor add api --url https://a.example/health").ok().await;
    run("monitor add web --url https://a.example/").ok().await;
    run("secrets set db --stdin").input("v").ok().await;
    let lines = [
        ("a URL without a scheme", "monitor add x --url a.example"),
        ("a URL with a password", "monitor add x --url https://ada:pw@a.example"),
        ("a URL that no parser takes", "monitor set api --url http://[::1"),
        ("an interval of a second", "monitor add x --url https://a.example --interval 1s"),
        ("an interval of two days", "monitor set api --interval 2d"),
        ("an interval of nothing", "monitor set api --interval soon"),
        ("a time limit of a minute", "monitor set api --timeout 1m"),
        ("slower than its time limit", "monitor set api --slow 20000"),
        ("a status that is none", "monitor set api --expect 99"),
        ("a body of a HEAD", "monitor set api --method HEAD --body ok"),
        ("a name that is taken", "monitor add api --url https://a.example/other"),
        ("another's name", "monitor set web --name api"),
        ("a zone that is none", "monitor maintenance add x --weekly sat --at 02:30 --for 2h --zone Mars/Olympus"),
        ("a day that is none", "monitor maintenance add x --weekly someday --at 02:30 --for 2h"),
        ("a maintenance of 40 days", "monitor maintenance add x --to 40d"),
        ("a person's zone that is none", "notify preferences --time-zone Mars/Olympus"),
        ("quiet hours that are none", "notify preferences --quiet-hours 25:00-26:00"),
        ("a grace of years", "secrets facts db --grace 4000d"),
        ("a rotation every minute", "secrets facts db --rotate-every 1m"),
        ("a monitor that is none", "secrets facts db --monitor nothing"),
    ];
    for (what, words) in lines {
        heard.fails_any(what, run(words)).await;
    }
    for (flag, chars) in [("--name", 101), ("--body", 1_025)] {
        heard.fails_any(&format!("a {flag} of {chars} bytes"), run("monitor set api").arg(flag).arg(&"x".repeat(chars))).await;
    }
    let long_url = format!("https://a.example/{}", "x".repeat(2_048));
    heard.fails_any("a URL of more than 2,048 bytes", run("monitor set api --url").arg(&long_url)).await;
    for (flag, chars) in [("--label", 201), ("--provider", 129), ("--owner", 129), ("--monitor", 129)] {
        heard.fails_any(&format!("a {flag} of {chars} characters"), run("secrets facts db").arg(flag).arg(&"x".repeat(chars))).await;
    }
    heard.review("monitors_zones_and_facts");
    world.stop().await;
}
