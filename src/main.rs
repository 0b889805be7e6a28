//! `keyvawlt-server`: reads its arguments and its configuration, starts, says how to go on, and stops when told to.

mod arguments;
mod desk;
mod reader;

use arguments::{Arguments, Command, USAGE};
use keyvawlt_domain::Clock;
use keyvawlt_server::config::{Config, DEFAULTS};
use keyvawlt_server::{Running, Server, lifecycle, telemetry};
use reader::WhileRead;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let began = Instant::now();
    match run(began) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "keyvawlt-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(began: Instant) -> anyhow::Result<ExitCode> {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            write!(std::io::stderr(), "keyvawlt-server: {why}\n\n{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = WhileRead(std::io::stdout());
    match arguments.command {
        Command::Help => write!(out, "{USAGE}")?,
        Command::Version => writeln!(out, "keyvawlt-server {}", env!("CARGO_PKG_VERSION"))?,
        Command::Defaults => write!(out, "{DEFAULTS}")?,
        Command::Serve | Command::Check | Command::Jobs(_) => return with_config(&arguments, began),
    }
    Ok(ExitCode::SUCCESS)
}

fn with_config(arguments: &Arguments, began: Instant) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.role = arguments.role.unwrap_or(config.role);
    // TLS to databases and mail servers; a second installation would only say so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let mut out = WhileRead(std::io::stdout());
    match &arguments.command {
        Command::Check => runtime.block_on(desk::check(&config, &mut out)),
        Command::Jobs(command) => runtime.block_on(desk::jobs(&config, command, &mut out)),
        _ => {
            telemetry::start(&config.log)?;
            runtime.block_on(serve(&config, began))
        }
    }
}

async fn serve(config: &Config, began: Instant) -> anyhow::Result<ExitCode> {
    // Before anything else, so that no signal is lost while starting.
    let signalled = lifecycle::signalled()?;
    let running = Server::start(config, Clock::System).await?;
    announce(config, &running, began)?;
    let name = signalled.await;
    tracing::info!(signal = name, "stopping");
    let again = lifecycle::signalled()?;
    tokio::select! {
        in_time = running.stop() => {
            if in_time {
                return Ok(ExitCode::SUCCESS);
            }
            tracing::warn!("some calls or jobs did not end in time and were cut off; nothing acknowledged is lost");
        }
        name = again => tracing::warn!(signal = name, "told to stop at once"),
    }
    Ok(ExitCode::FAILURE)
}

fn announce(config: &Config, running: &Running, began: Instant) -> anyhow::Result<()> {
    let mut out = WhileRead(std::io::stdout().lock());
    writeln!(out, "KeyVawlt {}", env!("CARGO_PKG_VERSION"))?;
    if let Some(addr) = running.addr() {
        writeln!(out, "  listening on   http://{addr}")?;
        writeln!(out, "  known as       {}", running.origins().join(", "))?;
    }
    let data = std::path::absolute(&config.data)?;
    writeln!(out, "  keeps data in  {}", data.display())?;
    if running.worker().is_some() {
        writeln!(out, "  sends mail to  {}", config.worker.mail_url(&data))?;
    }
    if let Some(origin) = running.origins().first() {
        writeln!(out, "  next           keyvawlt signup --addr {origin}")?;
    }
    writeln!(out, "ready in {} ms", began.elapsed().as_millis())?;
    Ok(out.flush()?)
}
