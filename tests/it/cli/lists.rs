//! What people see: the human output of the commands that list and show, as snapshots to review.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{Engine, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_summaries_read_well() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    assert_eq!(ada.run("machine list").ok().await, "", "an empty table is a note");
    ada.run("project create website").ok().await;
    ada.run("env create staging --project payments").ok().await;
    ada.run("secrets set stripe/key --stdin --label")
        .arg("Stripe live")
        .arg("--expires")
        .arg("7d")
        .arg("-e")
        .arg("production")
        .arg("--project")
        .arg("payments")
        .input("sk_1")
        .ok()
        .await;
    let _bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let dora = Shell::resident(&world, "dora").await;
    let code = ada.run("member invite --name").arg("Dora D'Arc").arg("--grant").arg("payments/staging:write").ok().await;
    dora.run("join --yes --code-stdin").input(code).ok().await;
    ada.run("member invite --name Eve --role admin --ttl 24h").ok().await;
    ada.run("grant add --to bob --on payments/staging --perm manage --ttl 12h").ok().await;
    ada.run("machine create ci -e production --project payments --ttl 20d").ok().await;

    for (name, line) in [
        ("org_list", "org list"),
        ("org_show", "org show"),
        ("project_list", "project list"),
        ("env_list", "env list"),
        ("member_list", "member list"),
        ("grant_list", "grant list"),
        ("machine_list", "machine list"),
        ("status", "status"),
    ] {
        insta::assert_snapshot!(name, redacted(&ada.run(line).ok().await));
    }
    insta::assert_snapshot!("member_show", redacted(&without_words(&ada.run("member show").arg("Dora D'Arc").ok().await)));
    insta::assert_snapshot!("member_remove", redacted(&ada.run("member remove bob --yes").ok().await));
    ada.run("machine revoke ci --yes").ok().await;
    insta::assert_snapshot!("worklog_list", redacted(&ada.run("worklog list").ok().await));
    let trusted = ada.run("trust list").ok().await;
    let own = ada.run("whoami").json().await["words"].as_str().unwrap().to_owned();
    assert!(trusted.contains(&own) && trusted.contains("your own"), "{trusted}");
    let status = dora.run("status").ok().await;
    let own = dora.run("whoami").json().await["words"].as_str().unwrap().to_owned();
    insta::assert_snapshot!("status_of_a_newcomer", redacted(&status.replace(&own, "(ten words)")));
    world.stop().await;
}

/// Ids, hashes, times and the address differ every time; their places stay.
fn redacted(text: &str) -> String {
    let is_hex = |word: &str| word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = |word: &str| word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    let shown = |word: &str| match word {
        _ if is_hex(word) => format!("{:x<1$}", "", word.len()),
        _ if is_time(word) => "2026-11-23T09:00:00Z".to_owned(),
        _ if word.starts_with("http://") => "http://127.0.0.1:8420".to_owned(),
        _ => word.to_owned(),
    };
    let lines = text.lines().map(|line| line.split(' ').map(shown).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

fn without_words(text: &str) -> String {
    let shown = |line: &str| if line.starts_with("words") { "words     (ten words)".to_owned() } else { line.to_owned() };
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_found_by_the_id_that_a_mail_shows() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("secrets set stripe/key --stdin --expires 5d -e production").input("v").ok().await;
    ada.run("secrets set stripe/key --stdin -e development").input("v").ok().await;
    let due = ada.run("remind").json().await;
    let id = due["due"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ada.run("secrets get stripe/key -e production").json().await["id"], id.as_str());
    let short: String = id.chars().take(8).collect();
    let found = ada.run(&format!("secrets find {short}")).json().await;
    assert_eq!((&found[0]["environment"], &found[0]["name"]), (&"payments/production".into(), &"stripe/key".into()));
    assert_eq!((found.as_array().map(Vec::len), &found[0]["id"]), (Some(1), &id.as_str().into()));
    ada.run("secrets delete stripe/key --yes -e production").ok().await;
    let deleted = ada.run(&format!("secrets find {}", id.to_uppercase())).ok().await;
    assert!(deleted.contains("2 (deleted)"), "{deleted}");
    assert!(ada.run("secrets find ffffffff").fails(12).await.contains("keyvawlt org list"));
    for wrong in ["0a1b2", "stripe", &"0".repeat(33)] {
        assert!(ada.run("secrets find").arg(wrong).fails(2).await.contains("6 to 32 hexadecimal digits"));
    }
    world.stop().await;
}
