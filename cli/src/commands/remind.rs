//! `keyvawlt remind`: what is due, in how many days, and whose, whether or not the server reminds.

use keyvawlt_client::{Severity, Vault};
use serde::Serialize;

use super::Context;
use crate::args::lifecycle::{Remind, RemindCommand};
use crate::due::{DueItem, WITHIN_MS};
use crate::duration::{Length, display_length, display_ms, distance};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::reference::SecretName;
use crate::vault;

/// What is due within this time.
pub async fn due(vault: &mut Vault, within_ms: u64) -> Outcome<Vec<DueItem>> {
    let due = vault.due(within_ms).await?;
    let (names, now_ms) = (vault.display_names()?, vault.now_ms());
    Ok(due.iter().map(|due| DueItem::of(due, &names, now_ms)).collect())
}

/// `keyvawlt remind`
pub async fn remind(arguments: &Remind, context: &mut Context) -> Outcome {
    if let Some(RemindCommand::Snooze { name, time }) = &arguments.command {
        return snooze(name, *time, context).await;
    }
    let mut vault = vault::open(context).await?;
    let fail_ms = arguments.fail_within.map(Length::ms);
    let within_ms = arguments.within.map_or(WITHIN_MS, Length::ms).max(fail_ms.unwrap_or(0));
    let mut items = due(&mut vault, within_ms).await?;
    let (own, now_ms) = (vault.identity().id(), vault.now_ms());
    items.retain(|item| !arguments.mine || item.is_of(&own));
    print(&items, within_ms, now_ms, context)?;
    let refuses = vault.rules()?.is_some_and(|rules| rules.expiry_in_production == Severity::Refuse);
    let Some(fail_ms) = fail_ms else { return Ok(()) };
    let urgent = items.iter().filter(|item| item.at_ms.map_or(refuses, |at_ms| at_ms <= now_ms.saturating_add(fail_ms))).count();
    if urgent == 0 {
        return Ok(());
    }
    let length = display_length(fail_ms);
    let what = if urgent == 1 { "1 thing is".to_owned() } else { format!("{urgent} things are") };
    Err(Failure::new(Exit::Due, format!("{what} due within {length}")).hint("keyvawlt rotate begin NAME, or keyvawlt secrets set NAME"))
}

async fn snooze(name: &SecretName, time: Length, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Snoozed<'a> {
        name: &'a str,
        until: String,
    }
    let (vault, environment) = vault::place(context).await?;
    let asked_ms = vault.now_ms().saturating_add(time.ms());
    let until_ms = vault.snooze_reminder(&environment.ns_id, name.as_str(), asked_ms).await?;
    let snoozed = Snoozed { name: name.as_str(), until: display_ms(until_ms) };
    let when = distance(until_ms, vault.now_ms());
    context.output.result(&snoozed, || format!("the server reminds nobody of {name} until {}, {when}", snoozed.until))?;
    if until_ms < asked_ms {
        context.output.note("that is sooner than asked: at most 30 days at once, and 90 days after it was to be replaced");
    }
    Ok(())
}

fn print(items: &[DueItem], within_ms: u64, now_ms: u64, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Reminder<'a> {
        within: String,
        due: &'a [DueItem],
    }
    let within = display_length(within_ms);
    if context.output.is_json() {
        return context.output.result(&Reminder { within, due: items }, String::new);
    }
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let cells = items.iter().map(|item| {
        let what = item.words(now_ms);
        vec![item.environment.clone(), item.secret.clone(), dash(&item.label), dash(&item.owner), what]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    let columns = ["environment", "secret", "label", "owner", "what"];
    context.output.table(&items, &columns, &cells, &format!("nothing is due within {within}"))
}
