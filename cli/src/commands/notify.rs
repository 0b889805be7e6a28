//! Notices: what one wants to hear of, where the organization's go besides, and what became of them.

mod channels;
mod log;

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{NoticePreferences, QuietHours, Vault};
use serde::Serialize;

use super::Context;
use crate::args::notify::{KINDS, Notify, Preferences};
use crate::duration::display_ms;
use crate::failure::{Failure, Outcome};
use crate::roster::Roster;
use crate::vault;

const MINUTES_PER_HOUR: u32 = 60;
const HOURS_PER_DAY: u32 = 24;

/// `keyvawlt notify`
pub async fn notify(command: Notify, context: &mut Context) -> Outcome {
    vault::for_people("notices are for people: a machine hears none and has no preferences", context)?;
    let vault = vault::open(context).await?;
    match command {
        Notify::Add(wanted) => channels::add(wanted, &vault, context).await,
        Notify::Verify(wanted) => channels::verify(wanted, &vault, context).await,
        Notify::List => channels::list(&vault, context).await,
        Notify::Remove { channel, yes } => channels::remove(&channel, yes, &vault, context).await,
        Notify::Test { channel } => channels::test(&channel, &vault, context).await,
        Notify::Pause { channel } => channels::pause(&channel, &vault, context).await,
        Notify::Resume { channel } => channels::resume(&channel, &vault, context).await,
        Notify::Rotate { channel } => channels::rotate(&channel, &vault, context).await,
        Notify::Mute { kinds } => mute(&vault, &kinds, true, context).await,
        Notify::Unmute { kinds } => mute(&vault, &kinds, false, context).await,
        Notify::Preferences(wanted) => preferences(&wanted, &vault, context).await,
        Notify::Thresholds { days } => thresholds(&days, &vault, context).await,
        Notify::Log { all } => log::log(all, &vault, context).await,
    }
}

async fn mute(vault: &Vault, kinds: &[String], silent: bool, context: &mut Context) -> Outcome {
    let mut wanted = vault.notice_preferences().await?;
    let is_known = |kind: &String| KINDS.contains(&kind.as_str()) || wanted.muted.contains(kind);
    // What is to be muted the server judges: a newer one may know more kinds.
    if let Some(unknown) = kinds.iter().find(|kind| !silent && !is_known(kind)) {
        return Err(Failure::usage(format!("there is no such kind of notice: name some of {}", KINDS.join(", "))).on(unknown));
    }
    wanted.muted.retain(|kind| !kinds.contains(kind));
    if silent {
        wanted.muted.extend(kinds.iter().cloned());
    }
    vault.set_notice_preferences(wanted.clone()).await?;
    show_preferences(&wanted, vault, context)
}

/// Preferences, for programs.
#[derive(Serialize)]
struct Wanted {
    muted: Vec<String>,
    environments: Vec<String>,
    digest_hour: Option<u32>,
    digest_ended_ms: Option<u64>,
    quiet: Option<String>,
    time_zone: String,
}

async fn preferences(change: &Preferences, vault: &Vault, context: &mut Context) -> Outcome {
    let mut wanted = vault.notice_preferences().await?;
    let before = wanted.clone();
    if let Some(hour) = &change.digest {
        wanted.digest_hour = match hour.as_str() {
            "none" => None,
            hour => Some(hour.parse().map_err(|_| Failure::usage("an hour is 0 to 23, or none").on("--digest"))?),
        };
    }
    if change.digest.is_some() {
        wanted.digest_ended_ms = 0;
    }
    if let Some(quiet) = &change.quiet_hours {
        wanted.quiet_hours = if quiet == "none" { None } else { Some(quiet_hours(quiet)?) };
    }
    if let Some(zone) = &change.time_zone {
        wanted.time_zone.clone_from(zone);
    }
    if change.everywhere {
        wanted.namespaces.clear();
    }
    if !change.on.is_empty() {
        wanted.namespaces.clear();
        let settings = context.settings()?;
        for place in &change.on {
            wanted.namespaces.push(vault::environment(vault, &settings, Some(place))?.ns_id.0.to_vec().into());
        }
    }
    if wanted != before {
        vault.set_notice_preferences(wanted.clone()).await?;
    }
    show_preferences(&wanted, vault, context)
}

fn show_preferences(wanted: &NoticePreferences, vault: &Vault, context: &mut Context) -> Outcome {
    let roster = Roster::of(vault)?;
    let shown = Wanted {
        muted: wanted.muted.clone(),
        environments: places(&wanted.namespaces, &roster),
        digest_hour: wanted.digest_hour,
        digest_ended_ms: Some(wanted.digest_ended_ms).filter(|ended| *ended > 0),
        quiet: wanted.quiet_hours.as_ref().map(|hours| format!("{}-{}", clock(hours.from), clock(hours.to))),
        time_zone: wanted.time_zone.clone(),
    };
    let or = |values: &[String], none: &str| if values.is_empty() { none.to_owned() } else { values.join(", ") };
    let text = format!(
        "muted         {}\nenvironments  {}\ndigest        {}\nquiet hours   {}\ntime zone     {}\n",
        or(&shown.muted, "nothing"),
        or(&shown.environments, "all"),
        digest(&shown),
        shown.quiet.as_deref().unwrap_or("none"),
        shown.time_zone,
    );
    context.output.result(&shown, || text)
}

fn digest(wanted: &Wanted) -> String {
    match (wanted.digest_hour, wanted.digest_ended_ms) {
        (None, _) => "none: mails come at once".to_owned(),
        (Some(hour), None) => format!("daily at {hour}:00"),
        (Some(hour), Some(ended_ms)) => format!(
            "ended by the link in one, {}: only what is urgent comes\n              to begin again: keyvawlt notify preferences --digest {hour}",
            display_ms(ended_ms)
        ),
    }
}

async fn thresholds(days: &[u32], vault: &Vault, context: &mut Context) -> Outcome {
    let days = if days.is_empty() { vault.notice_thresholds().await? } else { vault.set_notice_thresholds(days).await? };
    let words: Vec<String> = days.iter().map(ToString::to_string).collect();
    context.output.result(&days, || format!("{} days before the end\n", words.join(", ")))
}

fn quiet_hours(text: &str) -> Outcome<QuietHours> {
    let wrong = || Failure::usage("write quiet hours as in 22:00-07:00, from 00:00 to 23:59, or none").on("--quiet-hours");
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let minutes = minute.parse().ok().filter(|minute| *minute < MINUTES_PER_HOUR)?;
        let hours: u32 = hour.parse().ok().filter(|hour| *hour < HOURS_PER_DAY)?;
        hours.checked_mul(MINUTES_PER_HOUR)?.checked_add(minutes)
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let hours = QuietHours { from: minute(from).ok_or_else(wrong)?, to: minute(to).ok_or_else(wrong)? };
    if hours.from == hours.to {
        return Err(Failure::usage("quiet hours end at another time than they begin").on("--quiet-hours"));
    }
    Ok(hours)
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / MINUTES_PER_HOUR, minute % MINUTES_PER_HOUR)
}

/// Namespaces by what they are called.
fn places(namespaces: &[impl AsRef<[u8]>], roster: &Roster) -> Vec<String> {
    let place = |ns: &[u8]| NsId::from_slice(ns).map_or_else(|_| "an unknown place".to_owned(), |ns| roster.place(&ns));
    namespaces.iter().map(|ns| place(ns.as_ref())).collect()
}
