//! How memberships change and end, whose keys are trusted, and how machines get new tokens: told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::{Shell, until_fails};
use crate::world::{World, in_real_time_on_each_store};
use serde_json::json;

in_real_time_on_each_store!(
    people_leave_by_themselves_but_never_the_last_owner,
    roles_and_ends_change_and_the_directory_follows,
    a_machine_gets_a_new_token_while_the_old_one_works_on_for_a_while,
    words_that_were_compared_are_remembered_and_replaced_keys_noticed,
    codes_carry_keys_below_production_and_are_marked_when_they_were_seen,
    whoever_was_removed_comes_back_with_new_keys_and_none_of_the_old_access,
);

async fn people_leave_by_themselves_but_never_the_last_owner(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("1").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let asked = bob.run("org leave").fails(2).await;
    assert!(asked.contains("--yes"), "{asked}");
    bob.run("org leave --yes").ok().await;
    assert_eq!(bob.run("org list").json().await, json!([]), "it is off his list");
    bob.run("secrets list -e production").fails(12).await;
    let work = ada.run("worklog list").json().await;
    assert_eq!((&work[0]["secret"], &work[0]["lost_by"][0]["why"]), (&json!("a"), &json!("left")));
    assert!(ada.run("status").ok().await.contains("to rotate"));

    let told = ada.run("org leave --yes").fails(11).await;
    assert!(told.contains("must remain") && told.contains("member set NAME --role owner"), "{told}");
    let eve = colleague(&world, &ada, "eve", "payments/production:manage").await;
    ada.run("grant add --to eve --on payments/development --perm read").ok().await;
    ada.run("member set eve --role owner").ok().await;
    ada.run("org leave --yes").ok().await;
    let left = eve.run("member list").json().await;
    assert_eq!((left.as_array().unwrap().len(), &left[0]["role"]), (1, &json!("owner")));
    eve.run("secrets set a --stdin -e production").input("2").ok().await;
    assert_eq!(eve.run("worklog list").json().await, json!([]));
    world.stop().await;
}

async fn roles_and_ends_change_and_the_directory_follows(world: World) {
    let ada = owner_of_payments(&world).await;
    let bob = colleague(&world, &ada, "bob", "payments/development:read").await;
    bob.run("member invite --name Eve").fails(11).await;
    bob.run("member set bob --role admin").fails(11).await;
    ada.run("member set bob --role admin --ends 90d").ok().await;
    let shown = ada.run("member show bob").json().await;
    assert_eq!(shown["role"], "admin");
    assert_ne!(shown["expires"], json!(null));
    bob.run("member invite --name Eve --ttl 1h").fails(11).await;
    bob.run("member invite --name Eve --ttl 1h --ends 30d").ok().await;
    let refused = bob.run("member set ada --role member").fails(11).await;
    assert!(refused.contains("owner"), "{refused}");
    ada.run("member set bob --ends never").ok().await;
    bob.run("member set bob --role member").ok().await;
    bob.run("member invite --name Carl").fails(11).await;
    assert_eq!(ada.run("member show bob").json().await["role"], "member");
    ada.run("member set bob --role auditor").fails(11).await;
    ada.run("member set bob --ends 5s").ok().await;
    until_fails(11, || bob.run("secrets list -e development")).await;
    world.stop().await;
}

async fn a_machine_gets_a_new_token_while_the_old_one_works_on_for_a_while(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("1").ok().await;
    let old = ada.run("machine create ci -e production --perm write --ttl 90d").ok().await;
    ada.run("machine replace ci --overlap 31d").fails(2).await;
    let told = ada.run("machine replace ci --overlap 8s --ttl 30d --token-file new.token").json().await;
    assert_eq!(told["name"], "ci");
    let agent = Shell::new(&world, "agent");
    let with_old = || agent.run("secrets get --plain a -e production").var("KEYVAWLT_TOKEN", old.trim());
    assert_eq!(with_old().ok().await, "1", "both work");
    let path = ada.home().join("new.token");
    let path = path.to_str().unwrap();
    agent.run("secrets set a --stdin -e production").input("2").var("KEYVAWLT_TOKEN_FILE", path).ok().await;

    let listed = ada.run("machine list").json().await;
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names.len()), ("ci", 2));
    assert!(names[1].starts_with("ci (replaced "), "{names:?}");
    assert!(listed.as_array().unwrap().iter().all(|row| row["admitted_by"] == "ada" && row["expires"] != json!(null)), "{listed}");
    assert_eq!(listed[0]["access"][0]["permissions"], json!(["read", "write"]));
    until_fails(10, with_old).await;
    assert_eq!(agent.run("secrets get --plain a -e production").var("KEYVAWLT_TOKEN_FILE", path).ok().await, "2");

    let work = ada.run("worklog list").json().await;
    assert_eq!((work.as_array().unwrap().len(), &work[0]["lost_by"][0]["why"]), (1, &json!("ended")), "an end is a loss");
    let id = told["replaced"].as_str().unwrap();
    ada.run("worklog resolve --reason replaced --of").arg(id).ok().await;
    assert_eq!(ada.run("worklog list").json().await, json!([]));
    ada.run("machine revoke --yes").arg(id).ok().await;
    world.stop().await;
}

async fn words_that_were_compared_are_remembered_and_replaced_keys_noticed(world: World) {
    let ada = owner_of_payments(&world).await;
    let bob = colleague(&world, &ada, "bob", "payments/development:read").await;
    let eve = colleague(&world, &ada, "eve", "payments/development:read").await;
    let row = |rows: &serde_json::Value, name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    let listed = ada.run("trust list").json().await;
    assert_eq!(
        (&row(&listed, "ada")["here"], &row(&listed, "bob")["here"]),
        (&json!("own"), &json!("compared")),
        "confirming is comparing"
    );
    let history = row(&listed, "bob")["history"].clone();
    assert_eq!((&history[0]["came"], &history[0]["by"]), (&json!("joined"), &json!("ada")));

    assert_eq!(row(&eve.run("trust list").json().await, "bob")["here"], "unknown");
    let words = bob.run("whoami").json().await["words"].as_str().unwrap().to_owned();
    let wrong = ada.run("whoami").json().await["words"].as_str().unwrap().to_owned();
    let told = eve.run("trust verify bob --words").arg(&wrong).fails(17).await;
    assert!(told.contains("give no access"), "{told}");
    eve.run("trust pin bob").ok().await;
    assert_eq!(row(&eve.run("trust list").json().await, "bob")["here"], "seen");
    eve.run("trust verify bob --words").arg(&words.to_uppercase()).ok().await;
    eve.run("trust pin bob").ok().await;
    assert_eq!(row(&eve.run("trust list").json().await, "bob")["here"], "compared", "a look takes nothing back");
    eve.run("trust verify eve --yes").fails(2).await;

    bob.run("keys rotate --yes").ok().await;
    let rotated = row(&ada.run("trust list").json().await, "bob");
    assert_eq!((&rotated["here"], &rotated["history"][1]["came"]), (&json!("compared"), &json!("rotated")), "he vouched for them himself");
    ada.run("grant add --to bob --on payments/development --perm write").ok().await;
    bob.run("keys rotate --compromised --yes").ok().await;
    assert_eq!(row(&ada.run("trust list").json().await, "bob")["here"], "replaced");
    let refused = ada.run("grant add --to bob --on payments/production --perm read").fails(17).await;
    assert!(refused.contains("keyvawlt trust verify bob"), "{refused}");
    let words = bob.run("whoami").json().await["words"].as_str().unwrap().to_owned();
    ada.run("trust verify bob --words").arg(&words).ok().await;
    ada.run("grant add --to bob --on payments/production --perm read").ok().await;
    world.stop().await;
}

async fn codes_carry_keys_below_production_and_are_marked_when_they_were_seen(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e development").input("1").ok().await;
    let invite = "member invite --name bob --carry-keys";
    for (grants, told) in [("--grant payments/production:read", "production"), ("--grant payments/development:read --ttl 73h", "72h")] {
        let refused = ada.run(invite).words(grants).fails(2).await;
        assert!(refused.contains(told), "{refused}");
    }
    let invited = ada.run(invite).words("--grant payments/development:read --grant payments/production:read --ends 30d").json().await;
    assert_eq!(invited["carries"], json!(["payments/development"]));
    let bob = Shell::resident(&world, "bob").await;
    bob.run("join --yes --code-stdin").input(invited["code"].as_str().unwrap()).ok().await;
    assert_eq!(bob.run("secrets get --plain a -e development").ok().await, "1", "at once");
    bob.run("secrets list -e production").fails(12).await;
    assert_ne!(ada.run("member show bob").json().await["expires"], json!(null));
    let status = ada.run("status").json().await;
    let owed = |name: &str| {
        let rows = status["environments"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["key_change_due"] == true
    };
    assert!(owed("development") && !owed("production"), "the code may have been found: {status}");
    ada.run("secrets set b --stdin -e development").input("1").ok().await;

    let code = ada.run("member invite --name eve --carry-keys --grant payments/development:read").json().await;
    ada.run("member revoke-invite eve --yes").ok().await;
    let status = ada.run("status").json().await;
    assert!(status["environments"].as_array().unwrap().iter().all(|row| row["key_change_due"] == false), "{status}");
    Shell::resident(&world, "eve").await.run("join --yes --code-stdin").input(code["code"].as_str().unwrap()).fails(10).await;
    let refused = ada.run("member invite --name carl --unverified").fails(11).await;
    assert!(refused.contains("policy"), "{refused}");
    world.stop().await;
}

async fn whoever_was_removed_comes_back_with_new_keys_and_none_of_the_old_access(world: World) {
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set a --stdin -e production").input("1").ok().await;
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    ada.run("offboard bob --yes").ok().await;
    let code = ada.run("member invite --name bob").ok().await;
    let told = bob.run("join --yes --code-stdin").input(code.as_str()).fails(1).await;
    assert!(told.contains("keyvawlt keys rotate"), "{told}");
    bob.run("keys rotate --yes").ok().await;
    bob.run("join --yes --code-stdin").input(code.as_str()).ok().await;
    bob.run("secrets list -e production").fails(12).await;
    assert_eq!(ada.run("worklog list").json().await[0]["because_of"], json!(["bob"]), "what he knew he still knows");
    let refused = ada.run("grant add --to bob --on payments/production --perm read").fails(17).await;
    assert!(refused.contains("trust verify bob"), "the words she compared are not these: {refused}");
    ada.run("trust verify bob --yes").ok().await;
    ada.run("grant add --to bob --on payments/production --perm read").ok().await;
    assert_eq!(bob.run("secrets get --plain a -e production").ok().await, "1");
    let keys = ada.run("trust list").json().await;
    let bobs = keys.as_array().unwrap().iter().find(|row| row["name"] == "bob").unwrap();
    assert_eq!(bobs["history"].as_array().unwrap().len(), 2);
    world.stop().await;
}
