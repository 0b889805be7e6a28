//! Notices: what one wants to hear of, where the organization's go besides, and what became of them.

use keyvawlt_client::monitors::in_hex as hex;
use keyvawlt_client::{NewChannel, NoticeChannel, NoticeDelivery, NoticePreferences, QuietHours, Vault};
use serde::Serialize;
use std::io::Read as _;

use super::Context;
use crate::args::notify::{Add, Form, Notify, Preferences};
use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::vault;

/// A file with a URL is one line of at most 2,048 bytes.
const MAX_URL_FILE: u64 = 4_096;
const MINUTES_PER_HOUR: u32 = 60;

/// `keyvawlt notify`
pub async fn notify(command: Notify, context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    match command {
        Notify::Add(wanted) => add(&wanted, &vault, context).await,
        Notify::List => list(&vault, context).await,
        Notify::Remove { channel } => {
            vault.remove_channel(find(&vault, &channel).await?).await?;
            context.output.note("the channel is gone");
            Ok(())
        }
        Notify::Test { channel } => {
            vault.test_channel(find(&vault, &channel).await?).await?;
            context.output.note("a trial is on its way: keyvawlt notify log --all says what became of it");
            Ok(())
        }
        Notify::Pause { channel } => {
            vault.pause_channel(find(&vault, &channel).await?).await?;
            context.output.note("nothing is sent there until it is resumed");
            Ok(())
        }
        Notify::Resume { channel } => {
            vault.resume_channel(find(&vault, &channel).await?).await?;
            context.output.note("notices are sent there again");
            Ok(())
        }
        Notify::Rotate { channel } => {
            let id = find(&vault, &channel).await?;
            let secret = vault.rotate_channel_secret(id).await?;
            show_made(context, id, &secret)
        }
        Notify::Mute { kinds } => mute(&vault, &kinds, true, context).await,
        Notify::Unmute { kinds } => mute(&vault, &kinds, false, context).await,
        Notify::Preferences(wanted) => preferences(&wanted, &vault, context).await,
        Notify::Thresholds { days } => thresholds(&days, &vault, context).await,
        Notify::Log { all } => log(all, &vault, context).await,
    }
}

/// A new channel, for programs.
#[derive(Serialize)]
struct Made {
    id: String,
    /// What verifies a webhook's signatures, as the specification writes it; shown this once.
    secret: Option<String>,
}

async fn add(wanted: &Add, vault: &Vault, context: &mut Context) -> Outcome {
    let url = url_from(&wanted.url_file)?;
    let settings = context.settings()?;
    let mut namespaces = Vec::new();
    for place in &wanted.on {
        namespaces.push(vault::environment(vault, &settings, Some(place))?.ns_id);
    }
    let slack = matches!(wanted.form, Form::Slack);
    let new = NewChannel { slack, name: wanted.name.clone(), url, kinds: wanted.kind.clone(), namespaces };
    let (id, secret) = vault.add_channel(&new).await?;
    show_made(context, id, &secret)
}

fn url_from(file: &str) -> Outcome<String> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(MAX_URL_FILE).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(MAX_URL_FILE).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::local(format!("cannot read the URL: {error}")).on(file))?;
    Ok(text.trim().to_owned())
}

fn show_made(context: &mut Context, id: [u8; 16], secret: &[u8]) -> Outcome {
    use base64::Engine as _;
    let secret = (!secret.is_empty()).then(|| format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(secret)));
    let made = Made { id: hex(&id), secret };
    let text = match &made.secret {
        Some(secret) => format!(
            "channel  {}\nsecret   {secret}\n\nThe secret is shown this once: give it to the receiver, which verifies with it.\n",
            made.id
        ),
        None => format!("channel  {}\n", made.id),
    };
    context.output.result(&made, || text)
}

/// A channel by its id, or by its name when only one has it.
async fn find(vault: &Vault, wanted: &str) -> Outcome<[u8; 16]> {
    let channels = vault.channels().await?;
    let mut found = channels.iter().filter(|channel| hex(&channel.channel_id) == wanted || channel.name == wanted);
    match (found.next(), found.next()) {
        (Some(channel), None) => channel.channel_id.as_ref().try_into().map_err(|_| Failure::local("the server's channel has no id")),
        (Some(_), Some(_)) => Err(Failure::usage("several channels have this name: give the id").on(wanted)),
        (None, _) => Err(Failure::new(Exit::NotFound, "there is no such channel").on(wanted).hint("keyvawlt notify list")),
    }
}

/// A channel, for programs.
#[derive(Serialize)]
struct Listed {
    id: String,
    name: String,
    form: &'static str,
    host: String,
    kinds: Vec<String>,
    environments: Vec<String>,
    paused: Option<String>,
    failing: Option<String>,
}

impl Listed {
    fn of(channel: &NoticeChannel) -> Self {
        Self {
            id: hex(&channel.channel_id),
            name: channel.name.clone(),
            form: if channel.form().as_str_name() == "CHANNEL_FORM_SLACK" { "slack" } else { "webhook" },
            host: channel.host.clone(),
            kinds: channel.kinds.clone(),
            environments: channel.namespaces.iter().map(|ns| hex(ns)).collect(),
            paused: moment(channel.paused_at_ms),
            failing: moment(channel.failing_since_ms),
        }
    }

    fn cells(&self) -> Vec<String> {
        let state = match (&self.paused, &self.failing) {
            (Some(since), _) => format!("paused since {since}"),
            (None, Some(since)) => format!("failing since {since}"),
            (None, None) => "works".to_owned(),
        };
        vec![self.id.clone(), self.name.clone(), self.form.to_owned(), self.host.clone(), state]
    }
}

async fn list(vault: &Vault, context: &mut Context) -> Outcome {
    let channels: Vec<Listed> = vault.channels().await?.iter().map(Listed::of).collect();
    let rows: Vec<Vec<String>> = channels.iter().map(Listed::cells).collect();
    context.output.table(&channels, &["id", "name", "form", "host", "state"], &rows, "no channel: notices go to people only")
}

async fn mute(vault: &Vault, kinds: &[String], silent: bool, context: &mut Context) -> Outcome {
    let mut wanted = vault.notice_preferences().await?;
    wanted.muted.retain(|kind| !kinds.contains(kind));
    if silent {
        wanted.muted.extend(kinds.iter().cloned());
    }
    vault.set_notice_preferences(wanted.clone()).await?;
    show_preferences(&wanted, context)
}

/// Preferences, for programs.
#[derive(Serialize)]
struct Wanted {
    muted: Vec<String>,
    environments: Vec<String>,
    digest_hour: Option<u32>,
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
    show_preferences(&wanted, context)
}

fn show_preferences(wanted: &NoticePreferences, context: &mut Context) -> Outcome {
    let shown = Wanted {
        muted: wanted.muted.clone(),
        environments: wanted.namespaces.iter().map(|ns| hex(ns)).collect(),
        digest_hour: wanted.digest_hour,
        quiet: wanted.quiet_hours.as_ref().map(|hours| format!("{}-{}", clock(hours.from), clock(hours.to))),
        time_zone: wanted.time_zone.clone(),
    };
    let or = |values: &[String], none: &str| if values.is_empty() { none.to_owned() } else { values.join(", ") };
    let text = format!(
        "muted         {}\nenvironments  {}\ndigest        {}\nquiet hours   {}\ntime zone     {}\n",
        or(&shown.muted, "nothing"),
        or(&shown.environments, "all"),
        shown.digest_hour.map_or_else(|| "none: mails come at once".to_owned(), |hour| format!("daily at {hour}:00")),
        shown.quiet.as_deref().unwrap_or("none"),
        shown.time_zone,
    );
    context.output.result(&shown, || text)
}

async fn thresholds(days: &[u32], vault: &Vault, context: &mut Context) -> Outcome {
    let days = if days.is_empty() { vault.notice_thresholds().await? } else { vault.set_notice_thresholds(days).await? };
    let words: Vec<String> = days.iter().map(ToString::to_string).collect();
    context.output.result(&days, || format!("{} days before the end\n", words.join(", ")))
}

/// A message, for programs.
#[derive(Serialize)]
struct Sent {
    id: String,
    at: String,
    to: String,
    to_channel: bool,
    kinds: Vec<String>,
    notices: u64,
    left_out: u64,
    state: String,
    attempts: u32,
    error: String,
}

impl Sent {
    fn of(delivery: &NoticeDelivery) -> Self {
        Self {
            id: hex(&delivery.delivery_id),
            at: display_ms(delivery.created_at_ms),
            to: hex(&delivery.recipient_id),
            to_channel: delivery.to_channel,
            kinds: delivery.kinds.clone(),
            notices: delivery.notices,
            left_out: delivery.dropped,
            state: delivery.state.clone(),
            attempts: delivery.attempts,
            error: delivery.error.clone(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let to = if self.to_channel { format!("channel {}", self.to) } else { self.to.clone() };
        vec![self.at.clone(), to, self.kinds.join(", "), self.notices.to_string(), self.state.clone(), self.error.clone()]
    }
}

async fn log(all: bool, vault: &Vault, context: &mut Context) -> Outcome {
    let (deliveries, next) = vault.notice_deliveries(all, "").await?;
    let sent: Vec<Sent> = deliveries.iter().map(Sent::of).collect();
    let rows: Vec<Vec<String>> = sent.iter().map(Sent::cells).collect();
    context.output.table(&sent, &["when", "to", "what", "notices", "state", ""], &rows, "nothing was sent")?;
    if !next.is_empty() {
        context.output.note("older ones are left out");
    }
    Ok(())
}

fn quiet_hours(text: &str) -> Outcome<QuietHours> {
    let wrong = || Failure::usage("write quiet hours as in 22:00-07:00, or none").on("--quiet-hours");
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let minutes = minute.parse().ok().filter(|minute| *minute < MINUTES_PER_HOUR)?;
        hour.parse::<u32>().ok()?.checked_mul(MINUTES_PER_HOUR)?.checked_add(minutes)
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    Ok(QuietHours { from: minute(from).ok_or_else(wrong)?, to: minute(to).ok_or_else(wrong)? })
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / MINUTES_PER_HOUR, minute % MINUTES_PER_HOUR)
}

fn moment(at_ms: u64) -> Option<String> {
    (at_ms > 0).then(|| display_ms(at_ms))
}
