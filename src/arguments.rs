//! What the command line asks for.

use keyvawlt_domain::jobs::JobId;
use keyvawlt_domain::jobs::desk::State;
use keyvawlt_server::config::Role;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
keyvawlt-server: stores, orders, delivers and reminds, and can read nothing

usage: keyvawlt-server [--config FILE] [--role all|api|worker]
       keyvawlt-server check [--config FILE]   print the settings that hold, passwords hidden, and how the store is
       keyvawlt-server defaults                print every setting, explained
       keyvawlt-server jobs list [--state queued|running|done|given-up] [--limit N] [--before ID] [--json]
       keyvawlt-server jobs retry ID…          run jobs again that were given up, or wait for a later time
       keyvawlt-server jobs discard ID…        end jobs without doing them
       keyvawlt-server --help | --version
";

/// Jobs of a page, unless another number is asked for.
const PAGE: u64 = 50;
/// One answer is read as a whole into memory.
const MAX_PAGE: u64 = 1000;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) config: Option<PathBuf>,
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    #[default]
    Serve,
    Check,
    Defaults,
    Jobs(JobsCommand),
    Help,
    Version,
}

/// What is asked about jobs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JobsCommand {
    List(Listing),
    Retry(Vec<JobId>),
    Discard(Vec<JobId>),
}

/// Which jobs are listed, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) state: Option<State>,
    pub(crate) before: Option<JobId>,
    pub(crate) limit: u64,
    pub(crate) json: bool,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "jobs" {
            parsed.command = parse_jobs(&mut parsed.config, arguments)?;
            return Ok(parsed);
        }
        let (name, attached) = split(argument);
        let mut value = || attached.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--config" => parsed.config = Some(value()?.into()),
            "--role" => parsed.role = Some(value()?.parse().map_err(|error| format!("{error}"))?),
            "check" => parsed.command = Command::Check,
            "defaults" => parsed.command = Command::Defaults,
            help if is_help(help) => parsed.command = Command::Help,
            "--version" | "-V" | "version" => parsed.command = Command::Version,
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    Ok(parsed)
}

fn parse_jobs(config: &mut Option<PathBuf>, mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let verb = arguments.next().ok_or("jobs needs one of list, retry, discard")?;
    if is_help(&verb) {
        return Ok(Command::Help);
    }
    if !["list", "retry", "discard"].contains(&verb.as_str()) {
        return Err(format!("jobs {verb:?} is none of list, retry, discard"));
    }
    let mut listing = Listing { state: None, before: None, limit: PAGE, json: false };
    let mut ids = Vec::new();
    while let Some(argument) = arguments.next() {
        let (name, attached) = split(argument);
        let mut value = || attached.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match (name.as_str(), verb.as_str()) {
            (help, _) if is_help(help) => return Ok(Command::Help),
            ("--config", _) => *config = Some(value()?.into()),
            ("--state", "list") => listing.state = Some(state(&value()?)?),
            ("--before", "list") => listing.before = Some(id(&value()?)?),
            ("--limit", "list") => listing.limit = limit(&value()?)?,
            ("--json", "list") => listing.json = true,
            (_, "retry" | "discard") if !name.starts_with('-') => ids.push(id(&name)?),
            _ => return Err(format!("unknown argument {name:?} of jobs {verb}")),
        }
    }
    match verb.as_str() {
        "list" => Ok(Command::Jobs(JobsCommand::List(listing))),
        _ if ids.is_empty() => Err(format!("jobs {verb} needs the ids of jobs; jobs list shows them")),
        "retry" => Ok(Command::Jobs(JobsCommand::Retry(ids))),
        _ => Ok(Command::Jobs(JobsCommand::Discard(ids))),
    }
}

fn is_help(argument: &str) -> bool {
    ["--help", "-h", "help"].contains(&argument)
}

fn split(argument: String) -> (String, Option<String>) {
    match argument.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (argument, None),
    }
}

fn state(text: &str) -> Result<State, String> {
    let known = State::ALL.into_iter().find(|state| state.name() == text);
    known.ok_or_else(|| format!("--state: {text:?} is none of queued, running, done, given-up"))
}

fn id(text: &str) -> Result<JobId, String> {
    text.parse().map_err(|_| format!("{text:?} is no job's id: 32 hexadecimal digits"))
}

fn limit(text: &str) -> Result<u64, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| format!("--limit: {text:?} is not between 1 and {MAX_PAGE}"))
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

    #[test]
    fn jobs_are_listed_run_again_and_discarded() {
        let id = "0123456789abcdef0123456789abcdef";
        let asked = arguments(&format!("--config a.toml jobs list --state given-up --limit=3 --before {id} --json")).unwrap();
        let listing = Listing { state: Some(State::GivenUp), before: Some(id.parse().unwrap()), limit: 3, json: true };
        let command = Command::Jobs(JobsCommand::List(listing));
        assert_eq!(asked, Arguments { command, config: Some("a.toml".into()), role: None });
        let asked = arguments(&format!("jobs retry {id} --config=b.toml")).unwrap();
        assert_eq!(asked.command, Command::Jobs(JobsCommand::Retry(vec![id.parse().unwrap()])));
        assert_eq!(asked.config, Some("b.toml".into()));
        for line in ["jobs --help", "jobs help", "jobs list -h", "jobs retry --help"] {
            assert_eq!(arguments(line).unwrap().command, Command::Help, "{line}");
        }
        for (line, named) in [
            ("jobs", "list"),
            ("jobs dance", "dance"),
            ("jobs inspect x", "is none of list"),
            ("jobs retry", "ids"),
            ("jobs discard abc", "abc"),
            ("jobs list --state lost", "lost"),
            ("jobs list --limit 0", "--limit"),
            ("jobs list --limit 1001", "1001"),
            ("jobs retry --json", "--json"),
        ] {
            assert!(arguments(line).unwrap_err().contains(named), "{line}");
        }
    }
}
