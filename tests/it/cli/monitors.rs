//! Monitors by command: one is changed field by field.

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
    assert_eq!((&after["url"], &after["interval"]), (&json!("https://b.example/ready"), &json!("5m")));
    let whole = run("monitor show web").ok().await;
    assert!(
        whole.contains("200") && !whole.contains("x-ok") && !whole.contains("800"),
        "what is not said stays, the rest is gone: {whole}"
    );
    run("monitor show api").fails(12).await;
    world.stop().await;
}
