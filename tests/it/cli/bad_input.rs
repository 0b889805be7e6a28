//! What people and programs read when something is wrong: each message with its exit code is a reviewed snapshot, and the right command works after it.
//!
//! Invariant: what does not verify ends the command; it never falls back, and never looks like an empty vault.

use super::shell::{Line, Shell, text};
use crate::world::{Engine, PASSWORD, World};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::{Clock, NewMachine, SecretWrite, Vault};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// The life of a token that ends during a test; admitting its machine takes a small part of it.
const SHORT: Duration = Duration::from_secs(5);

/// Everything that was said, for people to review.
#[derive(Default)]
pub struct Heard {
    said: String,
    hidden: Vec<(String, &'static str)>,
}

impl Heard {
    pub fn of(world: &World) -> Self {
        let mut heard = Self::default();
        heard.hide(world.origin(), "ORIGIN");
        heard.hide(world.folder.path().display().to_string(), "FOLDER");
        heard
    }

    /// Shows `text`, which differs from run to run, as `word`.
    pub fn hide(&mut self, text: impl Into<String>, word: &'static str) {
        self.hidden.push((text.into(), word));
    }

    /// Runs a line that must end with this code and print no result.
    pub async fn fails(&mut self, what: &str, line: Line, code: i32) {
        let said = line.fails(code).await;
        self.note(what, code, &said);
    }

    /// Runs a line that must fail and print no result; with which code is for the review.
    pub async fn fails_any(&mut self, what: &str, line: Line) {
        let output = line.output().await;
        let code = output.status.code().expect("an exit");
        assert!(code != 0 && output.stdout.is_empty(), "{what}: {}", text(&output.stdout));
        self.note(what, code, &text(&output.stderr));
    }

    /// Takes in what was said.
    pub fn note(&mut self, what: &str, code: i32, said: &str) {
        let said = self.hidden.iter().fold(said.to_owned(), |said, (text, word)| said.replace(text, word));
        let said = hide_lengths(&hide_ids(&hide_moments(&said)));
        writeln!(self.said, "# {what}: exit {code}\n{}\n", said.trim_end()).expect("a string takes all");
    }

    /// Compares with what was reviewed.
    pub fn review(self, name: &str) {
        insta::assert_snapshot!(name, self.said);
    }
}

/// Ids are words of their own, long and hexadecimal.
fn hide_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mut shown = String::new();
    for part in text.split_inclusive(|character: char| !character.is_ascii_alphanumeric() && character != '-') {
        let word = part.trim_end_matches(|character: char| !character.is_ascii_alphanumeric() && character != '-');
        if is_id(word) {
            shown += "ID";
            shown += &part[word.len()..];
        } else {
            shown += part;
        }
    }
    shown
}

/// Files of evidence are named after the moment.
fn hide_moments(text: &str) -> String {
    let mut parts = text.split("/evidence/");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, rest| shown + "/evidence/NOW" + rest.trim_start_matches(|character: char| character.is_ascii_digit()))
}

/// How much a clock is off, to the second, differs from run to run.
fn hide_lengths(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let unit = |at: usize| words.get(at + 1).is_some_and(|next| next.starts_with("seconds") || next.starts_with("minutes"));
    let shown = words.iter().enumerate().map(|(at, word)| if word.parse::<u64>().is_ok() && unit(at) { "N" } else { word });
    shown.collect::<Vec<_>>().join(" ")
}

/// A world whose clock shows the machine's time, and can be moved.
async fn world_now() -> World {
    let world = World::start().await;
    world.pass(Duration::from_millis(Clock::System.now_ms().saturating_sub(world.now_ms())));
    world
}

fn line_of<'a>(page: &'a str, label: &str) -> &'a str {
    let line = page.lines().find(|line| line.trim_start().starts_with(label)).expect("a line of the kit");
    line.trim_start()[label.len()..].trim()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_are_wrong() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::new(&world, "ada");
    ada.run("signup --email ada@example.com --password-stdin --kit-file kit").input(PASSWORD).ok().await;
    let kit = fs::read_to_string(ada.home().join("kit")).unwrap();
    let laptop = Shell::new(&world, "laptop");
    let account = line_of(&kit, "Account").to_owned();
    let secret_key = line_of(&kit, "Secret Key").to_owned();
    let file = |name: &str, text: &str| fs::write(laptop.home().join(name), text).unwrap();
    file("kit", &kit);
    file("key", &secret_key);
    let other = if secret_key.ends_with('0') { "1" } else { "0" };
    file("mistyped", &format!("{}{other}", &secret_key[..secret_key.len() - 1]));
    #[expect(clippy::disallowed_methods, reason = "a key of nobody, used once")]
    file("other", &keyvawlt_client::SecretKey::random(&mut rand::rng()).to_text());
    file("scrap", "a page without a key");
    let mut heard = Heard::of(&world);
    let login = |words: &str| laptop.run("login --password-stdin").words(words);
    let right = format!("--account {account} --secret-key-file");
    heard.fails("nobody is logged in", laptop.run("secrets list -e production"), 10).await;
    heard.fails("wrong password", login("--kit-file kit").input("correct horse battery stapel"), 10).await;
    heard.fails("wrong Secret Key", login(&format!("{right} other")).input(PASSWORD), 10).await;
    heard.fails("mistyped Secret Key", login(&format!("{right} mistyped")).input(PASSWORD), 2).await;
    heard.fails("mistyped account", login(&format!("--account {}x --secret-key-file key", &account[1..])).input(PASSWORD), 2).await;
    let unknown = account.chars().rev().collect::<String>();
    heard.fails("another account", login(&format!("--account {unknown} --secret-key-file key")).input(PASSWORD), 10).await;
    heard.fails("a kit that is none", login("--kit-file scrap").input(PASSWORD), 2).await;
    heard.fails("no password", login("--kit-file kit").input(""), 2).await;
    heard.fails("mistyped code from the mail", ada.run("verify-email 0000-0000"), 2).await;
    heard.fails("a second account on one machine", ada.run("signup --email b@example.com --password-stdin").input(PASSWORD), 1).await;
    heard.fails("a short password", laptop.run("signup --email b@example.com --password-stdin").input("short"), 2).await;
    login("--kit-file kit").input(PASSWORD).ok().await;
    assert_eq!(laptop.run("whoami").json().await["account"], account.as_str());
    heard.review("logins");
    world.stop().await;
}

/// An organization with one secret in production, made by the client library.
struct Acme {
    vault: Vault,
    production: NsId,
}

impl Acme {
    async fn on(world: &World) -> Self {
        let mut ada = world.resident("ada").await;
        let mut vault = ada.account.found("Acme", &ada.state).await.unwrap();
        vault.create_project("agents", &[("development", 1), ("production", 3)]).await.unwrap();
        let production = vault.environment("agents", "production").unwrap().ns_id;
        vault.write(&production, &[SecretWrite::new("stripe/key", "sk_1")]).await.unwrap();
        Self { vault, production }
    }

    async fn machine(&mut self, name: &str, ttl: Duration) -> String {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap();
        let machine = NewMachine { name: name.to_owned(), access: vec![(self.production, permission::READ)], ttl_ms };
        self.vault.create_machine(&machine).await.unwrap().encode().unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_wrong() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let mut acme = Acme::on(&world).await;
    let day = Duration::from_hours(24);
    let good = acme.machine("good", day).await;
    let short = acme.machine("short", SHORT).await;
    let revoked = acme.machine("revoked", day).await;
    let used = acme.machine("used", day).await;
    let shell = Shell::new(&world, "agent");
    let read = |token: &str| shell.run("secrets get stripe/key --plain -e production").var("KEYVAWLT_TOKEN", token);
    let run = |token: &str| shell.run("run --all -e production -- echo started").var("KEYVAWLT_TOKEN", token);
    assert_eq!(read(&used).ok().await, "sk_1");
    for name in ["revoked", "used"] {
        let id = acme.vault.members().unwrap().into_iter().find(|member| member.name == name).unwrap().id;
        acme.vault.remove_member(&id).await.unwrap();
    }
    let mut heard = Heard::of(&world);
    let end = good.len() - 10;
    heard.fails("no token", shell.run("run --all -e production -- echo started"), 10).await;
    heard.fails("mistyped token", run(&format!("{}x{}", &good[..end], &good[end + 1..])), 10).await;
    heard.fails("half a token", run(&good[..end]), 10).await;
    heard.fails("not a token", run("sk_live_canary"), 10).await;
    heard.fails("a token of another server", run(&good).var("KEYVAWLT_ADDR", "http://127.0.0.1:9"), 2).await;
    heard.fails("revoked before its first use", run(&revoked), 10).await;
    heard.fails("revoked after a use", run(&used), 10).await;
    tokio::time::sleep(SHORT).await;
    heard.fails("expired", run(&short), 10).await;
    heard.fails("expired, reading", read(&short), 10).await;
    heard.fails("two tokens", run(&good).var("KEYVAWLT_TOKEN_FILE", "t"), 2).await;
    heard.fails("no such token file", shell.run("secrets list -e production").var("KEYVAWLT_TOKEN_FILE", "nowhere"), 1).await;
    heard.fails("a machine where a person is needed", shell.run("verify-email 1").var("KEYVAWLT_TOKEN", &good), 11).await;
    heard.fails("a machine that writes", shell.run("secrets set a=1 -e production").var("KEYVAWLT_TOKEN", &good), 11).await;
    heard.fails("an environment it may not see", shell.run("secrets list -e development").var("KEYVAWLT_TOKEN", &good), 12).await;
    assert_eq!(read(&good).ok().await, "sk_1");
    heard.review("tokens");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_wrong() {
    let world = world_now().await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("secrets set stripe/key=sk_1").ok().await;
    // Somebody listens there who never answers, and closes.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute_at = format!("http://{}", mute.local_addr().unwrap());
    let mut closing = tokio::task::JoinSet::new();
    closing.spawn(async move {
        while let Ok((stream, _)) = mute.accept().await {
            drop(stream);
        }
    });
    let mut heard = Heard::of(&world);
    heard.hide(&mute_at, "ANOTHER");
    // Which of the two is seen first is chance.
    heard.hide("transport error", "REASON");
    heard.hide("operation was canceled", "REASON");
    let signup = |addr: &str| {
        Shell::new(&world, "new").run("signup --email b@example.com --password-stdin").input(PASSWORD).var("KEYVAWLT_ADDR", addr)
    };
    heard.fails("nobody listens", signup("http://127.0.0.1:9"), 15).await;
    heard.fails("something else listens", signup(&mute_at), 15).await;
    heard.fails("no origin", signup("vault.example.com"), 2).await;
    heard.fails("an origin with a path", signup("http://127.0.0.1:9/api"), 2).await;
    heard.fails("a device of another server", run("secrets list").var("KEYVAWLT_ADDR", &mute_at), 2).await;
    heard.fails("the same, by flag", run("run --addr http://127.0.0.1:9 --all -- echo started"), 2).await;
    // The server's clock goes on without the machine's.
    world.pass(Duration::from_hours(3));
    heard.fails("a clock three hours behind, signing up", signup(&world.origin()), 1).await;
    heard.fails("a clock three hours behind, reading", run("secrets get stripe/key"), 1).await;
    heard.fails("a clock three hours behind, starting a program", run("run --all -- echo started"), 1).await;
    let origin = world.origin();
    assert!(world.server.stop().await);
    heard.fails("the server is down, reading", run("secrets get stripe/key").var("KEYVAWLT_TIMEOUT", "2s"), 15).await;
    heard.fails("the server is down, starting a program", run("run --all -- echo started").var("KEYVAWLT_ADDR", &origin), 15).await;
    closing.abort_all();
    heard.review("servers");
}

/// The newest-written file of this machine whose name ends so.
pub fn state_file(shell: &Shell, end: &str) -> PathBuf {
    let accounts = fs::read_dir(shell.config_dir().join("state")).unwrap();
    let files = accounts.flat_map(|account| fs::read_dir(account.unwrap().path()).unwrap()).map(|file| file.unwrap().path());
    files.into_iter().find(|path| path.to_string_lossy().ends_with(end)).expect("a file of the state")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_this_machine_that_are_wrong() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("secrets set stripe/key=sk_1").ok().await;
    let mut heard = Heard::of(&world);
    let start = "run --all -- echo started";
    let (key, profile, settings) = ("device.key", "account.toml", "config.toml");
    let config = |name: &str| ada.config_dir().join(name);
    let vault = state_file(&ada, ".vault");
    let whole = fs::read(&vault).unwrap();
    let damage: [(&str, Vec<u8>); 4] = [
        ("a pin file cut short", whole[..whole.len() / 2].to_vec()),
        ("an empty pin file", vec![]),
        (
            "a pin file with one wrong bit",
            whole.iter().enumerate().map(|(at, byte)| if at == whole.len() / 2 { byte ^ 1 } else { *byte }).collect(),
        ),
        ("a pin file that is something else", b"{}".to_vec()),
    ];
    for (what, bytes) in damage {
        fs::write(&vault, &bytes).unwrap();
        heard.fails(what, run("secrets list"), 1).await;
        run(start).fails(1).await;
        run("secrets set stripe/key=sk_2").fails(1).await;
        assert_eq!(fs::read(&vault).unwrap(), bytes, "{what}: nothing is repaired behind the person's back");
        fs::write(&vault, &whole).unwrap();
        assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_1");
    }
    // A namespace has a file of its own; what it must contain stands in the organization's, so it can be read again.
    let spaces = fs::read_dir(state_file(&ada, ".spaces")).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let whole: Vec<Vec<u8>> = spaces.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, whole) in spaces.iter().zip(&whole) {
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    }
    heard.fails("namespaces' files cut short", run("secrets list"), 1).await;
    run(start).fails(1).await;
    run("secrets set stripe/key=sk_2").fails(1).await;
    for path in &spaces {
        fs::rename(path, path.with_extension("away")).unwrap();
    }
    assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_1", "read again");
    let cases: [(&str, PathBuf, &[u8], i32); 7] = [
        ("a damaged account pin", state_file(&ada, "account.pin"), b"canary", 1),
        ("an empty account pin", state_file(&ada, "account.pin"), b"", 1),
        ("a damaged device key", config(key), b"canary", 18),
        ("a device key that is no text", config(key), b"\xff\xfe", 18),
        ("an empty device key", config(key), b"", 18),
        ("a damaged settings file", config(settings), b"org = ", 2),
        ("a settings file with a secret", config(settings), b"token = \"canary\"\n", 2),
    ];
    for (what, path, bytes, code) in cases {
        let whole = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        heard.fails(what, run("secrets list"), code).await;
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::write(&path, whole).unwrap();
        assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_1", "{what}");
    }
    fs::set_permissions(config(key), fs::Permissions::from_mode(0o644)).unwrap();
    heard.fails("a device key that others may read", run("secrets list"), 18).await;
    fs::set_permissions(config(key), fs::Permissions::from_mode(0o600)).unwrap();
    // Without the key's file, the account is asked for what only its owner knows.
    let hidden = config("hidden");
    fs::rename(config(key), &hidden).unwrap();
    heard.fails("no device key", run("secrets list"), 10).await;
    let known = fs::read(config(profile)).unwrap();
    fs::write(config(profile), "canary").unwrap();
    heard.fails("a damaged account file", run("secrets list"), 18).await;
    fs::write(config(profile), known).unwrap();
    fs::rename(&hidden, config(key)).unwrap();
    assert_eq!(run("secrets get stripe/key --plain").ok().await, "sk_1");
    heard.review("files");
    world.stop().await;
}
