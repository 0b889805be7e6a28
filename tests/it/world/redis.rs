//! A Redis for worlds: a place of its own in the tests' server, or a server of its own that can be killed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start takes some milliseconds; the machine may be busy.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// The tests' Redis, with a name that nobody else uses; `None` when this run does without it.
pub fn place() -> Option<String> {
    let url = named("KEYVAWLT_TEST_REDIS")?;
    Some(format!("{url}#it_{}", hex::encode(keyvawlt_domain::Random::System.bytes::<8>())))
}

/// What `tests/run` provides; a run without it says so.
#[expect(clippy::disallowed_methods, reason = "the variables by which tests/run names a Redis, and its program")]
fn named(variable: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    if named.is_none() {
        let said = writeln!(std::io::stderr(), "LEFT OUT: a story with Redis ({variable} is not set)");
        said.expect("stderr takes a line");
    }
    named
}

/// A Redis that keeps nothing, on a port of its own. Killed when dropped.
pub struct RedisServer {
    program: String,
    addr: SocketAddr,
    child: Child,
}

impl RedisServer {
    /// Starts one, unless this run does without.
    pub fn start() -> Option<Self> {
        let program = named("KEYVAWLT_TEST_REDIS_SERVER")?;
        let addr = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let child = spawn(&program, addr);
        Some(Self { program, addr, child })
    }

    pub fn url(&self) -> String {
        format!("redis://{}/0", self.addr)
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ends");
    }

    /// Empty, where the killed one was.
    pub fn restart(&mut self) {
        self.child = spawn(&self.program, self.addr);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Already killed is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, addr: SocketAddr) -> Child {
    let port = addr.port().to_string();
    let options = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir", "/"];
    let child = Command::new(program).args(options).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("redis-server starts");
    let began = Instant::now();
    while TcpStream::connect(addr).is_err() {
        assert!(began.elapsed() < START_PATIENCE, "redis-server listens");
        pause();
    }
    child
}

#[expect(clippy::disallowed_methods, reason = "waits for a process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
