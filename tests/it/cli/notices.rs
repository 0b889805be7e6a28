//! Where notices go, by command: channels are made, tried, paused and taken away; a person says what to hear of and when.

use super::people::{colleague, owner_of_payments};
use super::shell::{Line, Shell};
use crate::notices::is_signed;
use crate::world::{Engine, Receiver, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvawlt_domain::notices::Kind;
use serde_json::{Value, json};

async fn world_with_receiver() -> (World, Receiver) {
    let receiver = Receiver::listen().await;
    let world = World::in_real_time(Engine::Sqlite).await;
    let world = world.restart_with(|config| config.worker.outbound.allow = vec![receiver.place.clone()]).await;
    (world, receiver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_added_tried_paused_given_another_key_and_removed() {
    let (world, receiver) = world_with_receiver().await;
    let ada = owner_of_payments(&world).await;
    assert_eq!(ada.run("notify list").ok().await, "");
    assert_eq!(ada.run("notify list").json().await, json!([]));

    let url = format!("{}?token=TheSecretOfTheUrl", receiver.url());
    std::fs::write(ada.home().join("hook.url"), &url).unwrap();
    let made = ada.run("notify add webhook deploys --url-file hook.url --kind expiry --on production").json().await;
    let key = key_of(&made);
    let [listed] = rows(ada.run("notify list")).await.try_into().expect("one channel");
    assert_eq!((&listed["name"], &listed["form"], &listed["to"]), (&json!("deploys"), &json!("webhook"), &json!("127.0.0.1")));
    assert_eq!((&listed["kinds"], &listed["environments"]), (&json!(["expiry"]), &json!(["payments/production"])));
    assert_eq!((&listed["state"], &listed["id"]), (&json!("works"), &made["id"]));
    for shown in [ada.run("notify list").ok().await, listed.to_string()] {
        assert!(!shown.contains("TheSecretOfTheUrl") && !shown.contains(made["secret"].as_str().unwrap()), "{shown}");
    }

    let said = ada.run("notify test deploys").ok().await;
    assert!(said.contains("keyvawlt notify log --all"), "what to do next: {said}");
    world.drain().await;
    let [trial] = receiver.received().try_into().expect("one message");
    assert!(trial.body.contains(r#""type":"test""#) && is_signed(&trial, &key), "{trial:?}");
    let [sent] = rows(ada.run("notify log --all")).await.try_into().expect("one delivery");
    assert_eq!((&sent["to"], &sent["kinds"], &sent["state"]), (&json!("channel deploys"), &json!(["test"]), &json!("sent")));
    assert_eq!((&sent["recipient"], &sent["error"]), (&made["id"], &json!("")));

    let paused = ada.run("notify pause deploys").json().await;
    assert!(paused["state"] == "paused" && paused["paused"].is_string(), "{paused}");
    assert!(ada.run("notify list").ok().await.contains("paused since"));
    assert_eq!(ada.run("notify resume deploys").json().await["state"], "works");

    let rotated = ada.run("notify rotate deploys").ok().await;
    let secret = rotated.lines().find_map(|line| line.strip_prefix("secret   ")).expect("the new key");
    assert_ne!(secret, made["secret"]);
    ada.run("notify test").arg(made["id"].as_str().unwrap()).ok().await;
    world.drain().await;
    let [_, trial] = receiver.received().try_into().expect("two messages");
    assert!(is_signed(&trial, &key_of(&json!({ "secret": secret }))) && !is_signed(&trial, &key));

    assert!(ada.run("notify remove deploys").fails(2).await.contains("--yes"), "nothing goes unasked");
    assert_eq!(ada.run("notify remove deploys --yes").json().await["name"], "deploys");
    assert_eq!(ada.run("notify list").json().await, json!([]));
    assert!(ada.run("notify test deploys").fails(12).await.contains("keyvawlt notify list"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teams_address_is_added_and_proved() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = owner_of_payments(&world).await;
    ada.run("notify add email no-address").fails(2).await;
    let made = ada.run("notify add email oncall@example.com --kind monitor").json().await;
    assert_eq!(made["secret"], Value::Null);
    let [listed] = rows(ada.run("notify list")).await.try_into().expect("one channel");
    assert_eq!((&listed["form"], &listed["to"], &listed["state"]), (&json!("email"), &json!("oncall@example.com"), &json!("unproved")));
    let untold = ada.run("notify test oncall@example.com").fails(2).await;
    assert!(untold.contains("not proved"), "{untold}");
    ada.run("notify verify oncall@example.com 0000-0000").fails(2).await;
    ada.run("notify verify oncall@example.com").fails(2).await;
    let code = world.newest_code("oncall@example.com").await;
    ada.run("notify verify oncall@example.com --resend").fails(14).await;
    let proved = ada.run("notify verify oncall@example.com").arg(&code).json().await;
    assert_eq!((&proved["state"], &proved["id"]), (&json!("works"), &made["id"]));
    ada.run("notify test oncall@example.com").ok().await;
    world.drain().await;
    let trial = world.mails_to("oncall@example.com").pop().expect("a mail");
    assert!(trial.subject.starts_with("A trial of"), "{}", trial.subject);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_channel_is_refused_with_a_reason() {
    let (world, receiver) = world_with_receiver().await;
    let ada = owner_of_payments(&world).await;
    let add = |words: &str, url: &str| ada.run("notify add").words(words).input(url);
    for (words, url, why) in [
        ("webhook hook", "ftp://127.0.0.1/hook", "https"),
        ("webhook hook", "https://user:TheSecretOfTheUrl@127.0.0.1/", "password"),
        ("webhook hook", "", "not a URL"),
        ("slack hook --kind weather", &receiver.url(), "expiry"),
        ("slack hook --on payments/nowhere", &receiver.url(), "nowhere"),
    ] {
        let code = if words.contains("--on") { 12 } else { 2 };
        let said = add(words, url).fails(code).await;
        assert!(said.contains(why) && !said.contains("TheSecretOfTheUrl"), "{words}: {said}");
    }
    ada.run("notify add webhook hook --url-file missing.url").fails(1).await;

    let made = add("slack ops", &receiver.url()).ok().await;
    assert!(made.starts_with("channel  ") && !made.contains("secret"), "{made}");
    assert!(ada.run("notify rotate ops").fails(2).await.contains("only webhooks have a key"));
    assert!(add("webhook ops", &receiver.url()).fails(2).await.contains("a channel of this name is here already"));
    ada.run("notify add email oncall@example.com --name ops").fails(2).await;
    for address in ["oncall@example.com --name first", "oncall@example.com --name second"] {
        ada.run("notify add email").words(address).ok().await;
    }
    assert!(ada.run("notify pause oncall@example.com").fails(2).await.contains("give the id"), "two lead there");
    assert_eq!(ada.run("notify pause second").json().await["name"], "second");
    assert_eq!(ada.run("notify list").json().await.as_array().map(Vec::len), Some(3), "what was refused is not there");

    // An address of this machine that the operator does not list.
    add("webhook inside", "http://127.0.0.1:1/hook").ok().await;
    ada.run("notify test inside").ok().await;
    world.drain().await;
    let log = rows(ada.run("notify log --all")).await;
    let refused = log.iter().find(|sent| sent["to"] == "channel inside").expect("its delivery");
    assert_eq!(refused["state"], "refused");
    assert!(refused["error"].as_str().unwrap().contains("refused"), "{refused}");
    world.database.execute("DELETE FROM job WHERE state = 3").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_says_what_to_hear_of_and_when() {
    let (world, _) = world_with_receiver().await;
    let ada = owner_of_payments(&world).await;
    let defaults = ada.run("notify preferences").ok().await;
    for said in ["muted         nothing", "environments  all", "digest        none: mails come at once", "time zone     UTC"] {
        assert!(defaults.contains(said), "{defaults}");
    }
    let muted = ada.run("notify mute expiry monitor").json().await;
    assert_eq!(muted["muted"], json!(["expiry", "monitor"]));
    assert_eq!(ada.run("notify unmute monitor").json().await["muted"], json!(["expiry"]));
    let unknown = ada.run("notify mute weather").fails(2).await;
    assert!(unknown.contains("weather") && unknown.contains("certificate"), "the kinds are told: {unknown}");
    let unknown = ada.run("notify unmute expiry weather").fails(2).await;
    assert!(unknown.contains("weather") && unknown.contains("certificate"), "the kinds are told: {unknown}");
    assert_eq!(ada.run("notify preferences").json().await["muted"], json!(["expiry"]), "what is wrong changes nothing");
    for help in ["notify mute --help", "notify unmute --help"] {
        let help = ada.run(help).ok().await;
        for kind in Kind::ALL {
            assert!(help.contains(kind.name()), "{}: {help}", kind.name());
        }
    }
    ada.run("notify unmute key-health").ok().await;

    let set = "notify preferences --digest 8 --quiet-hours 22:00-07:30 --time-zone Europe/Berlin --on production";
    let wanted = ada.run(set).json().await;
    assert_eq!(wanted, ada.run("notify preferences").json().await);
    let expected = json!({ "muted": ["expiry"], "environments": ["payments/production"], "digest_hour": 8, "digest_ended_ms": null, "quiet": "22:00-07:30", "time_zone": "Europe/Berlin" });
    assert_eq!(wanted, expected);
    for wrong in [
        "--digest 24",
        "--digest noon",
        "--quiet-hours 22-7",
        "--quiet-hours 25:00-07:00",
        "--quiet-hours 8:00-08:00",
        "--time-zone Nowhere/Atlantis",
    ] {
        ada.run("notify preferences").words(wrong).fails(2).await;
    }
    ada.run("notify preferences --on nowhere").fails(12).await;
    assert_eq!(ada.run("notify preferences").json().await, expected, "what is wrong changes nothing");
    let cleared = ada.run("notify preferences --digest none --quiet-hours none --everywhere").json().await;
    assert_eq!((&cleared["digest_hour"], &cleared["quiet"], &cleared["environments"]), (&Value::Null, &Value::Null, &json!([])));

    assert_eq!(ada.run("notify thresholds").ok().await, "30, 14, 7, 3, 1, 0 days before the end\n");
    assert_eq!(ada.run("notify thresholds 1 10 0").json().await, json!([10, 1, 0]));
    ada.run("notify thresholds 400").fails(2).await;

    // Whoever is no admin decides for nobody else.
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    bob.run("notify preferences").ok().await;
    assert_eq!(bob.run("notify thresholds").json().await, json!([10, 1, 0]));
    assert_eq!(bob.run("notify log").json().await, json!([]));
    for refused in ["notify list", "notify log --all", "notify thresholds 5", "notify test any"] {
        bob.run(refused).fails(11).await;
    }
    bob.run("notify add slack ops").input("https://127.0.0.1/").fails(11).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_log_in_there_is_nothing_to_hear_of() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let stranger = Shell::new(&world, "stranger");
    for words in ["notify list", "notify log", "notify preferences", "notify mute expiry"] {
        stranger.run(words).fails(10).await;
    }
    world.stop().await;
}

async fn rows(line: Line) -> Vec<Value> {
    line.json().await.as_array().expect("a list").clone()
}

fn key_of(made: &Value) -> Vec<u8> {
    let secret = made["secret"].as_str().expect("a secret").strip_prefix("whsec_").expect("as the specification writes it");
    STANDARD.decode(secret).expect("base64")
}
