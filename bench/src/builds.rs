//! Clean builds, in a target folder of their own: how long they take, and how much is built. They take so long that they are measured apart: a
//! part of the page is theirs.

use crate::machine::Machine;
use crate::page::{Part, megabytes};
use crate::program::workspace;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What building costs.
struct Builds {
    dev: Duration,
    release: Duration,
    /// The stripped server program.
    server_bytes: u64,
    /// The stripped command line.
    cli_bytes: u64,
    /// Crates of the server, our own included.
    server_crates: usize,
    /// Crates of the whole workspace with its tests.
    all_crates: usize,
}

/// Measures, and replaces the part of the page.
pub fn renew() -> Result<()> {
    let machine = Machine::look()?;
    Part::Builds.renew(&machine, &measure()?.text()?)
}

impl Builds {
    fn text(&self) -> Result<String> {
        let Self { dev, release, server_bytes, cli_bytes, server_crates, all_crates } = self;
        let mut page = String::new();
        writeln!(page, "Clean, on this machine, with everything downloaded.\n\n| | |\n|---|--:|")?;
        writeln!(page, "| dev, the whole workspace with its tests | {:.0} s |", dev.as_secs_f64())?;
        writeln!(page, "| release, server and command line | {:.0} s |", release.as_secs_f64())?;
        writeln!(page, "| server, stripped | {:.1} MB |", megabytes(*server_bytes))?;
        writeln!(page, "| command line, stripped | {:.1} MB |", megabytes(*cli_bytes))?;
        writeln!(page, "| crates of the server | {server_crates} |")?;
        writeln!(page, "| crates of everything, tests included | {all_crates} |")?;
        Ok(page)
    }
}

fn measure() -> Result<Builds> {
    let target = tempfile::tempdir()?;
    let dev = build(target.path(), &["build", "--locked", "--workspace", "--all-targets"])?;
    let release =
        build(target.path(), &["build", "--locked", "--release", "--package", "keyvawlt-server", "--package", "keyvawlt", "--bins"])?;
    let size = |name: &str| -> Result<u64> { Ok(fs::metadata(target.path().join("release").join(name))?.len()) };
    Ok(Builds {
        dev,
        release,
        server_bytes: size("keyvawlt-server")?,
        cli_bytes: size("keyvawlt")?,
        server_crates: crates(&["--package", "keyvawlt-server", "--edges", "normal,build"])?,
        all_crates: crates(&["--workspace", "--edges", "normal,build,dev"])?,
    })
}

fn build(target: &Path, arguments: &[&str]) -> Result<Duration> {
    let began = Instant::now();
    let status = Command::new(env!("CARGO")).args(arguments).current_dir(workspace()).env("CARGO_TARGET_DIR", target).status()?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(began.elapsed())
}

fn crates(arguments: &[&str]) -> Result<usize> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}"]).args(arguments);
    let said = tree.current_dir(workspace()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(said.stdout).context("cargo tree speaks UTF-8")?;
    let name = |line: &str| line.split(" (").next().unwrap_or_default().to_owned();
    Ok(text.lines().filter(|line| !line.is_empty()).map(name).collect::<BTreeSet<_>>().len())
}
