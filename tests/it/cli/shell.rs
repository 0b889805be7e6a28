//! A person or a program with a home directory of its own, typing `keyvawlt` commands.
//!
//! Nothing of the test's environment reaches the command, and no terminal: what would be asked fails.

use crate::world::{PASSWORD, World};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// No command takes this long; one that does waits for something that never comes.
const PATIENCE: Duration = Duration::from_mins(2);

/// Somebody's machine.
pub struct Shell {
    home: PathBuf,
    origin: String,
}

/// A command line about to be run.
pub struct Line {
    command: Command,
    input: Vec<u8>,
    shown: String,
}

impl Shell {
    /// A machine on which nobody is logged in.
    pub fn new(world: &World, name: &str) -> Self {
        let home = world.folder.path().join("homes").join(name);
        std::fs::create_dir_all(&home).expect("a home directory");
        Self { home, origin: world.origin() }
    }

    /// Somebody who signed up as `name@example.com` and confirmed the address.
    pub async fn resident(world: &World, name: &str) -> Self {
        let shell = Self::new(world, name);
        let email = format!("{name}@example.com");
        shell.run("signup --password-stdin").arg("--email").arg(&email).input(PASSWORD).ok().await;
        let code = world.newest_code(&email).await;
        shell.run("verify-email").arg(&code).ok().await;
        shell
    }

    /// A resident with the organization Acme and its project agents.
    pub async fn founder(world: &World, name: &str) -> Self {
        let shell = Self::resident(world, name).await;
        shell.run("org create Acme").ok().await;
        shell.run("project create agents").ok().await;
        shell
    }

    /// The home directory, which is also where commands run.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where this machine keeps settings, keys and what it verified.
    pub fn config_dir(&self) -> PathBuf {
        self.home.join(".config/keyvawlt")
    }

    /// `keyvawlt` with these words; [`Line::arg`] adds one that has spaces.
    pub fn run(&self, words: &str) -> Line {
        // A session of its own has no terminal, wherever the tests are started.
        let mut command = Command::new("setsid");
        command.arg(binary()).args(words.split_whitespace());
        command.env_clear().env("HOME", &self.home).env("PATH", "/usr/bin:/bin").env("KEYVAWLT_ADDR", &self.origin);
        command.current_dir(&self.home).kill_on_drop(true);
        Line { command, input: Vec::new(), shown: format!("keyvawlt {words}") }
    }
}

impl Line {
    /// One more argument, as it is.
    pub fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    pub fn words(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// What is piped in.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    /// A variable of its environment.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it, to be talked to while it runs.
    pub fn start(&mut self) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().expect("setsid is part of util-linux")
    }

    /// Runs it, whatever it answers.
    pub async fn output(mut self) -> Output {
        let mut child = self.start();
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read its input may be gone already.
        let _ = stdin.write_all(&self.input).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        output.unwrap_or_else(|_| panic!("{} does not end", self.shown)).expect("its output")
    }

    /// Runs it; it must succeed. What it prints on stdout.
    pub async fn ok(self) -> String {
        let shown = self.shown.clone();
        let output = self.output().await;
        assert!(output.status.success(), "{shown}: {}\n{}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs it with `--json`; it must succeed. What it prints.
    pub async fn json(self) -> Value {
        let shown = self.shown.clone();
        let printed = self.arg("--json").ok().await;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{shown}: {error} in {printed}"))
    }

    /// Runs it; it must end with this code and print nothing on stdout. What it prints on stderr.
    pub async fn fails(self, code: i32) -> String {
        let shown = self.shown.clone();
        let output = self.output().await;
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{shown}: {err}{out}");
        assert_eq!(out, "", "{shown}");
        err
    }
}

/// Runs a line again and again until it ends with this code, as it must in the end. What it then prints on stderr.
pub async fn until_fails(code: i32, line: impl Fn() -> Line) -> String {
    let waiting = async {
        loop {
            let output = line().output().await;
            match output.status.code() {
                Some(0) => tokio::time::sleep(Duration::from_millis(500)).await,
                ended => return (ended, text(&output.stderr)),
            }
        }
    };
    let (ended, said) = tokio::time::timeout(PATIENCE, waiting).await.expect("it ends");
    assert_eq!(ended, Some(code), "{said}");
    said
}

/// UTF-8 text, as everything is that is no secret's value.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The real command line. Cargo builds it only for the tests of its own package.
pub fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "tests/run says where the programs are")]
    let named = std::env::var_os("KEYVAWLT_TEST_BIN_DIR").map(PathBuf::from);
    let beside_the_server = || Path::new(env!("CARGO_BIN_EXE_keyvawlt-server")).with_file_name("");
    let binary = named.unwrap_or_else(beside_the_server).join("keyvawlt");
    assert!(binary.exists(), "{} is not built: cargo build -p keyvawlt --bins, or use tests/run", binary.display());
    binary
}
