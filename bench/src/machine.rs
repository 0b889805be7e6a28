//! The machine that was measured on, as the system describes it.

use anyhow::{Context as _, Result};
use std::fs::read_to_string;
use std::process::Command;

/// What to know of it.
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_kb: u64,
    pub kernel: String,
    pub rustc: String,
    pub revision: String,
}

impl Machine {
    pub fn look() -> Result<Self> {
        let (cpu, memory) = (read_to_string("/proc/cpuinfo")?, read_to_string("/proc/meminfo")?);
        let field = |text: &str, name: &str| {
            text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim().to_owned()))
        };
        Ok(Self {
            processor: field(&cpu, "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_kb: field(&memory, "MemTotal").context("MemTotal")?.trim_end_matches(" kB").parse()?,
            kernel: read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            rustc: said_by("rustc", &["--version"]),
            revision: said_by("git", &["describe", "--always", "--dirty"]),
        })
    }
}

/// Waiting processes in the last minute and the last five.
pub fn load() -> Result<String> {
    let text = read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" and "))
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let said = Command::new(program).args(arguments).current_dir(crate::program::workspace()).output();
    said.ok().and_then(|said| String::from_utf8(said.stdout).ok()).map_or_else(String::new, |text| text.trim().to_owned())
}
