//! The command line as a black box between a person and the lying server: the program is run, and judged by what it prints, how it ends and what
//! it sends. It must end with 17 and the code, start nothing, write nothing, and keep evidence that somebody else can read.

use crate::attack::Attack;
use crate::files::Files;
use crate::moves::{Forged, Forgery, Tamper, Tampered};
use crate::proxy::Audience;
use crate::scene::{CANARY, CANARY_NAME, Scene};
use keyvawlt_ledger::Code;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::process::{Child, Command};

/// How the command line ends when something does not verify.
const VERIFICATION_FAILED: i32 = 17;

/// An attack on Bob that can be played before his command line.
pub trait BlackBox: Attack {
    /// Whether the command line has seen everything up to then; else it is a new machine.
    const REMEMBERS: bool;
}

impl<T: Tamper> BlackBox for Tampered<T> {
    const REMEMBERS: bool = !T::NEW_MACHINE;
}

impl<F: Forgery> BlackBox for Forged<F> {
    const REMEMBERS: bool = true;
}

/// The control, then the lie.
pub async fn play<B: BlackBox>(code: Code) {
    let mut scene = Scene::start().await;
    let bob = Machine::of(&mut scene);
    if B::REMEMBERS {
        bob.shows_the_value().await;
    }
    let mut attack = B::prepare(&mut scene).await;
    bob.copy(&mut scene).shows_the_value().await;
    let victim = Audience::Only(scene.bob.who());
    attack.lie(&mut scene, victim).await;

    let before = scene.server.writes();
    let canary = ["run", "--all", "--", "sh", "-c", "echo started"];
    for line in [&["secrets", "get", CANARY_NAME, "--plain"][..], &["secrets", "set", CANARY_NAME, "--stdin"], &canary, &["export"]] {
        bob.stops(line, code).await;
    }
    assert_eq!(scene.server.writes(), before, "the command line wrote after the lie");
    bob.evidence_can_be_read(code).await;
    scene.end().await;
}

/// Bob's machine, on which only the command line runs.
pub struct Machine {
    folder: PathBuf,
}

impl Machine {
    /// A machine that remembers nothing, on which Bob is logged in.
    pub fn of(scene: &mut Scene) -> Self {
        let folder = scene.empty_state().path().to_owned();
        let mut options = OpenOptions::new();
        let key = options.write(true).create_new(true).mode(0o600).open(folder.join("device.key"));
        key.and_then(|mut key| key.write_all(scene.bob.device.to_text().as_bytes())).expect("a device key");
        Self { folder }
    }

    /// The same machine once more, as it is now.
    fn copy(&self, scene: &mut Scene) -> Self {
        let folder = scene.empty_state().path().join("copy");
        Files::read(&self.folder).write(&folder);
        fs::set_permissions(folder.join("device.key"), Permissions::from_mode(0o600)).expect("permissions");
        Self { folder }
    }

    async fn shows_the_value(&self) {
        let output = self.run(&["secrets", "get", CANARY_NAME, "--plain"]).await;
        assert!(output.status.success(), "the control: without the lie the command line goes on: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), CANARY);
    }

    async fn stops(&self, line: &[&str], code: Code) {
        let output = self.run(line).await;
        let (said, shown) = (text(&output.stderr), text(&output.stdout));
        assert_eq!(output.status.code(), Some(VERIFICATION_FAILED), "{line:?} must end with 17: THE ATTACK SUCCEEDS: {shown} {said}");
        assert!(said.contains(&format!("error[{code}]")), "{line:?} must stop with {code}: {said}");
        assert_eq!(shown, "", "{line:?} shows nothing");
    }

    /// By somebody who has nothing but the file.
    async fn evidence_can_be_read(&self, code: Code) {
        let kept = fs::read_dir(self.folder.join("state/evidence")).expect("evidence is kept");
        let files: Vec<PathBuf> = kept.map(|file| file.expect("a file").path()).collect();
        assert_eq!(files.len(), 4, "one for each command");
        for file in files {
            let stranger = Self { folder: self.folder.join("stranger") };
            let output = stranger.run(&["evidence", "check", "--json", file.to_str().expect("a path")]).await;
            let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
            assert_eq!((output.status.code(), shown["code"].as_str()), (Some(0), Some(code.as_str())), "{}", text(&output.stderr));
        }
    }

    /// Runs `keyvawlt` with these arguments.
    pub async fn run(&self, line: &[&str]) -> Output {
        let mut child = self.start(line);
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads nothing has closed it.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, CANARY.as_bytes()).await;
        }
        child.wait_with_output().await.expect("an end")
    }

    /// Starts `keyvawlt` with these arguments.
    pub fn start(&self, line: &[&str]) -> Child {
        let mut command = Command::new(binary());
        command.args(line).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        for (name, value) in [("KEYVAWLT_PROJECT", "agents"), ("KEYVAWLT_ENV", "production")] {
            command.env(name, value);
        }
        command.env("KEYVAWLT_CONFIG_DIR", &self.folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().expect("the command line starts")
    }
}

/// What was printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "tests/run says where the programs are")]
    let named = std::env::var_os("KEYVAWLT_TEST_BIN_DIR").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_keyvawlt-server")).with_file_name("")).join("keyvawlt");
    assert!(binary.exists(), "{} is not built: cargo build -p keyvawlt --bins, or use tests/run", binary.display());
    binary
}
