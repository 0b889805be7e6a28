//! The page of results, in parts: what is measured together is written together, and a run keeps the parts of the others.

use crate::machine::Machine;
use crate::program::workspace;
use anyhow::{Context as _, Result};
use keyvawlt_client::Clock;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

const MEGABYTE: f64 = 1024.0 * 1024.0;

/// A part that is measured by a run of its own, in the order of the page.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Worker,
    Builds,
}

impl Part {
    const ALL: [Self; 2] = [Self::Worker, Self::Builds];

    fn title(self) -> &'static str {
        match self {
            Self::Worker => "## Worker\n",
            Self::Builds => "## Builds\n",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Worker => "--worker",
            Self::Builds => "--builds",
        }
    }

    /// The part as it stands, title included.
    fn of(self, page: &str) -> String {
        let missing =
            || format!("{}\nNot measured yet: `cargo run --release -p keyvawlt-bench -- {}` does.\n\n", self.title(), self.flag());
        page.find(self.title()).map_or_else(missing, |begin| {
            let part = &page[begin..];
            let end = part[1..].find("\n## ").map_or(part.len(), |end| end + 2);
            format!("{}\n\n", part[..end].trim_end())
        })
    }

    /// Replaces it, and keeps the others.
    pub fn renew(self, machine: &Machine, text: &str) -> Result<()> {
        let page = fs::read_to_string(path())?;
        let first = Self::ALL.iter().filter_map(|part| page.find(part.title())).min().unwrap_or(page.len());
        let fresh = format!("{}\nOf {}, {}.\n\n{}\n\n", self.title(), machine.revision, today()?, text.trim_end());
        let parts = Self::ALL.map(|part| if part.title() == self.title() { fresh.clone() } else { part.of(&page) });
        put(&page[..first], &parts)
    }
}

/// Replaces what comes before the parts.
pub fn renew_head(head: &str) -> Result<()> {
    let page = fs::read_to_string(path()).unwrap_or_default();
    put(head, &Part::ALL.map(|part| part.of(&page)))
}

fn put(head: &str, parts: &[String]) -> Result<()> {
    let page = format!("{}\n\n{}", head.trim_end(), parts.concat());
    fs::write(path(), format!("{}\n", page.trim_end())).context("bench/RESULTS.md")
}

fn path() -> PathBuf {
    workspace().join("bench").join("RESULTS.md")
}

/// The head of a table of aims.
pub const AIMS: &str = "| aim | target | measured | |\n|---|---|---|---|\n";

/// A row of it: what, how much, measured, and whether it is met.
pub fn aim(page: &mut String, what: &str, target: &str, measured: &str, met: bool) {
    page.extend(["| ", what, " | ", target, " | ", measured, if met { " | met |\n" } else { " | **missed** |\n" }]);
}

/// Day and minute.
pub fn today() -> Result<String> {
    let now = OffsetDateTime::from_unix_timestamp((Clock::System.now_ms() / 1000).try_into()?)?;
    Ok(now.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))?)
}

/// A length of time.
pub fn ms(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

/// A short length of time.
pub fn us(took: Duration) -> String {
    format!("{:.0} µs", took.as_secs_f64() * 1_000_000.0)
}

/// Bytes as megabytes.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}
