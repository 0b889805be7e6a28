//! `keyvawlt-server`: reads its arguments and its configuration, starts, says how to go on, and stops when told to.

use keyvawlt_domain::Clock;
use keyvawlt_server::config::{Config, DEFAULTS, Role};
use keyvawlt_server::{Running, Server, lifecycle, telemetry};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
keyvawlt-server: stores, orders, delivers and reminds, and can read nothing

usage: keyvawlt-server [--config FILE] [--role all|api|worker]
       keyvawlt-server check [--config FILE]   print the settings that hold, passwords hidden
       keyvawlt-server defaults                print every setting, explained
       keyvawlt-server --help | --version
";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    command: Command,
    config: Option<PathBuf>,
    role: Option<Role>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Command {
    #[default]
    Serve,
    Check,
    Defaults,
    Help,
    Version,
}

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
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            write!(std::io::stderr(), "keyvawlt-server: {why}\n\n{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = std::io::stdout();
    match arguments.command {
        Command::Help => write!(out, "{USAGE}")?,
        Command::Version => writeln!(out, "keyvawlt-server {}", env!("CARGO_PKG_VERSION"))?,
        Command::Defaults => write!(out, "{DEFAULTS}")?,
        Command::Check | Command::Serve => {
            let mut config = Config::load(arguments.config.as_deref())?;
            config.role = arguments.role.unwrap_or(config.role);
            if arguments.command == Command::Check {
                write!(out, "{}", config.effective()?)?;
            } else {
                telemetry::start(&config.log)?;
                // TLS to databases and mail servers; a second installation would only say so.
                let _ = rustls::crypto::ring::default_provider().install_default();
                return tokio::runtime::Runtime::new()?.block_on(serve(&config, began));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
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
    let mut out = std::io::stdout().lock();
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

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || attached.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--config" => parsed.config = Some(value()?.into()),
            "--role" => parsed.role = Some(value()?.parse().map_err(|error| format!("{error}"))?),
            "check" => parsed.command = Command::Check,
            "defaults" => parsed.command = Command::Defaults,
            "--help" | "-h" | "help" => parsed.command = Command::Help,
            "--version" | "-V" | "version" => parsed.command = Command::Version,
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn arguments_are_understood_or_named() {
        assert_eq!(arguments("").unwrap(), Arguments::default());
        let asked = arguments("check --config=a.toml --role worker").unwrap();
        assert_eq!(asked, Arguments { command: Command::Check, config: Some("a.toml".into()), role: Some(Role::Worker) });
        assert!(arguments("--role king").unwrap_err().contains("king"));
        assert!(arguments("--config").unwrap_err().contains("--config"));
        assert!(arguments("serv").unwrap_err().contains("serv"));
    }
}
