//! Whether keys still work: asked where they may be decrypted, told to the organization in signed reports.
//!
//! Invariant: a key goes to its own provider, by the program's catalogue or where this command's own flags and environment say; a repository's file
//! cannot say where, for whoever writes it would get the keys.

use std::time::Duration;

use keyvawlt_client::catalogue::Outcome as Found;
use keyvawlt_client::{Dial, KeyCheck, KeyHealth, Prober, Verdict, Which};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::args::health::{Check, Health, Places, Watch};
use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::roster::Roster;
use crate::vault;

/// The variable that says where providers live, separated by blanks.
const ENDPOINTS: &str = "KEYVAWLT_HEALTH_ENDPOINTS";
/// The server takes no other intervals.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(7 * 24);
/// A key that was refused is asked about again after this, in the same round: two refusals a minute apart are no accident.
const CONFIRM: Duration = Duration::from_secs(75);
/// A round comes up to this part of the interval earlier or later, so that runners do not meet.
const JITTER_PERCENT: u32 = 20;

/// `keyvawlt health`
pub async fn health(command: Health, context: &mut Context) -> Outcome {
    match command {
        Health::Check(arguments) => check(arguments, context).await,
        Health::List => list(context).await,
        Health::Providers => providers(context),
        Health::Watch(arguments) => watch(&arguments, context).await,
    }
}

/// What came of one key, for programs.
#[derive(Serialize)]
struct Row {
    name: String,
    version: u64,
    provider: Option<String>,
    outcome: &'static str,
    why: Option<String>,
    expires: Option<String>,
    reported: bool,
}

impl Row {
    fn of(check: &KeyCheck) -> Self {
        Self {
            name: check.name.clone(),
            version: check.version,
            provider: check.provider.clone(),
            outcome: check.outcome.as_str(),
            why: check.why.clone(),
            expires: check.expires_ms.map(display_ms),
            reported: check.reported,
        }
    }

    fn cells(&self) -> Vec<String> {
        let more = self.why.clone().or_else(|| self.expires.as_ref().map(|at| format!("ends {at}"))).unwrap_or_default();
        vec![self.name.clone(), self.version.to_string(), self.provider.clone().unwrap_or_default(), self.outcome.to_owned(), more]
    }
}

const COLUMNS: [&str; 5] = ["name", "version", "provider", "outcome", ""];

async fn check(arguments: Check, context: &mut Context) -> Outcome {
    let prober = prober(&arguments.places, context)?;
    let (mut vault, environment) = vault::place(context).await?;
    let which = Which {
        names: arguments.names.iter().map(|name| name.as_str().to_owned()).collect(),
        provider: arguments.provider,
        quiet: arguments.no_report,
        ..Which::default()
    };
    let checks = vault.check_keys(&prober, &environment.ns_id, &which).await?;
    // The lock on what this machine remembers is not held while a pager reads.
    drop(vault);
    let rows: Vec<Row> = checks.iter().map(Row::of).collect();
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    context.output.table(&rows, &COLUMNS, &cells, "no secret here is a key of a known provider: keyvawlt secrets facts NAME --provider")?;
    match checks.iter().filter(|check| check.outcome == Found::Invalid).count() {
        0 => Ok(()),
        1 => Err(refused("a key is refused by its provider")),
        more => Err(refused(&format!("{more} keys are refused by their providers"))),
    }
}

fn refused(what: &str) -> Failure {
    Failure::new(Exit::Local, what).code("KEY_REFUSED").hint("replace it at the provider and set the new value")
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Known {
        name: String,
        version: u64,
        current: bool,
        verdict: &'static str,
        outcome: Option<&'static str>,
        at: Option<String>,
        by: Option<String>,
        refused_since: Option<String>,
        expires: Option<String>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let known = vault.key_health(&environment.ns_id).await?;
    let roster = Roster::of(&vault)?;
    let rows: Vec<Known> = known
        .iter()
        .map(|health| Known {
            name: health.name.clone(),
            version: health.version,
            current: health.is_current,
            verdict: word(health),
            outcome: health.outcome.map(keyvawlt_client::ledger::health::Outcome::as_str),
            at: health.at_ms.map(display_ms),
            by: health.prober.map(|prober| roster.name(&prober)),
            refused_since: health.refused_since_ms.map(display_ms),
            expires: health.expires_ms.map(display_ms),
        })
        .collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let told = |text: &Option<String>| text.clone().unwrap_or_default();
            let version = if row.current { row.version.to_string() } else { format!("{} (previous)", row.version) };
            vec![row.name.clone(), version, row.verdict.to_owned(), told(&row.at), told(&row.by), told(&row.expires)]
        })
        .collect();
    context.output.table(
        &rows,
        &["name", "version", "key", "checked", "by", "ends"],
        &cells,
        "nobody reported of a key here: keyvawlt health check --all",
    )
}

/// The catalogue, which knows no server.
fn providers(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Known<'a> {
        id: &'a str,
        name: &'a str,
        /// Whether there is a harmless call.
        checked: bool,
        /// Whether its host must be said by `--endpoint`.
        needs_endpoint: bool,
        /// Why it is not checked, or what must be said for it.
        remark: Option<&'a str>,
        variables: &'a [String],
        rotation: &'a str,
    }
    let prober = Prober::new(Dial::Anywhere)?;
    let known = prober.catalogue().providers().iter().map(|provider| Known {
        id: &provider.id,
        name: &provider.name,
        checked: provider.probe.is_some(),
        needs_endpoint: provider.hosts.is_empty(),
        remark: provider.unsupported.as_deref(),
        variables: &provider.env_names,
        rotation: &provider.rotation,
    });
    let known: Vec<Known<'_>> = known.collect();
    let cells = known.iter().map(|row| {
        let checked = match (row.checked, row.needs_endpoint) {
            (true, true) => "where --endpoint says",
            (true, false) => "yes",
            (false, _) => "no",
        };
        vec![row.id.to_owned(), row.name.to_owned(), checked.to_owned(), row.remark.unwrap_or_default().to_owned()]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    context.output.table(&known, &["provider", "name", "checked", ""], &cells, "")
}

/// What a key's reports come to.
fn word(health: &KeyHealth) -> &'static str {
    match (health.verdict, health.is_current) {
        (Verdict::Works, true) => "works",
        (Verdict::Works, false) => "still works",
        (Verdict::Suspect, _) => "refused once",
        (Verdict::Refused, _) => "refused",
        (Verdict::Unknown, _) => "not known",
    }
}

async fn watch(arguments: &Watch, context: &mut Context) -> Outcome {
    let interval = arguments.interval.0;
    if !INTERVALS.contains(&interval) {
        return Err(Failure::usage("an interval is from 5m to 7d").on("--interval"));
    }
    let prober = prober(&arguments.places, context)?;
    let mut stop = signal(SignalKind::terminate()).map_err(|error| Failure::local(format!("cannot wait for signals: {error}")))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::local(format!("cannot wait for signals: {error}")))?;
    context.output.note("watching: a signal ends it");
    loop {
        let round = async {
            let doubtful = tried(round(&prober, arguments.interval.ms(), &[], context).await, context)?;
            if !doubtful.is_empty() {
                tokio::time::sleep(CONFIRM).await;
                tried(round(&prober, arguments.interval.ms(), &doubtful, context).await, context)?;
            }
            tokio::time::sleep(jittered(interval)).await;
            Ok(())
        };
        // What is broken off was not reported: another round, or another runner, finds it due.
        let outcome: Outcome = tokio::select! {
            outcome = round => outcome,
            _ = stop.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        };
        outcome?;
    }
}

/// One round; the names of keys that were refused for the first time. The vault is closed between rounds, for other commands.
async fn round(prober: &Prober, interval_ms: u64, again: &[String], context: &mut Context) -> Outcome<Vec<String>> {
    let (mut vault, environment) = vault::place(context).await?;
    let which = Which {
        names: again.to_vec(),
        previous: again.is_empty(),
        // What is asked about again was given to this runner in the same round.
        lease_ms: again.is_empty().then_some(interval_ms),
        ..Which::default()
    };
    let checks = vault.check_keys(prober, &environment.ns_id, &which).await?;
    for check in checks.iter().filter(|check| check.why.is_none()) {
        let row = Row::of(check);
        context.output.result(&row, || row.cells().join("  "))?;
    }
    let asked_and_refused = |check: &&KeyCheck| check.why.is_none() && check.is_current && check.outcome == Found::Invalid;
    Ok(checks.iter().filter(asked_and_refused).map(|check| check.name.clone()).collect())
}

/// A server that is away is there again in another round; what does not verify ends the watch.
fn tried(outcome: Outcome<Vec<String>>, context: &mut Context) -> Outcome<Vec<String>> {
    match outcome {
        Err(failure) if failure.exit() == Exit::Unreachable || failure.exit() == Exit::RateLimited => {
            context.output.warn(&failure.to_string());
            Ok(vec![])
        }
        outcome => outcome,
    }
}

fn jittered(interval: Duration) -> Duration {
    let span = interval * JITTER_PERCENT / 100;
    let width = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
    interval.saturating_sub(span) + Duration::from_millis(keyvawlt_client::random_below(width))
}

/// Whom to ask where: the environment's places, then the flags'.
fn prober(places: &Places, context: &Context) -> Outcome<Prober> {
    let mut prober = Prober::new(Dial::Anywhere)?;
    let around = context.around.variable(ENDPOINTS).and_then(|value| value.to_str()).unwrap_or_default();
    for place in around.split_whitespace().chain(places.endpoints.iter().map(String::as_str)) {
        let (provider, origin) = place.split_once('=').ok_or_else(|| Failure::usage("an endpoint is PROVIDER=URL").on(place))?;
        prober.place(provider, origin)?;
    }
    Ok(prober)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_up_to_a_fifth_earlier_or_later() {
        let hour = Duration::from_hours(1);
        for _ in 0..100 {
            let next = jittered(hour);
            assert!((Duration::from_mins(48)..=Duration::from_mins(72)).contains(&next), "{next:?}");
        }
    }
}
