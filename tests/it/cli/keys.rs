//! One's own keys and ways in, told in commands.

use super::bad_input::Heard;
use super::shell::Shell;
use crate::world::{Engine, PASSWORD, World};
use serde_json::json;
use std::fs;

const NEW_PASSWORD: &str = "another horse, another staple";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_everywhere() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let before = ada.run("keys show").json().await;
    assert_eq!((&before["generation"], &before["earlier_in"]), (&json!(1), &json!([])));
    let refused = ada.run("keys rotate").fails(2).await;
    assert!(refused.contains("--yes"), "{refused}");
    let rotated = ada.run("keys rotate --yes").json().await;
    assert_eq!(rotated["organizations"], json!([{"organization": "Acme", "rekeyed": 0, "rotate": 0}]));
    let after = ada.run("keys show").json().await;
    assert_eq!((&after["generation"], &after["words"]), (&json!(2), &rotated["words"]));
    assert_eq!(after["identity"], before["identity"]);
    assert_ne!(after["words"], before["words"]);
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");

    let leaked = ada.run("keys rotate --compromised --yes").json().await;
    assert_eq!(leaked["organizations"], json!([{"organization": "Acme", "rekeyed": 2, "rotate": 1}]));
    let work = ada.run("worklog list").json().await;
    assert_eq!(work[0]["secret"], "stripe/key");
    ada.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    assert_eq!(ada.run("worklog list").json().await, json!([]));
    assert_eq!(ada.run("member show ada").json().await["words"], leaked["words"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_a_secret_key_and_devices_are_replaced() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::new(&world, "ada");
    ada.run("signup --email ada@example.com --password-stdin --kit-file kit").input(PASSWORD).ok().await;
    world.drain().await;
    let kit = fs::read_to_string(ada.home().join("kit")).unwrap();
    let laptop = Shell::new(&world, "laptop");
    let log_in = |shell: &Shell, kit: &str, password: &str| {
        fs::write(shell.home().join("kit"), kit).unwrap();
        shell.run("login --password-stdin --kit-file kit").input(password)
    };
    log_in(&laptop, &kit, PASSWORD).arg("--device-name").arg("laptop").ok().await;
    let listed = ada.run("device list").json().await;
    let devices: Vec<_> = listed.as_array().unwrap().iter().filter(|row| row["kind"] == "device").collect();
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().any(|row| row["name"] == "laptop" && row["this"] == false));

    ada.run("password change --password-stdin").input(NEW_PASSWORD).ok().await;
    let fresh = Shell::new(&world, "fresh");
    let mut heard = Heard::of(&world);
    heard.fails("the password before", log_in(&fresh, &kit, PASSWORD), 10).await;
    heard.fails("a short password", ada.run("password change --password-stdin").input("short"), 2).await;
    log_in(&fresh, &kit, NEW_PASSWORD).ok().await;
    heard.fails("no such device", ada.run("device remove nowhere --yes"), 12).await;
    heard.fails("unasked", ada.run("device remove laptop"), 2).await;
    ada.run("device remove laptop --yes").ok().await;
    heard.fails("a device that was removed", laptop.run("whoami"), 10).await;

    heard.fails("a new Secret Key, unasked", ada.run("keys secret-key new --password-stdin").input(NEW_PASSWORD), 2).await;
    let renewed = ada.run("keys secret-key new --yes --password-stdin").input(PASSWORD).json().await;
    let new_kit = renewed["emergency_kit"].as_str().unwrap();
    assert_ne!(new_kit, kit);
    ada.run("org create Acme").ok().await;
    heard.fails("another device, after a new Secret Key", fresh.run("whoami"), 10).await;
    fresh.run("logout --local-only").ok().await;
    heard.fails("the kit before", log_in(&fresh, &kit, PASSWORD), 10).await;
    log_in(&fresh, new_kit, PASSWORD).ok().await;
    assert_eq!(fresh.run("org list").json().await[0]["name"], "Acme");
    // The device has the new Secret Key for the next password.
    ada.run("password change --password-stdin").input(NEW_PASSWORD).ok().await;
    fresh.run("logout").ok().await;
    log_in(&fresh, new_kit, NEW_PASSWORD).ok().await;
    heard.review("ways_in");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_lost_but_the_recovery_code() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let first = ada.run("recovery create").json().await;
    let sheet = ada.run("recovery create").json().await;
    let code = sheet["recovery_code"].as_str().unwrap();
    let account = sheet["account"].as_str().unwrap();
    let phone = Shell::new(&world, "phone");
    let file = |name: &str, text: &str| fs::write(phone.home().join(name), text).unwrap();
    file("code", code);
    file("first", first["recovery_code"].as_str().unwrap());
    let slip = if code.ends_with('0') { "1" } else { "0" };
    file("slip", &format!("{}{slip}", &code[..code.len() - 1]));
    file("secret-key", "KVS1-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA");
    let recover = |code: &str| {
        phone.run("recovery use --yes --password-stdin --account").arg(account).arg("--code-file").arg(code).input(NEW_PASSWORD)
    };
    let mut heard = Heard::of(&world);
    heard.fails("a code with a slip", recover("slip"), 2).await;
    heard.fails("another kind of code", recover("secret-key"), 2).await;
    heard.fails("a code that was replaced", recover("first"), 10).await;
    let other = account.chars().rev().collect::<String>();
    let line = phone.run("recovery use --yes --password-stdin --code-file code --account").arg(&other).input(NEW_PASSWORD);
    heard.fails("another account", line, 10).await;
    heard.fails("a mistyped account", phone.run("recovery use --yes --account x --code-file code"), 2).await;
    heard.fails("a short password", recover("code").input("short"), 2).await;
    heard.fails("on a machine that is logged in", ada.run("recovery use --yes --account x --code-file code"), 1).await;
    let opened = recover("code").json().await;
    assert_eq!(phone.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");
    phone.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    heard
        .fails(
            "the code, a second time",
            Shell::new(&world, "thief")
                .run("recovery use --yes --password-stdin --account")
                .arg(account)
                .arg("--code-file")
                .arg(&phone.home().join("code").display().to_string())
                .input(PASSWORD),
            10,
        )
        .await;
    heard.fails("the device that was lost", ada.run("secrets list -e production"), 10).await;
    let kit = opened["emergency_kit"].as_str().unwrap();
    let tablet = Shell::new(&world, "tablet");
    fs::write(tablet.home().join("kit"), kit).unwrap();
    tablet.run("login --password-stdin --kit-file kit").input(NEW_PASSWORD).ok().await;
    assert_eq!(tablet.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    heard.review("recovery");
    world.stop().await;
}
