//! Offboarding, and the list of secrets to rotate, told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{World, in_real_time_on_each_store};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

in_real_time_on_each_store!(
    a_rehearsal_shows_what_offboarding_then_does,
    the_work_list_is_shared_and_settled_by_new_versions_or_with_a_reason,
    the_server_reminds_of_what_it_was_told_and_only_then,
);

async fn a_rehearsal_shows_what_offboarding_then_does(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production --provider stripe --owner ada --expires 60d").input("sk_1").ok().await;
    ada.run("secrets set debug/key --stdin -e development").input("dk_1").ok().await;
    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name bob --role admin --grant payments/production:manage").ok().await;
    bob.run("join --yes --code-stdin").input(code).ok().await;
    ada.run("member confirm bob --yes").ok().await;
    bob.run("secrets get --plain stripe/key -e production").ok().await;
    bob.run("secrets set own/key --stdin -e production").input("ok_1").ok().await;
    let token = bob.run("machine create ci -e production").ok().await;
    ada.run("secrets set later/key --stdin -e production").input("lk_1").ok().await;

    let before = ada.run("member list").json().await;
    let told = ada.run("offboard bob --dry-run --with-machines --report plan.md").json().await;
    assert_eq!((&told["dry_run"], &told["machines"][0]["name"]), (&json!(true), &json!("ci")));
    assert_eq!(told["rekeyed"], json!(["payments/production"]));
    assert_eq!(ada.run("member list").json().await, before, "nothing was changed");
    assert_eq!(fetched(&told, "stripe/key", "bob"), "delivered");
    assert_eq!(fetched(&told, "own/key", "bob"), "written");
    assert_eq!(fetched(&told, "later/key", "bob"), "not_on_record", "he has not asked since");
    assert_eq!(fetched(&told, "later/key", "ci"), "not_on_record");
    assert!(told["rotate"].as_array().unwrap().iter().all(|item| item["environment"] == "payments/production"));
    let plan = std::fs::read_to_string(ada.home().join("plan.md")).unwrap();
    assert!(plan.contains("# Offboarding of bob") && plan.contains("A rehearsal") && plan.contains("stripe/key"), "{plan}");

    let agent = Shell::new(&world, "agent");
    agent.run("secrets get --plain later/key -e production").var("KEYVAWLT_TOKEN", token.trim()).ok().await;
    let asked = ada.run("offboard bob --with-machines").fails(2).await;
    assert!(asked.contains("--yes"), "{asked}");
    let did = ada.run("offboard bob --with-machines --yes --report bob.json").json().await;
    assert_eq!(did["rekeyed"], json!(["payments/production"]));
    assert_eq!(fetched(&did, "later/key", "ci"), "delivered");
    assert_eq!(did["rotate"].as_array().unwrap().len(), 3);
    let report = ada.home().join("bob.json");
    assert_eq!(std::fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(serde_json::from_str::<Value>(&std::fs::read_to_string(&report).unwrap()).unwrap(), did);
    let item = did["rotate"].as_array().unwrap().iter().find(|item| item["secret"] == "stripe/key").unwrap();
    assert_eq!((&item["owner"], &item["provider"], &item["due_from"]), (&json!("ada"), &json!("stripe"), &json!("expires")));
    bob.run("secrets list -e production").fails(11).await;
    agent.run("secrets list -e production").var("KEYVAWLT_TOKEN", token.trim()).fails(10).await;
    world.stop().await;
}

async fn the_work_list_is_shared_and_settled_by_new_versions_or_with_a_reason(world: World) {
    let ada = owner_of_payments(&world).await;
    for secret in ["a", "b", "c"] {
        ada.run("secrets set --stdin -e production").arg(secret).input("1").ok().await;
    }
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let eve = colleague(&world, &ada, "eve", "payments/production:write").await;
    ada.run("offboard bob --yes").ok().await;

    ada.run("worklog assign a --to eve --due 7d --note soon -e production").ok().await;
    let listed = eve.run("worklog list").json().await;
    assert_eq!((&listed[0]["secret"], &listed[0]["assignee"], &listed[0]["note"]), (&json!("a"), &json!("eve"), &json!("soon")));
    assert_eq!((&listed[0]["due_from"], listed.as_array().unwrap().len()), (&json!("agreed"), 3));
    eve.run("worklog assign a --to bob -e production").fails(11).await;
    eve.run("worklog resolve b --reason unused -e production").fails(11).await;
    eve.run("worklog list --fetched").fails(11).await;
    ada.run("worklog resolve nothing --reason unused -e production").fails(12).await;
    let refused = ada.run("worklog resolve b -e production --reason").arg(" ").fails(2).await;
    assert!(refused.contains("why"), "{refused}");
    ada.run("worklog resolve b --reason unused -e production").ok().await;
    eve.run("secrets set a --stdin -e production").input("2").ok().await;
    let left = eve.run("worklog list --of bob").json().await;
    assert_eq!((&left[0]["secret"], left.as_array().unwrap().len()), (&json!("c"), 1));
    assert_eq!(ada.run("worklog list --of eve").json().await, json!([]));

    ada.run("offboard eve --yes").ok().await;
    let again = ada.run("worklog list --fetched --report list.md").json().await;
    let readers = |secret: &str| {
        let item = again.as_array().unwrap().iter().find(|item| item["secret"] == secret).expect("an item");
        item["because_of"].clone()
    };
    assert_eq!((readers("a"), readers("b"), readers("c")), (json!(["eve"]), json!(["eve"]), json!(["bob", "eve"])));
    assert!(std::fs::read_to_string(ada.home().join("list.md")).unwrap().contains("| payments/production | c |"));
    ada.run("worklog list --report list").fails(2).await;
    drop(bob);
    world.stop().await;
}

async fn the_server_reminds_of_what_it_was_told_and_only_then(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("1").ok().await;
    let _bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    ada.run("offboard bob --yes").ok().await;
    ada.run("worklog assign a --to ada --due 7d -e production").ok().await;
    assert_eq!(ada.run("secrets list -e production").json().await[0]["expires"], Value::Null);
    let told = ada.run("worklog assign a --due 7d --remind -e production").json().await;
    assert_eq!(told["reminder"], true);
    assert_ne!(ada.run("secrets list -e production").json().await[0]["expires"], Value::Null);
    assert_eq!(ada.run("worklog list").json().await[0]["assignee"], "ada", "what was agreed on before stays");
    world.stop().await;
}

/// How one secret went out to somebody, in a report.
fn fetched(report: &Value, secret: &str, who: &str) -> String {
    let items = report["rotate"].as_array().expect("a list");
    let item = items.iter().find(|item| item["secret"] == secret).unwrap_or_else(|| panic!("{secret} is not in {report}"));
    let lost = item["lost_by"].as_array().expect("a list").iter().find(|lost| lost["name"] == who);
    lost.unwrap_or_else(|| panic!("{who} is not in {item}"))["fetched"]["how"].as_str().expect("a word").to_owned()
}
