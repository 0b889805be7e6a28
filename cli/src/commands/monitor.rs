//! Monitors: what the server looks at without any secret, and what it says of it. It is the server's word; nothing here is signed.

mod maintenance;
mod set;
mod shown;

use keyvawlt_catalogue::Catalogue;
use keyvawlt_client::Vault;
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::monitors::{self, BodyRule, Incident, MonitorTarget, StatusRange};
use serde::Serialize;

use super::Context;
use crate::args::monitor::{Add, Expected, Monitor, WebUrl};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::roster::Roster;
use crate::{output, prompt, vault};
use shown::{ShownIncident, ShownMonitor};

/// Incidents that are shown with a monitor.
const SHOWN_INCIDENTS: usize = 10;

/// `keyvawlt monitor`
pub async fn monitor(command: Monitor, context: &mut Context) -> Outcome {
    match command {
        Monitor::Add(arguments) => add(*arguments, context).await,
        Monitor::Set(said) => set::set(&said, context).await,
        Monitor::List => list(context).await,
        Monitor::Show { monitor } => show(&monitor, context).await,
        Monitor::Pause { monitor } => pause(&monitor, context).await,
        Monitor::Resume { monitor } => resume(&monitor, context).await,
        Monitor::Remove { monitor, yes } => remove(&monitor, yes, context).await,
        Monitor::Incidents { monitor, open } => incidents(monitor.as_deref(), open, context).await,
        Monitor::Ack { incident } => acknowledge(&incident, context).await,
        Monitor::Maintenance(command) => maintenance::maintenance(command, context).await,
    }
}

/// An organization's monitors as somebody sees them.
struct Watch {
    vault: Vault,
    /// The environments whose monitors are seen.
    places: Vec<NsId>,
    roster: Roster,
    monitors: Vec<monitors::Monitor>,
}

impl Watch {
    /// Those of the environment that the settings name, else of all environments; and the organization's.
    async fn open(context: &mut Context) -> Outcome<Self> {
        let settings = context.settings()?;
        let vault = vault::open(context).await?;
        let places = match &settings.environment {
            Some(_) => vec![vault::environment(&vault, &settings, None)?.ns_id],
            // Where only some folders are seen, the environment's own are not.
            None => vault.environments()?.into_iter().filter(|it| it.only.is_empty()).map(|it| it.ns_id).collect(),
        };
        let roster = Roster::of(&vault)?;
        let monitors = vault.monitors(&places).await?;
        Ok(Self { vault, places, roster, monitors })
    }

    /// One by its name, or by the beginning of its id.
    fn find(&self, which: &str) -> Outcome<&monitors::Monitor> {
        let named: Vec<_> = self.monitors.iter().filter(|it| name_of(it) == which).collect();
        let meant = if named.is_empty() { self.by_id(which) } else { named };
        match meant[..] {
            [monitor] => Ok(monitor),
            [] => Err(Failure::new(Exit::NotFound, "there is no such monitor, or none that you may see")
                .on(which)
                .hint("see keyvawlt monitor list")),
            _ => {
                let each: Vec<String> =
                    meant.iter().map(|it| format!("{} ({})", self.place(&it.ns_id), shown::short(&it.monitor_id))).collect();
                Err(Failure::usage(format!("several monitors are called so: {}", each.join(", ")))
                    .on(which)
                    .hint("name the environment with -e, or the id"))
            }
        }
    }

    fn by_id(&self, which: &str) -> Vec<&monitors::Monitor> {
        let starts = |it: &&monitors::Monitor| monitors::in_hex(&it.monitor_id).starts_with(which);
        self.monitors.iter().filter(starts).filter(|_| which.len() >= shown::LEAST_ID).collect()
    }

    /// Where something belongs, in words.
    fn place(&self, ns_id: &[u8]) -> String {
        NsId::from_slice(ns_id).map_or_else(|_| "the organization".to_owned(), |ns| self.roster.place(&ns))
    }

    fn name(&self, monitor_id: &[u8]) -> String {
        let known = self.monitors.iter().find(|it| it.monitor_id == monitor_id);
        known.map_or_else(|| shown::short(monitor_id), |it| name_of(it).to_owned())
    }

    fn shown(&self, monitor: &monitors::Monitor) -> ShownMonitor {
        ShownMonitor::of(monitor, self.place(&monitor.ns_id), self.vault.now_ms())
    }

    fn shown_incident(&self, incident: &Incident) -> ShownIncident {
        let by = keyvawlt_client::ledger::IdentityId::from_slice(&incident.acknowledged_by).ok().map(|who| self.roster.name(&who));
        ShownIncident::of(incident, self.name(&incident.monitor_id), by, self.vault.now_ms())
    }
}

async fn add(arguments: Add, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Added<'a> {
        name: &'a str,
        id: String,
        environment: Option<String>,
        url: &'a str,
    }
    let (target, for_all) = (target(&arguments)?, arguments.for_all);
    let settings = context.settings()?;
    if !for_all {
        settings.require_environment()?;
    }
    let vault = vault::open(context).await?;
    let place = if for_all { None } else { Some(vault::environment(&vault, &settings, None)?) };
    let id = vault.create_monitor(place.as_ref().map(|place| &place.ns_id), target.clone()).await;
    let id = id.map_err(|error| Failure::from(error).on(&arguments.name))?;
    let environment = place.map(|place| format!("{}/{}", place.project, place.name));
    let added = Added { name: &arguments.name, id, environment, url: &target.url };
    context
        .output
        .result(&added, || format!("{} is looked at from now on: keyvawlt monitor show {}", added.name, shown::quoted(added.name)))?;
    context.output.note("the server knows name, URL and rules in clear: nothing secret belongs in them");
    Ok(())
}

fn target(arguments: &Add) -> Outcome<MonitorTarget> {
    let from_catalogue = arguments.provider.as_deref().map(reach).transpose()?;
    let (known_url, known_statuses) = from_catalogue.unzip();
    let given = arguments.url.as_ref().map(|WebUrl(url)| url.clone());
    let statuses = arguments.expect.as_ref().map(|Expected(statuses)| statuses.clone());
    let body = |text: &Option<String>, absent: bool| text.clone().map(|text| BodyRule { text, absent });
    Ok(MonitorTarget {
        name: arguments.name.clone(),
        url: given.or(known_url).unwrap_or_default(),
        method: arguments.method.clone(),
        statuses: statuses.or(known_statuses).unwrap_or_default(),
        headers: arguments.headers.iter().map(|header| header.0.clone()).collect(),
        body: body(&arguments.body, false).or_else(|| body(&arguments.body_without, true)),
        timeout_ms: arguments.timeout.ms(),
        slow_ms: arguments.slow.unwrap_or(0),
        interval_ms: arguments.interval.ms(),
    })
}

/// Where the catalogue says that a provider shows that it answers, without a key.
fn reach(provider: &str) -> Outcome<(String, Vec<StatusRange>)> {
    let catalogue = Catalogue::builtin().map_err(|flaw| Failure::local(flaw.to_string()))?;
    let Some(known) = catalogue.named(provider) else {
        return Err(Failure::new(Exit::NotFound, "the catalogue has no such provider").on(provider).hint("name a URL with --url"));
    };
    let Some(reach) = &known.reach else {
        return Err(Failure::usage("the catalogue knows no address of this provider that answers without a key")
            .on(provider)
            .hint("name a URL with --url"));
    };
    let statuses = reach.expect.iter().map(|status| StatusRange { from: u32::from(*status), to: u32::from(*status) });
    Ok((reach.url.clone(), statuses.collect()))
}

async fn list(context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let shown: Vec<ShownMonitor> = watch.monitors.iter().map(|it| watch.shown(it)).collect();
    let rows: Vec<Vec<String>> = shown.iter().map(ShownMonitor::row).collect();
    context.output.table(&shown, ShownMonitor::COLUMNS, &rows, "no monitors; add one: keyvawlt monitor add NAME --url URL")
}

async fn show(which: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        monitor: ShownMonitor,
        incidents: Vec<ShownIncident>,
    }
    let watch = Watch::open(context).await?;
    let monitor = watch.find(which)?;
    let incidents = watch.vault.incidents(&watch.places, Some(monitor), false).await?;
    let incidents = incidents.iter().take(SHOWN_INCIDENTS).map(|it| watch.shown_incident(it)).collect();
    let shown = Shown { monitor: watch.shown(monitor), incidents };
    context.output.result(&shown, || {
        let mut text = output::fields(&shown.monitor.fields());
        if !shown.incidents.is_empty() {
            let rows: Vec<Vec<String>> = shown.incidents.iter().map(ShownIncident::row).collect();
            text.push('\n');
            text.push_str(&output::section(ShownIncident::COLUMNS, &rows));
        }
        text
    })
}

async fn pause(which: &str, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let monitor = watch.find(which)?;
    watch.vault.pause_monitor(monitor).await?;
    told(&watch.shown(monitor).state_as("paused"), "nobody looks at it until: keyvawlt monitor resume", context)
}

async fn resume(which: &str, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let monitor = watch.find(which)?;
    watch.vault.resume_monitor(monitor).await?;
    told(&watch.shown(monitor).state_as("unknown"), "it is looked at again", context)
}

async fn remove(which: &str, yes: bool, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let monitor = watch.find(which)?;
    let question = format!("Remove the monitor {} of {} with its history?", name_of(monitor), watch.place(&monitor.ns_id));
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    watch.vault.delete_monitor(monitor).await?;
    told(&watch.shown(monitor).state_as("removed"), "it is gone, with all that was known of it", context)
}

fn told(monitor: &ShownMonitor, what: &str, context: &mut Context) -> Outcome {
    let name = monitor.name.clone();
    context.output.result(monitor, || format!("{name}: {what}"))
}

async fn incidents(which: Option<&str>, open: bool, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let monitor = which.map(|which| watch.find(which)).transpose()?;
    let incidents = watch.vault.incidents(&watch.places, monitor, open).await?;
    let mut shown: Vec<ShownIncident> = incidents.iter().map(|it| watch.shown_incident(it)).collect();
    // One monitor's are few enough to be told whole.
    if monitor.is_some() && context.output.is_json() {
        for (incident, shown) in incidents.iter().zip(&mut shown) {
            shown.timeline(watch.vault.timeline(incident).await?);
        }
    }
    let rows: Vec<Vec<String>> = shown.iter().map(ShownIncident::row).collect();
    context.output.table(&shown, ShownIncident::COLUMNS, &rows, if open { "no incident is open" } else { "no incidents" })
}

async fn acknowledge(which: &str, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let open = watch.vault.incidents(&watch.places, None, true).await?;
    let meant: Vec<&Incident> = open
        .iter()
        .filter(|it| which.len() >= shown::LEAST_ID && monitors::in_hex(&it.incident_id).starts_with(which))
        .chain(open.iter().filter(|it| watch.name(&it.monitor_id) == which))
        .collect();
    let [incident] = meant[..] else {
        return Err(Failure::new(Exit::NotFound, "there is no such open incident").on(which).hint("see keyvawlt monitor incidents --open"));
    };
    watch.vault.acknowledge_incident(incident).await?;
    let shown = watch.shown_incident(incident);
    let name = shown.monitor.clone();
    context.output.result(&shown, || format!("{name}: nobody is reminded of this incident any more"))
}

fn name_of(monitor: &monitors::Monitor) -> &str {
    monitor.target.as_ref().map_or("", |target| target.name.as_str())
}
