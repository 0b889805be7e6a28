//! Maintenances: when failures are expected.

use keyvawlt_client::monitors::{self, Once, Schedule, Weekly};
use serde::Serialize;

use super::{Watch, shown};
use crate::args::monitor::{AddMaintenance, Days, Maintenance, TimeOfDay, display_weekly};
use crate::commands::Context;
use crate::duration::{Moment, display_ms};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::vault;

const MINUTE_MS: u64 = 60_000;

/// `keyvawlt monitor maintenance`
pub async fn maintenance(command: Maintenance, context: &mut Context) -> Outcome {
    match command {
        Maintenance::Add(arguments) => add(*arguments, context).await,
        Maintenance::List => list(context).await,
        Maintenance::Remove { maintenance } => remove(&maintenance, context).await,
    }
}

/// A maintenance, for programs and for people.
#[derive(Serialize)]
struct Shown {
    id: String,
    place: String,
    monitor: Option<String>,
    when: String,
    reason: String,
}

impl Shown {
    fn of(maintenance: &monitors::Maintenance, watch: &Watch) -> Self {
        let when = match &maintenance.schedule {
            Some(Schedule::Once(once)) => format!("{} to {}", display_ms(once.from_ms), display_ms(once.to_ms)),
            Some(Schedule::Weekly(weekly)) => display_weekly(weekly),
            None => String::new(),
        };
        Self {
            id: monitors::in_hex(&maintenance.maintenance_id),
            place: watch.place(&maintenance.ns_id),
            monitor: (!maintenance.monitor_id.is_empty()).then(|| watch.name(&maintenance.monitor_id)),
            when,
            reason: maintenance.reason.clone(),
        }
    }

    fn row(&self) -> Vec<String> {
        let about = self.monitor.clone().unwrap_or_else(|| "all".to_owned());
        vec![self.id.chars().take(16).collect(), self.place.clone(), about, self.when.clone(), self.reason.clone()]
    }
}

async fn add(arguments: AddMaintenance, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Added {
        id: String,
    }
    let settings = context.settings()?;
    if !arguments.for_all && arguments.monitor.is_none() {
        settings.require_environment()?;
    }
    let watch = Watch::open(context).await?;
    let schedule = schedule(&arguments, watch.vault.now_ms())?;
    let monitor = arguments.monitor.as_deref().map(|which| watch.find(which)).transpose()?;
    let place = if arguments.for_all || monitor.is_some() { None } else { Some(vault::environment(&watch.vault, &settings, None)?.ns_id) };
    let id = watch.vault.add_maintenance(place.as_ref(), monitor, &arguments.reason, schedule).await?;
    let added = Added { id };
    context.output.result(&added, || "failures in that time open no incident".to_owned())
}

fn schedule(arguments: &AddMaintenance, now_ms: u64) -> Outcome<Schedule> {
    let moment = |moment: Moment, flag: &'static str| moment.at_ms(now_ms).map_err(|why| Failure::usage(why.to_string()).on(flag));
    if let (Some(Days(days)), Some(TimeOfDay(minute)), Some(during)) = (arguments.weekly, arguments.at, arguments.during) {
        let minutes = u32::try_from(during.ms() / MINUTE_MS).unwrap_or(u32::MAX);
        return Ok(Schedule::Weekly(Weekly { days, minute, minutes, zone: arguments.zone.clone() }));
    }
    let Some(to) = arguments.to else { return Err(Failure::usage("say when it ends: --to").on("--to")) };
    let from_ms = arguments.from.map_or(Ok(now_ms), |from| moment(from, "--from"))?;
    Ok(Schedule::Once(Once { from_ms, to_ms: moment(to, "--to")? }))
}

async fn list(context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let maintenances = watch.vault.maintenances(&watch.places).await?;
    let shown: Vec<Shown> = maintenances.iter().map(|it| Shown::of(it, &watch)).collect();
    let rows: Vec<Vec<String>> = shown.iter().map(Shown::row).collect();
    context.output.table(&shown, &["maintenance", "place", "of", "when", "reason"], &rows, "no maintenances")
}

async fn remove(which: &str, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let maintenances = watch.vault.maintenances(&watch.places).await?;
    let starts = |it: &&monitors::Maintenance| monitors::in_hex(&it.maintenance_id).starts_with(which) && which.len() >= shown::LEAST_ID;
    let meant: Vec<&monitors::Maintenance> = maintenances.iter().filter(starts).collect();
    let [maintenance] = meant[..] else {
        return Err(Failure::new(Exit::NotFound, "there is no such maintenance").on(which).hint("see keyvawlt monitor maintenance list"));
    };
    watch.vault.remove_maintenance(maintenance).await?;
    let shown = Shown::of(maintenance, &watch);
    context.output.result(&shown, || "failures count again".to_owned())
}
