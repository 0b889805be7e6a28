//! What somebody could read who no longer may: new keys do not un-read it, so it is rotated at its provider.
//!
//! Invariant: the list follows from the verified chain; only who does what until when, and why something need not be done, is kept.

use std::collections::BTreeMap;

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::ledger::chain::Questions;
use keyvawlt_client::{FactsInput, Removal, RotateItem, Vault};
use serde::Serialize;

use super::Context;
use super::member::quoted;
use crate::args::leaving::{Assign, Resolve, Worklog};
use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::section;
use crate::report::Report;
use crate::roster::{Among, Roster};
use crate::rotation::{self, COLUMNS, WorkItem};
use crate::vault;

/// Digits of an id that name a secret without a name that opens.
const LEAST_ID: usize = 6;

/// `keyvawlt worklog`
pub async fn worklog(command: Worklog, context: &mut Context) -> Outcome {
    match command {
        Worklog::List { of, fetched, report } => list(of, fetched, report.report()?, context).await,
        Worklog::Assign(arguments) => assign(arguments, context).await,
        Worklog::Resolve(arguments) => resolve(arguments, context).await,
    }
}

/// How many secrets are left to rotate.
pub async fn count(vault: &Vault) -> Outcome<usize> {
    Ok(vault.worklist().await?.len())
}

async fn list(of: Option<String>, fetched: bool, report: Option<Report>, context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    let mut list = vault.worklist().await?;
    if let Some(of) = &of {
        list.retain_mut(|item| because_of(item, of));
    }
    if fetched {
        vault.trace(&mut list).await?;
    }
    let rows = rotation::items(&list, &vault)?;
    let now = vault.now_ms();
    if let Some(report) = &report {
        let title = format!("# Secrets to rotate in {}\n\nAs of {}.\n\n", rotation::cell(&vault.name()?), display_ms(now));
        report.write(&rows, || title + &rotation::markdown(&rows, now), context)?;
    }
    let cells = rows.iter().map(|row| {
        let mut cells = row.cells(now);
        cells.push(row.assignee.clone().unwrap_or_else(|| "-".to_owned()));
        cells.push(row.because_of.join(", "));
        cells.extend(fetched.then(|| row.fetched(now)));
        cells
    });
    let cells: Vec<_> = cells.collect();
    let mut columns = COLUMNS.to_vec();
    columns.extend(["assigned", "was readable by"]);
    columns.extend(fetched.then_some("on record"));
    context.output.table(&rows, &columns, &cells, "nothing is left to rotate")?;
    if !rows.is_empty() {
        context.output.note("replace each at its provider and set the new value: that takes it off this list");
    }
    Ok(())
}

async fn assign(arguments: Assign, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Assigned {
        environment: String,
        secret: String,
        assignee: Option<String>,
        due: Option<String>,
        reminder: bool,
    }
    let (mut vault, item) = listed(&arguments.secret, context).await?;
    let roster = Roster::of(&vault)?;
    roster.require_admin()?;
    let assignee = arguments.to.as_deref().map(|who| roster.find(who, Among::People)).transpose()?;
    let due_ms = arguments.due.map(|due| due.at_ms(vault.now_ms())).transpose();
    let due_ms = due_ms.map_err(|why| Failure::usage(why.to_string()).on("--due"))?;
    if assignee.is_none() && due_ms.is_none() && arguments.note.is_none() {
        return Err(Failure::usage("say who, until when, or anything else").hint("--to WHO, --due WHEN, --note TEXT"));
    }
    let note = arguments.note.unwrap_or_default();
    vault.assign((item.ns_id, item.secret_id), assignee.as_ref().map(|member| member.id), due_ms, &note).await?;
    if arguments.remind {
        remind(&mut vault, &item, assignee.as_ref().map(|member| member.id.to_string()), due_ms).await?;
    }
    let assigned = Assigned {
        environment: format!("{}/{}", item.project, item.environment),
        secret: item.name.clone(),
        assignee: assignee.map(|member| member.name),
        due: due_ms.map(display_ms),
        reminder: arguments.remind,
    };
    context.output.result(&assigned, || {
        let who = assigned.assignee.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
        let until = assigned.due.as_ref().map(|due| format!(" until {due}")).unwrap_or_default();
        format!("{} {} is to be replaced{who}{until}", assigned.environment, assigned.secret)
    })?;
    if assigned.reminder {
        context.output.note("the server and its mails can read the date and the id of whoever replaces it, and remind");
    }
    Ok(())
}

/// Tells the server date and owner, as facts: it reminds of nothing that it was not told. An earlier date stays.
async fn remind(vault: &mut Vault, item: &RotateItem, owner: Option<String>, due_ms: Option<u64>) -> Outcome {
    let environment = vault.environment(&item.project, &item.environment)?;
    let present = item.facts.as_ref().and_then(|facts| facts.expires_ms);
    let expires_ms = present.into_iter().chain(due_ms).min();
    let told = FactsInput { expires_ms, owner, ..FactsInput::default() };
    Ok(vault.set_facts(&environment.ns_id, &item.name, &told).await?)
}

async fn resolve(arguments: Resolve, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Resolved {
        environment: String,
        secret: String,
        reason: String,
        because_of: Vec<String>,
    }
    let Some(secret) = &arguments.secret else { return resolve_all(&arguments, context).await };
    let (mut vault, item) = listed(secret, context).await?;
    Roster::of(&vault)?.require_admin()?;
    vault.settle((item.ns_id, item.secret_id), &arguments.reason).await?;
    let resolved = Resolved {
        environment: format!("{}/{}", item.project, item.environment),
        secret: item.name.clone(),
        reason: arguments.reason,
        because_of: item.lost_by.iter().map(|lost| lost.name.clone()).collect(),
    };
    context.output.result(&resolved, || {
        format!("{} {} keeps its value, though {} could read it", resolved.environment, resolved.secret, resolved.because_of.join(", "))
    })?;
    context.output.note("all people of the organization can see the reason; whoever loses access later puts it on the list again");
    Ok(())
}

/// Everything that is on the list because of one former reader.
async fn resolve_all(arguments: &Resolve, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Resolved {
        of: String,
        id: String,
        secrets: usize,
        reason: String,
    }
    let of = arguments.of.clone().unwrap_or_default();
    let mut vault = vault::open(context).await?;
    Roster::of(&vault)?.require_admin()?;
    let mut list = vault.worklist().await?;
    list.retain_mut(|item| because_of(item, &of));
    let lost: BTreeMap<IdentityId, String> = list.iter().flat_map(|item| &item.lost_by).map(|lost| (lost.who, lost.name.clone())).collect();
    let (who, name) = match lost.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        [] => return Err(Failure::new(Exit::NotFound, "nothing is on the list because of them").on(of).hint("see keyvawlt worklog list")),
        _ => {
            return Err(Failure::usage("several former readers are called so")
                .on(of)
                .hint("give the beginning of the id that --json shows"));
        }
    };
    vault.settle_losses_of(who, &arguments.reason).await?;
    let resolved = Resolved { of: name, id: who.to_string(), secrets: list.len(), reason: arguments.reason.clone() };
    context.output.result(&resolved, || format!("{} secrets keep their values, though {} could read them", resolved.secrets, resolved.of))
}

/// Whether an item is on the list because of somebody; leaves only them.
fn because_of(item: &mut RotateItem, of: &str) -> bool {
    item.lost_by.retain(|lost| lost.name == of || (of.len() >= LEAST_ID && lost.who.to_string().starts_with(of)));
    !item.lost_by.is_empty()
}

/// An item of the list, by the name of its secret in the chosen environment.
async fn listed(secret: &str, context: &mut Context) -> Outcome<(Vault, RotateItem)> {
    let (vault, environment) = vault::place(context).await?;
    let list = vault.worklist().await?;
    let here = |item: &&RotateItem| item.project == environment.project && item.environment == environment.name;
    let named = |item: &&RotateItem| item.name == secret || (secret.len() >= LEAST_ID && item.secret_id.to_string().starts_with(secret));
    let found: Vec<&RotateItem> = list.iter().filter(here).filter(named).collect();
    let item = match found.as_slice() {
        [one] => (*one).clone(),
        [] => {
            return Err(Failure::new(Exit::NotFound, "it is not on the list of secrets to rotate")
                .on(secret)
                .hint("see keyvawlt worklog list"));
        }
        _ => return Err(Failure::usage("several secrets are called so").on(secret).hint("give the id that --json shows")),
    };
    Ok((vault, item))
}

/// What a loss of access left to do.
#[derive(Serialize)]
pub struct Loss {
    /// Places with a new key.
    pub rekeyed: Vec<String>,
    /// Places whose next writer makes the new key.
    pub key_change_due: Vec<String>,
    /// Where others must look what is to be rotated.
    pub unseen: Vec<String>,
    /// What is to be rotated.
    pub rotate: Vec<WorkItem>,
}

impl Loss {
    /// As places and secrets with their names.
    pub fn of(removal: &Removal, vault: &Vault, roster: &Roster) -> Outcome<Self> {
        let state = vault.chain().head();
        let in_order = |mut places: Vec<String>| {
            places.sort();
            places.dedup();
            places
        };
        let owed = roster.places().keys().filter(|ns_id| state.is_owed(ns_id, vault.now_ms())).chain(&removal.owed);
        Ok(Self {
            rekeyed: in_order(removal.rekeyed.iter().map(|ns_id| roster.place(ns_id)).collect()),
            key_change_due: in_order(owed.map(|ns_id| roster.place(ns_id)).collect()),
            unseen: in_order(removal.unseen.iter().map(|ns_id| roster.place(ns_id)).collect()),
            rotate: rotation::items(&removal.worklist, vault)?,
        })
    }

    /// Says what is left to do; `who` could read what is to be rotated.
    pub fn warn(&self, who: &str, context: &mut Context) {
        if !self.key_change_due.is_empty() {
            let places = self.key_change_due.join(", ");
            context.output.warn(&format!("a new key is due, made by whoever writes there next, before anything is written: {places}"));
        }
        if !self.unseen.is_empty() {
            let places = self.unseen.join(", ");
            context.output.warn(&format!(
                "{who} could also read {places}, which you cannot: its readers find what to rotate in keyvawlt worklog list"
            ));
        }
    }
}

/// Reports a loss of access: what happened, which environments have a new key, and what is to be rotated.
pub fn lost(done: &str, who: &str, removal: &Removal, vault: &Vault, roster: &Roster, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Lost<'a> {
        done: &'a str,
        #[serde(flatten)]
        loss: Loss,
    }
    let lost = Lost { done, loss: Loss::of(removal, vault, roster)? };
    context.output.result(&lost, || {
        let mut parts = vec![format!("{done}\n")];
        if !lost.loss.rekeyed.is_empty() {
            parts.push(format!("new keys: {}\n", lost.loss.rekeyed.join(", ")));
        }
        if !lost.loss.rotate.is_empty() {
            let row = |item: &WorkItem| vec![item.environment.clone(), item.secret.clone(), item.version.to_string()];
            let rows: Vec<_> = lost.loss.rotate.iter().map(row).collect();
            parts.push(format!("\n{who} could read these; rotate them at their providers:\n"));
            parts.push(section(&["environment", "secret", "version"], &rows));
        }
        parts.concat()
    })?;
    lost.loss.warn(who, context);
    if !lost.loss.rotate.is_empty() {
        context.output.note(&format!("keyvawlt worklog list --of {} --fetched shows what is left, and what was delivered", quoted(who)));
    }
    Ok(())
}
