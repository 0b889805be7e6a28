//! Folders that cannot be written, and a database from the future: client and server say so, and nothing is lost.

use super::bad_input::Heard;
use super::shell::{Shell, binary, text};
use crate::world::{Database, Engine, World};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Somebody without rights, on every system.
const NOBODY: u32 = 65534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder, itself included.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(below(&entry)) } else { found.push(entry) }
    }
    found
}

/// Runs a program as the owner of `folder`, who is not root: permissions do not stop root.
fn without_power(folder: &Path, program: &Path, prepare: impl Fn(&mut Command)) -> Output {
    if fs::metadata(folder).unwrap().uid() != 0 {
        let mut command = Command::new(program);
        prepare(&mut command);
        return command.output().unwrap();
    }
    // Where the programs were built, others may not enter.
    let shared = tempfile::tempdir().unwrap();
    mode(shared.path(), 0o755);
    let copy = shared.path().join("program");
    fs::copy(program, &copy).unwrap();
    for path in folder.ancestors().skip(1).take_while(|path| *path != std::env::temp_dir()) {
        mode(path, 0o755);
    }
    for path in below(folder) {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]).arg(copy);
    prepare(&mut command);
    let output = command.output().unwrap();
    for path in below(folder) {
        chown(path, Some(0), Some(0)).unwrap();
    }
    output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settings_folder_that_cannot_be_written() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key=sk_1 -e production").ok().await;
    let mut heard = Heard::of(&world);
    let origin = world.origin();
    let run = |words: &str| {
        without_power(ada.home(), &binary(), |command| {
            command
                .args(words.split_whitespace())
                .env_clear()
                .env("HOME", ada.home())
                .env("KEYVAWLT_ADDR", &origin)
                .env("PATH", "/usr/bin:/bin");
        })
    };
    let read_only = |shut: bool| {
        for folder in below(&ada.config_dir()).into_iter().filter(|path| path.is_dir()) {
            mode(&folder, if shut { 0o500 } else { 0o700 });
        }
    };
    read_only(true);
    let mut fails = |what: &str, words: &str, code: i32| {
        let output = run(words);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""), "{what}: {}", text(&output.stderr));
        heard.note(what, code, &text(&output.stderr));
    };
    fails("writing", "secrets set stripe/key=sk_2 -e production", 1);
    fails("logging out", "logout --local-only", 1);
    read_only(false);
    assert_eq!(ada.run("secrets history stripe/key -e production").json().await.as_array().unwrap().len(), 1, "nothing was sent");
    assert_eq!(ada.run("secrets get stripe/key --plain -e production").ok().await, "sk_1");
    heard.review("settings_folder");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_that_the_server_cannot_use() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key=sk_1 -e production").ok().await;
    let data = world.folder.path().join("data");
    let mut heard = Heard::of(&world);
    let mut fails = |what: &str| {
        let output = without_power(&data, Path::new(env!("CARGO_BIN_EXE_keyvawlt-server")), |command| {
            command.env_clear().env("KEYVAWLT_SERVER__DATA", &data).env("KEYVAWLT_SERVER__API__LISTEN", "127.0.0.1:0").current_dir("/");
        });
        assert_eq!(output.status.code(), Some(1), "{what}: {}", text(&output.stderr));
        heard.note(what, 1, &text(&output.stderr));
    };
    let database = Database { engine: Engine::Sqlite, url: world.database.url.clone() };
    let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2999_later', 0) RETURNING version";
    let delete = "DELETE FROM seaql_migrations WHERE version = 'm2999_later' RETURNING version";
    assert_eq!(database.rows(insert, 1).await, [["m2999_later"]]);
    // While the world's server is stopped, another one tries.
    let world = world.restart_with(|_| {
        fails("a newer database");
        let undo = || tokio::runtime::Handle::current().block_on(database.rows(delete, 1));
        assert_eq!(tokio::task::block_in_place(undo), [["m2999_later"]]);
        for path in below(&data) {
            mode(&path, if path.is_dir() { 0o500 } else { 0o400 });
        }
        fails("a read-only data folder");
        for path in below(&data) {
            mode(&path, if path.is_dir() { 0o700 } else { 0o600 });
        }
    });
    let world = world.await;
    assert_eq!(ada.run("secrets get stripe/key --plain -e production").ok().await, "sk_1");
    heard.review("data_folder");
    world.stop().await;
}
