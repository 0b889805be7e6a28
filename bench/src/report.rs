//! The results as a page of Markdown: what was measured, beside what was aimed at.

use crate::client::{ChainVerified, OPENED, Opened, ReaderAdded, median};
use crate::cold::ColdStart;
use crate::load::{Kind, Round};
use crate::machine::{Machine, load};
use crate::page::{AIMS, aim, megabytes, ms, renew_head, today, us};
use crate::runner::Run;
use crate::team::Team;
use anyhow::Result;
use std::fmt::Write as _;
use std::time::Duration;

/// Everything measured in one run.
pub struct Report {
    machine: Machine,
    load_before: String,
    pub first_starts: Vec<Duration>,
    pub later_starts: Vec<Duration>,
    pub resident_at_start: u64,
    pub resident_at_rest: u64,
    pub resident_after_load: u64,
    pub rows: Vec<Row>,
    pub chain: Option<ChainVerified>,
    pub opened: Option<Opened>,
    pub readers: Vec<ReaderAdded>,
    pub cold: Option<ColdStart>,
    pub run: Option<Run>,
    pub team: Option<Team>,
}

/// One kind of call, by so many callers.
pub struct Row {
    pub kind: Kind,
    pub concurrency: usize,
    pub round: Round,
}

impl Report {
    pub fn begin() -> Result<Self> {
        Ok(Self {
            machine: Machine::look()?,
            load_before: load()?,
            first_starts: vec![],
            later_starts: vec![],
            resident_at_start: 0,
            resident_at_rest: 0,
            resident_after_load: 0,
            rows: vec![],
            chain: None,
            opened: None,
            readers: vec![],
            cold: None,
            run: None,
            team: None,
        })
    }

    /// Writes the page.
    pub fn write(mut self) -> Result<()> {
        let mut page = String::new();
        self.head(&mut page)?;
        self.targets(&mut page)?;
        self.calls(&mut page)?;
        self.client(&mut page)?;
        page.push_str(&self.team.as_ref().map(Team::page).transpose()?.unwrap_or_default());
        renew_head(&page)
    }

    fn head(&self, page: &mut String) -> Result<()> {
        let date = today()?;
        let Machine { processor, cores, memory_kb, kernel, rustc, revision } = &self.machine;
        let version = env!("CARGO_PKG_VERSION");
        writeln!(page, "# Measurements\n\nWritten by `cargo run --release -p keyvawlt-bench`; do not edit.\n")?;
        writeln!(
            page,
            "KeyVawlt {version} ({revision}), {date}. {processor}, {cores} cores, {} MB, Linux {kernel}; {rustc}.",
            memory_kb / 1024
        )?;
        writeln!(
            page,
            "Waiting processes (1 and 5 minutes) before the first measurement: {}. Above {cores}, others were using the machine, and times of the \
             wall clock are longer than they need be. (After the last one: {}, most of which is this program's own load.)\n",
            self.load_before,
            load()?
        )?;
        Ok(())
    }

    fn targets(&mut self, page: &mut String) -> Result<()> {
        page.push_str(AIMS);
        let start = median(&mut self.first_starts)?;
        aim(page, "start to ready, on an empty folder", "< 1 s", &ms(start), start < Duration::from_secs(1));
        let idle = megabytes(self.resident_at_rest);
        aim(page, "idle memory", "< 40 MB", &format!("{idle:.1} MB"), idle < 40.0);
        for concurrency in self.concurrencies() {
            let share = self.share_of_no_op(Kind::Warm, concurrency);
            let what = format!("warm read, share of the no-op's throughput, {concurrency} at once");
            let by_cpu = self.share_by_cpu(Kind::Warm, concurrency);
            aim(page, &what, "≥ 35 %", &format!("{:.0} % (by CPU {:.0} %)", share * 100.0, by_cpu * 100.0), share >= 0.35);
        }
        for kind in [Kind::Full, Kind::FullGrown] {
            let worst =
                self.rows.iter().filter(|row| row.kind == kind).map(|row| row.round.server_cpu_per_call()).max().unwrap_or_default();
            let what = format!("{}: server CPU (worst of all concurrencies)", kind.name());
            aim(page, &what, "≤ 1 ms", &ms(worst), worst <= Duration::from_millis(1));
        }
        if let Some(chain) = &self.chain {
            aim(page, &format!("verify a chain of {} links", chain.links), "< 2 s", &ms(chain.took), chain.took < Duration::from_secs(2));
        }
        if let Some(opened) = &self.opened {
            aim(page, &format!("open {OPENED} secrets"), "< 100 ms", &ms(opened.values), opened.values < Duration::from_millis(100));
        }
        if let Some(cold) = &self.cold {
            let what = format!("without history, {} links, {} secrets: list", cold.links, cold.secrets);
            let measured = format!("{}, {:.1} MB", ms(cold.list), megabytes(cold.list_bytes as u64));
            let met = cold.list < Duration::from_secs(1) && megabytes(cold.list_bytes as u64) < 4.0;
            aim(page, &what, "< 1 s, < 4 MB", &measured, met);
            let measured = format!("{}, {:.1} MB", ms(cold.read), megabytes(cold.read_bytes as u64));
            aim(page, "the same, with every value opened", "< 9 MB", &measured, megabytes(cold.read_bytes as u64) < 9.0);
        }
        if let Some(run) = &self.run {
            let more = run.later.saturating_sub(run.bare);
            aim(page, "`keyvawlt run -- true`, more than `true`", "< 60 ms", &ms(more), more < Duration::from_millis(60));
        }
        Ok(writeln!(page)?)
    }

    fn calls(&mut self, page: &mut String) -> Result<()> {
        writeln!(page, "## Calls\n")?;
        writeln!(
            page,
            "SQLite with `synchronous=FULL`. The server is a process of its own; the callers share the machine with it, over one connection for every \
             eight of them. CPU is user and kernel time, per call. Full reads wait for their audit record, writes and log-ins for their commit. \
             What somebody has read since it was last written is remembered, up to 8 MiB; the reads of \"anew\" find nothing of it.\n"
        )?;
        writeln!(
            page,
            "| call | at once | calls/s | of the no-op | p50 | p99 | server CPU | caller's CPU |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        let shares: Vec<f64> = self.rows.iter().map(|row| self.share_of_no_op(row.kind, row.concurrency)).collect();
        for (Row { kind, concurrency, round }, share) in self.rows.iter_mut().zip(shares) {
            let (p50, p99) = (round.percentile(50), round.percentile(99));
            let (server, own) = (round.server_cpu_per_call(), round.own_cpu_per_call());
            writeln!(
                page,
                "| {} | {concurrency} | {:.0} | {:.0} % | {} | {} | {} | {} |",
                kind.name(),
                round.per_second(),
                share * 100.0,
                ms(p50),
                ms(p99),
                us(server),
                us(own)
            )?;
        }
        writeln!(page, "\n## Server\n\n| | |\n|---|--:|")?;
        writeln!(
            page,
            "| start to ready, empty folder (median of {}) | {} |",
            self.first_starts.len(),
            ms(median(&mut self.first_starts)?)
        )?;
        writeln!(page, "| start to ready, existing folder | {} |", ms(median(&mut self.later_starts)?))?;
        for (when, bytes) in [
            ("after the start", self.resident_at_start),
            ("ten seconds later", self.resident_at_rest),
            ("after all of the above", self.resident_after_load),
        ] {
            writeln!(page, "| resident memory, {when} | {:.1} MB |", megabytes(bytes))?;
        }
        Ok(writeln!(page)?)
    }

    fn client(&self, page: &mut String) -> Result<()> {
        writeln!(page, "## Client\n\n| | |\n|---|--:|")?;
        if let Some(ChainVerified { links, bytes, took, cpu }) = &self.chain {
            writeln!(page, "| verify a chain of {links} links, {:.1} MB | {} (CPU {}) |", megabytes(*bytes as u64), ms(*took), ms(*cpu))?;
            let rate = *links as f64 / cpu.as_secs_f64();
            writeln!(page, "| the same in links per second of CPU, each signature by itself | {rate:.0} |")?;
        }
        if let Some(Opened { with_files, values }) = &self.opened {
            writeln!(page, "| open {OPENED} secrets | {} |", ms(*values))?;
            writeln!(page, "| the same from this machine's files: read, ask what changed, unwrap the key, open | {} |", ms(*with_files))?;
        }
        for ReaderAdded { secrets, took } in &self.readers {
            writeln!(page, "| add a reader to an environment of {secrets} secrets: one wrap | {} |", ms(*took))?;
        }
        if let Some(Run { first, later, bare }) = &self.run {
            writeln!(page, "| `keyvawlt run -- true`, the first on a machine | {} |", ms(*first))?;
            writeln!(page, "| `keyvawlt run -- true`, later | {} |", ms(*later))?;
            writeln!(page, "| `true` alone | {} |", ms(*bare))?;
        }
        Ok(writeln!(page)?)
    }

    fn concurrencies(&self) -> Vec<usize> {
        self.rows.iter().filter(|row| row.kind == Kind::NoOp).map(|row| row.concurrency).collect()
    }

    fn share_of_no_op(&self, kind: Kind, concurrency: usize) -> f64 {
        let rate = |kind| {
            self.rows.iter().find(|row| row.kind == kind && row.concurrency == concurrency).map_or(0.0, |row| row.round.per_second())
        };
        rate(kind) / rate(Kind::NoOp)
    }

    /// The same share, if both had all of the processors: caller and server together. Other people's work does not change it.
    fn share_by_cpu(&self, kind: Kind, concurrency: usize) -> f64 {
        let cost = |kind| {
            let row = self.rows.iter().find(|row| row.kind == kind && row.concurrency == concurrency);
            row.map_or(0.0, |row| (row.round.server_cpu_per_call() + row.round.own_cpu_per_call()).as_secs_f64())
        };
        cost(Kind::NoOp) / cost(kind)
    }
}
