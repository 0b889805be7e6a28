//! The real programs: built as a release, the server started in a process of its own, and what the system says of that process.

use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc/PID/stat` in a second: the same on every Linux that Rust's standard library runs on.
const TICKS_PER_SECOND: u64 = 100;
/// `/proc/PID/status` counts memory in these.
const STATUS_UNIT: u64 = 1024;
/// What `/proc/PID/clear_refs` takes for "reset the peak" (proc(5)).
const FORGET_PEAK: &str = "5";

/// The release programs beside this one.
#[derive(Clone, Debug)]
pub struct Programs {
    pub server: PathBuf,
    pub cli: PathBuf,
}

/// A running server.
pub struct Server {
    child: Child,
    /// What it says it answers for.
    pub origin: String,
    /// From the start of the process to its line "ready".
    pub ready: Duration,
}

impl Programs {
    /// Builds both; cargo knows whether there is anything to do.
    pub fn build() -> Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().context("a folder of programs")?;
        let build = ["build", "--release", "--locked", "--package", "keyvawlt-server", "--package", "keyvawlt", "--bins"];
        if !Command::new(env!("CARGO")).args(build).current_dir(workspace()).status()?.success() {
            bail!("the programs do not build");
        }
        Ok(Self { server: folder.join("keyvawlt-server"), cli: folder.join("keyvawlt") })
    }
}

/// Where the workspace's manifest is.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Server {
    /// Starts a server on a folder and waits until it is ready.
    pub fn start(programs: &Programs, data: &Path) -> Result<Self> {
        Self::start_with(programs, data, &[])
    }

    /// The same with settings, each a variable and its value.
    pub fn start_with(programs: &Programs, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(&programs.server)
            .env("KEYVAWLT_SERVER__DATA", data)
            .env("KEYVAWLT_SERVER__API__LISTEN", "127.0.0.1:0")
            .env("KEYVAWLT_SERVER__LOG__LEVEL", "warn")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut origin = None;
        for line in BufReader::new(child.stdout.take().context("its output")?).lines() {
            let line = line?;
            if let Some(addr) = line.trim().strip_prefix("listening on") {
                origin = Some(addr.trim().to_owned());
            }
            if line.starts_with("ready in") {
                let origin = origin.context("it said where it listens")?;
                return Ok(Self { child, origin, ready: began.elapsed() });
            }
        }
        bail!("the server ended before it was ready")
    }

    /// Processor time so far, in user and kernel mode.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(&self.child.id().to_string())
    }

    /// Memory that is resident now, bytes.
    pub fn resident(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that was ever resident, bytes.
    pub fn peak(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// From now on the peak is of what comes.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), FORGET_PEAK)?)
    }

    fn status(&self, name: &'static str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name)?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * STATUS_UNIT)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program's own processor time.
pub fn own_cpu() -> Result<Duration> {
    cpu("self")
}

fn cpu(pid: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in parentheses, and may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')').context("a stat line")?.1.split_whitespace().collect();
    let ticks = |index: usize| -> Result<u64> { Ok(fields.get(index).context("a field")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS_PER_SECOND))
}
