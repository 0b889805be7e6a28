//! Archiving, renaming and the policy, told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{Engine, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_is_renamed_archived_and_brought_back() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    for name in ["stripe/key", "DATABASE_URL"] {
        ada.run("secrets set --stdin -e production").arg(name).input("v").ok().await;
    }
    ada.run("guard stripe/ -e production").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let carol = colleague(&world, &ada, "carol", "payments/production:stripe/:read").await;

    bob.run("env rename production live").fails(11).await;
    ada.run("env rename payments/production development").fails(2).await;
    ada.run("env rename payments/production live").ok().await;
    ada.run("project rename billing --project payments").ok().await;
    for (who, only) in [(&ada, ""), (&bob, ""), (&carol, "stripe/")] {
        let listed = who.run("env list").json().await;
        let live = listed.as_array().unwrap().iter().find(|row| row["name"] == "live").expect("the new name");
        assert_eq!((&live["project"], live["only"].as_array().unwrap().len()), (&"billing".into(), usize::from(!only.is_empty())));
        assert_eq!(who.run("secrets get --plain stripe/key --project billing -e live").ok().await, "v");
    }
    carol.run("secrets list --project payments -e production").fails(12).await;
    let access = ada.run("grant list --to carol").json().await;
    assert_eq!(access[0]["environment"], "billing/live:stripe/");

    let asked = ada.run("env archive billing/live").fails(2).await;
    assert!(asked.contains("--yes"), "{asked}");
    bob.run("env archive billing/live --yes").fails(11).await;
    ada.run("env archive billing/live --yes").ok().await;
    for who in [&ada, &bob, &carol] {
        let told = who.run("secrets get --plain stripe/key --project billing -e live").fails(12).await;
        assert!(told.contains("it is archived"), "{told}");
    }
    assert_eq!(ada.run("env list --archived").json().await[0]["name"], "live");
    ada.run("env create live --project billing").ok().await;
    let taken = ada.run("env restore billing/live").fails(2).await;
    assert!(taken.contains("exists already"), "{taken}");
    ada.run("env rename billing/live new").ok().await;
    ada.run("env restore billing/live").ok().await;
    for who in [&ada, &bob, &carol] {
        assert_eq!(who.run("secrets get --plain stripe/key --project billing -e live").ok().await, "v");
    }
    assert_eq!(ada.run("env list --archived").json().await, serde_json::json!([]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_is_an_owners_to_set_and_everybodys_to_follow() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let shown = bob.run("policy show").json().await;
    assert_eq!(
        (&shown["require_confirm"], &shown["min_suite"], &shown["max_staleness"]),
        (&false.into(), &1.into(), &serde_json::Value::Null)
    );
    bob.run("policy set --require-confirm yes --yes").fails(11).await;
    assert!(ada.run("policy set --require-confirm yes").fails(2).await.contains("--yes"));
    ada.run("policy set --min-suite 2 --yes").fails(1).await;
    ada.run("policy set --add-origin two.example --yes").fails(2).await;
    let set = ada.run("policy set --require-confirm yes --max-staleness 1s --add-origin https://two.example:443 --yes").json().await;
    assert_eq!((&set["require_confirm"], &set["max_staleness"], set["origins"].as_array().unwrap().len()), (&true.into(), &"1s".into(), 2));
    assert_eq!(bob.run("policy show").json().await, set);

    // A join waits now, without any right; and silence is told.
    let carol = Shell::resident(&world, "carol").await;
    let invited = ada.run("member invite --name carol --grant payments/production:read").json().await;
    carol.run("join --yes").arg(invited["code"].as_str().unwrap()).ok().await;
    carol.run("secrets list -e production").fails(12).await;
    ada.run("member confirm carol --yes").ok().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let told = carol.run("secrets list -e production").output().await;
    assert!(told.status.success() && super::shell::text(&told.stderr).contains("E_STALE"), "{told:?}");
    let loosened = ada.run("policy set --max-staleness none --require-confirm no").fails(2).await;
    assert!(loosened.contains("nobody is warned of silence"), "{loosened}");
    world.stop().await;
}
