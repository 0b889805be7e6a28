//! People, organizations and access, told in commands.

use super::shell::{Shell, until_fails};
use crate::world::{Engine, World};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_compare_words_and_share_one_environment() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    ada.run("secrets set debug/key --stdin -e development").input("dk_1").ok().await;
    let bob = Shell::resident(&world, "bob").await;

    let invited = ada.run("member invite --name Bob --grant payments/production:write").json().await;
    let code = invited["code"].as_str().unwrap();
    let refused = bob.run("join --code-stdin").input(code).fails(2).await;
    assert!(refused.contains("--yes"), "nobody joins unasked: {refused}");
    let joined = bob.run("join --yes --code-stdin").input(code).json().await;
    assert_eq!(joined["organization"], "Acme");
    assert_eq!(joined["inviter_words"], words_of(&ada).await, "what Bob is shown is what Ada reads to him");
    assert_eq!(invited["words"], joined["inviter_words"]);
    bob.run("secrets get --plain stripe/key -e production").fails(12).await;

    let listed = ada.run("member show Bob").json().await;
    assert_eq!(listed["words"], words_of(&bob).await, "what Ada is shown is what Bob reads to her");
    assert_eq!(listed["words"], joined["words"]);
    assert_eq!(listed["pending"], true);
    let refused = ada.run("member confirm Bob").fails(2).await;
    assert!(refused.contains("--yes"), "{refused}");
    ada.run("member confirm Bob --yes").ok().await;
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");
    bob.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    bob.run("secrets get --plain debug/key -e development").fails(12).await;

    let again = Shell::resident(&world, "eve").await.run("join --yes").arg(code).fails(10).await;
    assert!(again.contains("E_INVITE") || again.contains("UNAUTHENTICATED"), "a code is used once: {again}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_removed_reads_nothing_new_and_leaves_a_list_of_secrets_to_rotate() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    ada.run("secrets set other/key --stdin -e development").input("ok_1").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");

    let asked = ada.run("member remove bob").fails(2).await;
    assert!(asked.contains("--yes"), "{asked}");
    let removed = ada.run("member remove bob --yes").json().await;
    assert_eq!(removed["rekeyed"], serde_json::json!(["payments/production"]));
    assert_eq!(removed["rotate"].as_array().unwrap().len(), 1);
    assert_eq!(removed["rotate"][0]["secret"], "stripe/key");
    ada.run("secrets set new/key --stdin -e production").input("nk_1").ok().await;
    for secret in ["stripe/key", "new/key"] {
        let refused = bob.run("secrets get --plain -e production").arg(secret).fails(11).await;
        assert!(!refused.contains("sk_1"), "{refused}");
    }

    let work = ada.run("worklog list").json().await;
    assert_eq!(work[0]["because_of"], serde_json::json!(["bob"]));
    assert_eq!(ada.run("status").json().await["to_rotate"], 1);
    ada.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    assert_eq!(ada.run("worklog list").json().await, serde_json::json!([]), "a new version settles an item");
    ada.run("member show bob").fails(12).await;
    assert_eq!(bob.run("org list").json().await[0]["name"], serde_json::Value::Null);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_is_given_lowered_taken_and_ends_by_itself() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    bob.run("secrets set stripe/key --stdin -e production").input("mine").fails(11).await;
    for forbidden in [
        "grant add --to bob --on payments/production --perm write",
        "member invite --name Eve",
        "member remove ada --yes",
        "machine create ci -e production",
        "project create mine",
    ] {
        bob.run(forbidden).fails(11).await;
    }

    ada.run("grant add --to bob --on payments/production --perm write").ok().await;
    bob.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    ada.run("grant add --to bob --on payments/production --perm read").ok().await;
    bob.run("secrets set stripe/key --stdin -e production").input("sk_3").fails(11).await;
    let taken = ada.run("grant remove --to bob --on payments/production --yes").json().await;
    assert_eq!(taken["rekeyed"], serde_json::json!(["payments/production"]));
    bob.run("secrets get --plain stripe/key -e production").fails(12).await;
    ada.run("grant remove --to bob --on payments/production --yes").fails(12).await;
    let again = ada.run("member confirm bob --yes").json().await;
    assert_eq!(again["given"], serde_json::json!([]), "what was taken away is not given again");

    ada.run("grant add --to bob --on payments/production --perm read --ttl 10s").ok().await;
    let get = || bob.run("secrets get --plain stripe/key -e production");
    assert_eq!(get().ok().await, "sk_2");
    until_fails(12, get).await;
    let rights = ada.run("grant list --to bob").json().await;
    assert_eq!(rights[0]["ended"], true);
    assert!(ada.run("status").ok().await.contains("bob in payments/production (read): ended"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_organizations_are_kept_apart() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("of Acme").ok().await;
    ada.run("org create Umbrella").ok().await;
    assert_eq!(ada.run("secrets get --plain a -e production").ok().await, "of Acme", "the first one stays the default");
    ada.run("env list --org Umbrella").ok().await;
    ada.run("org use Umbrella").ok().await;
    ada.run("secrets get --plain a -e production").fails(12).await;
    assert_eq!(ada.run("secrets get --plain a -e production --org Acme").ok().await, "of Acme");
    let listed = ada.run("org list").json().await;
    let chosen: Vec<_> = listed.as_array().unwrap().iter().filter(|row| row["chosen"] == true).collect();
    assert_eq!((chosen.len(), &chosen[0]["name"]), (1, &serde_json::json!("Umbrella")));

    let second = ada.run("org create Acme").json().await;
    let doubt = ada.run("secrets get --plain a -e production --org Acme").fails(2).await;
    assert!(doubt.contains("AMBIGUOUS") && doubt.contains(second["id"].as_str().unwrap()), "{doubt}");
    let id = second["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.run("org show").arg(&id).json().await["id"], id);
    ada.run("org show Nowhere").fails(12).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_two_people_have_are_told_apart_by_id() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    for who in ["bob", "bert"] {
        let shell = Shell::resident(&world, who).await;
        let code = ada.run("member invite --name Bo").ok().await;
        shell.run("join --yes --code-stdin").input(code).ok().await;
    }
    let doubt = ada.run("member remove Bo --yes").fails(2).await;
    let members = ada.run("member list").json().await;
    let ids: Vec<&str> =
        members.as_array().unwrap().iter().filter(|row| row["name"] == "Bo").map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| doubt.contains(&id[..12])), "{doubt}");
    ada.run("member remove --yes").arg(&ids[0][..12]).ok().await;
    ada.run("member show Bo").ok().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invite_can_be_ended_and_ends_by_itself() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name Bob").ok().await;
    ada.run("member revoke-invite Bob --yes").ok().await;
    let told = bob.run("join --yes --code-stdin").input(code).fails(10).await;
    assert!(told.contains("does not accept this code") && told.contains("ask") && !told.contains("keyvawlt login"), "{told}");
    let code = ada.run("member invite --name Bob --ttl 1s").ok().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    bob.run("join --yes --code-stdin").input(code).fails(10).await;
    assert_eq!(ada.run("member list").json().await[1]["state"], "invite_ended");

    let code = ada.run("member invite --name Bob").ok().await;
    let stranger = Shell::new(&world, "stranger");
    let told = stranger.run("join --yes --code-stdin").input(code.as_str()).fails(10).await;
    assert!(told.contains("keyvawlt signup --addr http://127.0.0.1"), "{told}");
    let mistyped = format!("{}x", code.trim_end());
    let told = bob.run("join --yes --code-stdin").input(mistyped).fails(2).await;
    assert!(told.contains("kvi1") && !told.contains(code.trim_end()), "{told}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_see_what_belongs_to_each_other_only_by_name() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name bob --role admin").ok().await;
    bob.run("join --yes --code-stdin").input(code).ok().await;
    bob.run("project create infra").ok().await;
    bob.run("secrets set db/password --stdin -e production --project infra").input("p_1").ok().await;
    ada.run("secrets get db/password --plain -e production --project infra").fails(12).await;
    for taken in ["project create payments", "env create production --project payments"] {
        let told = bob.run(taken).fails(2).await;
        assert!(told.contains("exists already"), "what he cannot read has its name all the same: {told}");
    }

    let carl = colleague(&world, &bob, "carl", "infra/production:read").await;
    carl.run("secrets get db/password --plain -e production").ok().await;
    let removed = ada.run("member remove carl --yes").json().await;
    assert_eq!(removed["rotate"], serde_json::json!([]), "Ada learns no names of what she does not read");
    assert_eq!(
        (&removed["unseen"], &removed["key_change_due"]),
        (&serde_json::json!(["infra/production"]), &serde_json::json!(["infra/production"]))
    );
    assert_eq!(ada.run("worklog list").json().await, serde_json::json!([]));
    let work = bob.run("worklog list").json().await;
    assert_eq!((&work[0]["secret"], &work[0]["because_of"][0]), (&"db/password".into(), &"carl".into()), "Bob, who reads it, has the list");
    bob.run("secrets set db/password --stdin -e production --project infra").input("p_2").ok().await;
    assert_eq!(bob.run("worklog list").json().await, serde_json::json!([]));

    let code = ada.run("member invite --name carl").ok().await;
    let told = carl.run("join --yes --code-stdin").input(code).fails(1).await;
    assert!(told.contains("was a member here before"), "{told}");
    let told = bob.run("member remove bob --yes").fails(11).await;
    assert!(told.contains("grant list --to bob"), "{told}");
    world.stop().await;
}

/// Ada, who owns Acme with its project payments.
pub async fn owner_of_payments(world: &World) -> Shell {
    let ada = Shell::resident(world, "ada").await;
    ada.run("org create Acme").ok().await;
    ada.run("project create payments").ok().await;
    ada
}

/// Somebody who joined and was confirmed.
pub async fn colleague(world: &World, admin: &Shell, name: &str, access: &str) -> Shell {
    let shell = Shell::resident(world, name).await;
    let code = admin.run("member invite --name").arg(name).arg("--grant").arg(access).ok().await;
    shell.run("join --yes --code-stdin").input(code).ok().await;
    admin.run("member confirm --yes").arg(name).ok().await;
    shell
}

async fn words_of(shell: &Shell) -> serde_json::Value {
    shell.run("whoami").json().await["words"].clone()
}
