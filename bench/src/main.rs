//! Measures the server and the client on this machine, and writes `bench/RESULTS.md`.
//!
//! The server is the real program in a process of its own, on SQLite, reached over loopback; callers are bounded in time and number. Ratios hold
//! within one run: everything compared was measured within the same minutes.

#![expect(clippy::print_stdout, reason = "a program that reports to whoever started it")]
#![expect(clippy::disallowed_methods, reason = "a composition root: its keys and ids are fresh in each run")]
#![expect(clippy::cast_precision_loss, reason = "counts of calls and bytes, shown in three digits")]

mod builds;
mod client;
mod cold;
mod database;
mod jobs;
mod load;
mod machine;
mod mails;
mod manifest;
mod monitors;
mod page;
mod program;
mod report;
mod runner;
mod scene;
mod sink;
mod sweep;
mod team;
mod worker;

use anyhow::{Result, bail};
use client::ReaderAdded;
use load::{Kind, Round};
use program::{Programs, Server};
use report::{Report, Row};
use scene::Person;
use std::sync::Arc;
use std::time::Duration;

/// Callers at once.
const CONCURRENCIES: [usize; 3] = [1, 16, 64];
/// Rounds of each kind of call, in turn, so that what happens on the machine meanwhile happens to all.
const ROUNDS: usize = 3;
/// Starts, for the median.
const STARTS: usize = 5;
/// How long a server rests before its memory is looked at again.
const REST: Duration = Duration::from_secs(10);

const USAGE: &str = "usage: keyvawlt-bench [--worker [DIVISOR] | --builds | --cold | --team]

Measures and writes bench/RESULTS.md. With --worker what the worker does is measured, on PostgreSQL and Redis, too, below
`tests/run --exec`; with a divisor so many times smaller, and shown instead of written. With --builds only clean builds are timed, in a
temporary folder: both take many minutes. With --cold only a start without history is measured, with --team only what a large team
costs; both are shown instead of written.";

fn main() -> Result<()> {
    // For the client's connections; a second installation would only say so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => runtime.block_on(measure()),
        [flag] if flag == "--builds" => builds::renew(),
        [flag] if flag == "--cold" => runtime.block_on(measure_cold()),
        [flag] if flag == "--team" => runtime.block_on(measure_team()),
        [flag] if flag == "--worker" => runtime.block_on(worker::measure(&services(), None)),
        [flag, divisor] if flag == "--worker" => runtime.block_on(worker::measure(&services(), Some(divisor.parse()?))),
        // This program once more, as a client whose memory is looked at.
        [flag, token, state] if flag == team::HOLD => runtime.block_on(team::hold(token, state)),
        _ => bail!(USAGE),
    }
}

fn services() -> worker::Services {
    let variable = |name| std::env::var(name).ok();
    worker::Services { postgres: variable("KEYVAWLT_TEST_POSTGRES"), redis: variable("KEYVAWLT_TEST_REDIS") }
}

async fn measure_team() -> Result<()> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let server = Server::start(&programs, &folder.path().join("data"))?;
    let mut person = Person::sign_up(&server.origin, folder.path().join("person")).await?;
    println!("{}", team::measure(&mut person, folder.path()).await?.page()?);
    Ok(())
}

async fn measure_cold() -> Result<()> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let server = Server::start(&programs, &folder.path().join("data"))?;
    let mut person = Person::sign_up(&server.origin, folder.path().join("person")).await?;
    for ReaderAdded { secrets, took } in client::add_readers(&mut person).await? {
        println!("add a reader to an environment of {secrets} secrets: {took:?}");
    }
    let cold = cold::measure(&mut person, folder.path()).await?;
    println!(
        "{} links, {} secrets: list {:?}, {} bytes; full read {:?}, {} bytes",
        cold.links, cold.secrets, cold.list, cold.list_bytes, cold.read, cold.read_bytes
    );
    Ok(())
}

async fn measure() -> Result<()> {
    // What others do is seen before anything here works.
    let mut report = Report::begin()?;
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;

    println!("start and memory");
    let data = folder.path().join("data");
    for n in 0..STARTS {
        report.first_starts.push(Server::start(&programs, &folder.path().join(format!("first-{n}")))?.ready);
        report.later_starts.push(Server::start(&programs, &data)?.ready);
    }
    let server = Server::start(&programs, &data)?;
    report.resident_at_start = server.resident()?;
    tokio::time::sleep(REST).await;
    report.resident_at_rest = server.resident()?;

    println!("preparing organizations");
    let mut person = Person::sign_up(&server.origin, folder.path().join("person")).await?;
    let imported = scene::read_scene(&mut person, "imported", false).await?;
    let grown = scene::read_scene(&mut person, "grown", true).await?;
    let many = scene::many_scene(&mut person).await?;
    let most = CONCURRENCIES.into_iter().max().unwrap_or(1);
    let (writer, manifests) = scene::write_scene(&mut person, most).await?;
    let agent = imported.clone();
    let calls = Arc::new(load::Calls::prepare(imported, grown, many, &writer).await?);
    let mut callers = load::callers(manifests);
    for concurrency in CONCURRENCIES {
        println!("{concurrency} at once");
        let mut measured: Vec<(Kind, Round)> = Kind::ALL.map(|kind| (kind, Round::default())).into();
        for _ in 0..ROUNDS {
            for (kind, sum) in &mut measured {
                sum.add(load::round(&server, &calls, *kind, concurrency, &mut callers).await?);
            }
        }
        report.rows.extend(measured.into_iter().map(|(kind, round)| Row { kind, concurrency, round }));
    }
    report.resident_after_load = server.resident()?;

    println!("client");
    report.chain = Some(client::verify_chain()?);
    report.opened = Some(client::open_secrets(&mut person).await?);
    report.readers = client::add_readers(&mut person).await?;
    report.cold = Some(cold::measure(&mut person, folder.path()).await?);
    report.run = runner::measure(&programs, &agent, folder.path()).map_err(|error| println!("not measured: {error}")).ok();
    println!("a large team");
    report.team = Some(team::measure(&mut person, folder.path()).await?);
    drop(server);

    report.write()
}
