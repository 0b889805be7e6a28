//! `keyvawlt run -- true` with a machine's token, beside `true` alone: what an agent's start costs more.

use crate::client::median;
use crate::program::Programs;
use crate::scene::Agent;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Starts, for the median.
const TIMES: usize = 15;

/// What a start takes.
pub struct Run {
    /// The first on a machine: everything is fetched and verified.
    pub first: Duration,
    /// Later ones, the median.
    pub later: Duration,
    /// The program alone, the median.
    pub bare: Duration,
}

pub fn measure(programs: &Programs, agent: &Agent, folder: &Path) -> Result<Run> {
    let token = agent.token.encode()?;
    let mut run = Command::new(&programs.cli);
    run.args(["run", "--env", "development", "--only", "service-0/token-0", "--", "true"])
        .env("KEYVAWLT_TOKEN", token.as_str())
        .env("KEYVAWLT_CONFIG_DIR", folder.join("cli-config"))
        .env("KEYVAWLT_CACHE_DIR", folder.join("cli-cache"))
        .env("XDG_STATE_HOME", folder.join("cli-state"))
        .env("HOME", folder);
    let first = time(&mut run)?;
    let mut later = (0..TIMES).map(|_| time(&mut run)).collect::<Result<Vec<_>>>()?;
    let mut bare = (0..TIMES).map(|_| time(&mut Command::new("true"))).collect::<Result<Vec<_>>>()?;
    Ok(Run { first, later: median(&mut later)?, bare: median(&mut bare)? })
}

fn time(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let done = command.stdin(Stdio::null()).output()?;
    let took = began.elapsed();
    if !done.status.success() {
        // Not the command itself: its environment holds a token.
        bail!("{} ended with {}: {}", command.get_program().display(), done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(took)
}
