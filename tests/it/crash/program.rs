//! The real server program as a child process, on a folder that outlives it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The program cargo built for these tests.
const PROGRAM: &str = env!("CARGO_BIN_EXE_keyvawlt-server");
/// A start takes well under a second; the machine may be busy.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// A stop may take the server's own deadline of eight seconds, and then it has failed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A running server program. Killed when dropped.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
}

impl Program {
    /// Starts the program and waits until it says that it is ready. `listen` may ask for port 0; the port comes from what it prints.
    pub async fn start(data: &Path, listen: SocketAddr, origin: &str) -> Self {
        Self::start_with(data, listen, origin, &[]).await
    }

    /// The same with more settings, as variables. A worker, which listens nowhere, has the address it was given.
    pub async fn start_with(data: &Path, listen: SocketAddr, origin: &str, settings: &[(&str, String)]) -> Self {
        let mut command = command(data, listen, origin);
        command.envs(settings.iter().map(|(name, value)| (format!("KEYVAWLT_SERVER__{name}"), value)));
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
        let lines = child.stdout.take().expect("its output");
        let said = tokio::time::timeout(START_PATIENCE, read_address(BufReader::new(lines))).await.expect("ready in time");
        Self { child, addr: said.expect("it says that it is ready").unwrap_or(listen) }
    }

    /// SIGKILL: nothing of the program runs any more when this returns.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Waits until somebody else has killed it; says whether that was so in time.
    pub async fn is_killed_within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.child.wait()).await.is_ok()
    }

    pub fn pid(&self) -> rustix::process::Pid {
        let id = self.child.id().expect("it is running").try_into().expect("a process id");
        rustix::process::Pid::from_raw(id).expect("a process id")
    }

    /// Sends a signal and waits for the end.
    pub async fn signal(mut self, signal: rustix::process::Signal) -> ExitStatus {
        rustix::process::kill_process(self.pid(), signal).expect("the signal is sent");
        tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await.expect("it stops in time").expect("its exit status")
    }
}

/// `keyvawlt-server check` with the same settings.
pub async fn check(data: &Path, listen: SocketAddr, origin: &str) -> ExitStatus {
    command(data, listen, origin).arg("check").stdout(Stdio::null()).status().await.expect("the program runs")
}

fn command(data: &Path, listen: SocketAddr, origin: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env("KEYVAWLT_SERVER__DATA", data)
        .env("KEYVAWLT_SERVER__API__LISTEN", listen.to_string())
        .env("KEYVAWLT_SERVER__API__ORIGINS", format!("[{origin:?}]"))
        .env("KEYVAWLT_SERVER__LOG__LEVEL", "warn")
        .stdin(Stdio::null());
    command
}

/// Where it listens, if anywhere, once it is ready.
async fn read_address(lines: BufReader<tokio::process::ChildStdout>) -> Option<Option<SocketAddr>> {
    let (mut lines, mut addr) = (lines.lines(), None);
    while let Some(line) = lines.next_line().await.expect("its output is text") {
        if let Some(found) = line.trim().strip_prefix("listening on") {
            addr = found.trim().strip_prefix("http://").and_then(|addr| addr.parse().ok());
        }
        if line.starts_with("ready in") {
            return Some(addr);
        }
    }
    None
}
