//! A server that goes back in time, as a restored backup does: every command ends with 17, nothing starts, and nothing looks empty.

use super::bad_input::Heard;
use super::shell::Shell;
use crate::world::{Engine, World};
use std::fs;
use std::path::Path;

/// Copies the database and what lies beside it, once the server has stopped.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for old in fs::read_dir(to).unwrap().map(|file| file.unwrap().path()).filter(|path| is_database(path)) {
        fs::remove_file(old).unwrap();
    }
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()).filter(|path| is_database(path)) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

fn is_database(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vault.db"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_back_in_time_is_noticed_by_every_command() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let (data, early, late) = (world.folder.path().join("data"), world.folder.path().join("early"), world.folder.path().join("late"));
    let ada = Shell::resident(&world, "ada").await;
    let beginning = world.folder.path().join("beginning");
    let world = world.restart_with(|_| copy(&data, &beginning)).await;
    ada.run("org create Acme").ok().await;
    ada.run("project create agents").ok().await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("secrets set stripe/key=sk_1").ok().await;
    let world = world.restart_with(|_| copy(&data, &early)).await;
    run("secrets set stripe/key=sk_2").ok().await;
    let world = world
        .restart_with(|_| {
            copy(&data, &late);
            copy(&early, &data);
        })
        .await;
    let remembered = super::bad_input::state_file(&ada, ".vault");
    let before = fs::read(&remembered).unwrap();
    let mut heard = Heard::of(&world);
    heard.fails("a write is missing, reading", run("secrets get stripe/key --plain"), 17).await;
    heard.fails("a write is missing, listing", run("secrets list"), 17).await;
    heard.fails("a write is missing, writing", run("secrets set stripe/key=sk_3"), 17).await;
    heard.fails("a write is missing, exporting", run("export"), 17).await;
    heard.fails("a write is missing, starting a program", run("run --all -- echo started"), 17).await;
    heard.fails("for programs", run("secrets list --json"), 17).await;
    assert_eq!(fs::read(&remembered).unwrap(), before, "what was verified stays");
    let world = world.restart_with(|_| copy(&late, &data)).await;
    assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_2");
    // A chain that lost its newest links.
    run("project create payments").ok().await;
    let world = world.restart_with(|_| copy(&late, &data)).await;
    heard.fails("a link is missing, listing", run("secrets list --project agents"), 17).await;
    check_evidence(&world, &ada).await;
    heard.fails("a link is missing, starting a program", run("run --all --project agents -- echo started"), 17).await;
    let world = world.restart_with(|_| copy(&beginning, &data)).await;
    heard.fails("the organization is missing, listing", run("secrets list --project agents"), 17).await;
    heard.fails("the organization is missing, founding another", run("org create Acme"), 17).await;
    heard.review("rollback");
    world.stop().await;
}

/// Somebody without a login looks at the newest evidence: it names who signed what was verified, and nothing that is secret.
async fn check_evidence(world: &World, ada: &Shell) {
    let folder = ada.config_dir().join("state/evidence");
    let newest = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).max().unwrap();
    let bytes = fs::read(&newest).unwrap();
    for secret in ["sk_1", "sk_2", "stripe/key"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in the evidence");
    }
    let eve = Shell::new(world, "eve");
    let shown = eve.run("evidence check --json").arg(newest.to_str().unwrap()).ok().await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((shown["code"].as_str(), shown["origin"].as_str()), (Some("E_ROLLBACK"), Some(world.origin().as_str())), "{shown}");
    let words = ada.run("whoami --json").ok().await;
    let words: serde_json::Value = serde_json::from_str(&words).unwrap();
    let findings = shown["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["text"].as_str().unwrap().contains(words["words"].as_str().unwrap())), "{shown} {words}");
    assert_eq!(shown["contradiction"], false, "what is left out contradicts nothing: {shown}");
}
