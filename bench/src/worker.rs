//! What the worker does: sweeps, looks, mails, and how soon it begins. A part of the page by itself: it takes a quarter of an hour.

use crate::database::Engine;
use crate::jobs::{self, Waits};
use crate::machine::{Machine, load};
use crate::mails::{self, Mailed};
use crate::monitors::{self, Lateness, Watched};
use crate::page::{AIMS, Part, aim, megabytes, ms};
use crate::program::Programs;
use crate::sweep::{self, Swept};
use anyhow::Result;
use std::fmt::Write as _;
use std::time::Duration;

/// Secrets in the store, and how many of them are due each time.
const SECRETS: [u64; 3] = [10_000, 100_000, 1_000_000];
const DUE: u64 = 10_000;
const MONITORS: usize = 10_000;
/// Hosts, of fifty, that never answer in a second look at as many monitors.
const SILENT: [u8; 2] = [0, 5];
const MAILS: u64 = 100_000;

/// What else there is on this machine, by the variables that `tests/run --exec` sets.
#[derive(Debug, Default)]
pub struct Services {
    pub postgres: Option<String>,
    pub redis: Option<String>,
}

/// What was measured so far.
#[derive(Default)]
struct Report {
    load_before: String,
    swept: Vec<Swept>,
    waits: Vec<(&'static str, Waits)>,
    watched: Vec<Watched>,
    mailed: Option<Mailed>,
}

/// Measures all of it, and replaces the part of the page after each step, so that a run that is cut off leaves what it measured. With a divisor
/// everything is so many times smaller, and shown instead.
pub async fn measure(services: &Services, smaller: Option<u64>) -> Result<()> {
    let machine = Machine::look()?;
    let show = |report: &Report| match smaller {
        None => Part::Worker.renew(&machine, &report.page()?),
        Some(_) => {
            println!("{}", report.page()?);
            Ok(())
        }
    };
    let smaller = smaller.unwrap_or(1);
    let mut report = Report { load_before: load()?, ..Report::default() };
    let programs = Programs::build()?;
    for (place, queue) in [("in one process", Some("memory")), ("on Redis", services.redis.as_deref())] {
        if let Some(queue) = queue {
            println!("jobs {place}");
            report.waits.push((place, jobs::measure(&programs, tempfile::tempdir()?.path(), queue).await?));
        }
    }
    let postgres = services.postgres.clone().map(Engine::Postgres);
    for engine in [Some(Engine::Sqlite), postgres].into_iter().flatten() {
        for secrets in SECRETS {
            println!("a sweep of {secrets}, {}", engine.name());
            let folder = tempfile::tempdir()?;
            report.swept.push(sweep::measure(&programs, &engine, secrets / smaller, DUE / smaller, folder.path()).await?);
        }
        show(&report)?;
    }
    for silent in SILENT {
        println!("monitors, {silent} hosts silent");
        report.watched.push(monitors::measure(MONITORS / usize::try_from(smaller)?, silent).await?);
        show(&report)?;
    }
    println!("mails");
    report.mailed = Some(mails::measure(&programs, MAILS / smaller, tempfile::tempdir()?.path()).await?);
    show(&report)
}

impl Report {
    fn page(&self) -> Result<String> {
        let mut page = format!("Waiting processes (1 and 5 minutes) before the first measurement: {}.\n\n{AIMS}", self.load_before);
        self.aims(&mut page);
        writeln!(page, "\n### Sweeps\n")?;
        writeln!(
            page,
            "Secrets of a hundred organizations, some of which end soon. From the commit of the sweep's job until the last scan is a job, and until \
             the last notice is written and waits for its message. Growth of the server's resident memory, at most; its own processor time.\n"
        )?;
        writeln!(page, "| store | secrets | due | found | spoken of | server CPU | growth |\n|---|--:|--:|--:|--:|--:|--:|")?;
        for swept in &self.swept {
            page.push_str(&swept.row()?);
        }
        writeln!(page, "\n### Jobs\n")?;
        writeln!(
            page,
            "From the row's moment, which is the beginning of the transaction that wrote it, to the end of the job: more than its start took.\n"
        )?;
        writeln!(page, "| jobs | median | p99 | longest |\n|---|--:|--:|--:|")?;
        for (place, Waits { jobs, median_ms, p99_ms, longest_ms }) in &self.waits {
            writeln!(page, "| {jobs} {place} | {median_ms} ms | {p99_ms} ms | {longest_ms} ms |")?;
        }
        if !self.watched.is_empty() {
            writeln!(page, "\n### Monitors\n")?;
            writeln!(
                page,
                "{} every {} s, spread over 50 hosts; a silent host keeps each look for the ten seconds of its timeout, so that its monitors are \
                 more than the looks at once that one host gets: they are late, or left out. The others' lateness is that of their \
                 first looks, as they arrive.\n",
                self.watched[0].monitors,
                self.watched[0].interval_ms / 1000
            )?;
            writeln!(page, "| monitors | looks per second | late: median | p99 | latest |\n|---|--:|--:|--:|--:|")?;
        }
        for watched in &self.watched {
            let Watched { monitors, silent, lag, answered, .. } = watched;
            let rate = watched.per_second();
            writeln!(
                page,
                "| {monitors}, {silent} hosts silent: all | {rate:.0} | {} ms | {} ms | {} ms |",
                lag.p50_ms, lag.p99_ms, lag.max_ms
            )?;
            let Lateness { p50_ms, p99_ms, max_ms } = answered;
            writeln!(page, "| those on hosts that answer | | {p50_ms} ms | {p99_ms} ms | {max_ms} ms |")?;
        }
        if let Some(mailed) = &self.mailed {
            writeln!(page, "\n### Mails\n\n{}", mailed.page()?)?;
        }
        Ok(page)
    }

    fn aims(&self, page: &mut String) {
        for Swept { engine, secrets, due, spoken_of, growth, .. } in &self.swept {
            let what = format!("sweep of {secrets} secrets, {due} of them due, {engine}");
            let met = *spoken_of < Duration::from_secs(10) && megabytes(*growth) < 64.0;
            aim(page, &what, "< 10 s, < 64 MB", &format!("{}, {:.1} MB", ms(*spoken_of), megabytes(*growth)), met);
        }
        for ((place, waits), aimed) in self.waits.iter().zip([100, 1000]) {
            let what = format!("from a committed job to its start, p99, {place}");
            aim(page, &what, &format!("< {aimed} ms"), &format!("≤ {} ms", waits.p99_ms), waits.p99_ms < aimed);
        }
        for Watched { monitors, silent, answered, .. } in &self.watched {
            let what = format!("{monitors} monitors, {silent} of 50 hosts silent: those on the others late by, p99");
            aim(page, &what, "< 2000 ms", &format!("{} ms", answered.p99_ms), answered.p99_ms < 2000);
        }
    }
}
