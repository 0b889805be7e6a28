//! Machines: agents, CI jobs and services, each with one token and rights that end.

use std::path::Path;

use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::{Error, MAX_OVERLAP_MS, MachineToken, NewMachine, Vault};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Context, member};
use crate::args::people::{Machine, MachinePerm};
use crate::duration::{Length, Moment, display_ms, distance};
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::prompt;
use crate::roster::{Among, Right, Roster, ends, permission_words, short};
use crate::vault;

/// `keyvawlt machine`
pub async fn machine(command: Machine, context: &mut Context) -> Outcome {
    match command {
        Machine::Create { name, on, perm, ttl, token_file } => {
            create(&name, on.as_deref(), (perm, ttl), token_file.as_deref(), context).await
        }
        Machine::Replace { machine, overlap, ttl, token_file } => replace(&machine, (overlap, ttl), token_file.as_deref(), context).await,
        Machine::List => list(context).await,
        Machine::Revoke { machine, yes } => revoke(&machine, yes, context).await,
    }
}

async fn create(
    name: &str,
    on: Option<&str>,
    (perm, ttl): (MachinePerm, Moment),
    token_file: Option<&Path>,
    context: &mut Context,
) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        name: &'a str,
        id: String,
        environment: String,
        permissions: Vec<&'static str>,
        expires: String,
        token: Option<&'a str>,
        token_file: Option<&'a Path>,
    }
    let settings = context.settings()?;
    if on.is_none() {
        settings.require_environment()?;
    }
    let mut vault = vault::open(context).await?;
    let ns_id = vault::namespace(&vault, &settings, on)?;
    let roster = Roster::of(&vault)?;
    roster.require_admin()?;
    if roster.machines().any(|machine| machine.name == name) {
        return Err(Failure::usage("there is a machine of this name").on(name).hint("choose another, or revoke that one first"));
    }
    let expires_ms = ttl.at_ms(vault.now_ms()).map_err(|why| Failure::usage(why.to_string()).on("--ttl"))?;
    let bits = match perm {
        MachinePerm::Read => permission::READ,
        MachinePerm::Write => permission::READ | permission::WRITE,
    };
    let new = NewMachine { name: name.to_owned(), access: vec![(ns_id, bits)], ttl_ms: expires_ms - vault.now_ms() };
    keep_room(token_file)?;
    let token = vault.create_machine(&new).await;
    let token = keep(&mut vault, token, token_file).await?;
    let made = Roster::of(&vault)?.find(name, Among::Machines)?;
    let place = roster.place(&ns_id);
    let created = Created {
        name,
        id: made.id.to_string(),
        environment: place.clone(),
        permissions: permission_words(bits),
        expires: display_ms(made.expires_ms),
        token: token_file.is_none().then_some(token.as_str()),
        token_file,
    };
    context
        .output
        .result(&created, || token_file.map_or_else(|| token.to_string(), |path| format!("the token is in {}", path.display())))?;
    let what = if bits & permission::WRITE == 0 { "read" } else { "write" };
    context.output.note(&format!("{name} may {what} in {place} until {}", created.expires));
    context.output.note("the token is all it needs, and cannot be shown again: KEYVAWLT_TOKEN=… keyvawlt run -- PROGRAM");
    Ok(())
}

/// Before anything is made: a token that cannot be kept would be lost.
fn keep_room(token_file: Option<&Path>) -> Outcome {
    let Some(path) = token_file else { return Ok(()) };
    files::create(path, b"", Readers::Owner).map_err(|error| Failure::file(path, "create", &error))
}

/// Keeps the token of a machine that was let in. One whose token nobody has must not stay.
async fn keep(vault: &mut Vault, token: Result<MachineToken, Error>, token_file: Option<&Path>) -> Outcome<Zeroizing<String>> {
    let token = match token {
        Ok(token) => token,
        Err(error) => {
            token_file.map(std::fs::remove_file);
            return Err(error.into());
        }
    };
    let text = token.encode()?;
    if let Some(path) = token_file
        && let Err(error) = files::replace(path, text.as_bytes(), Readers::Owner)
    {
        vault.remove_member(&token.identity().id()).await?;
        return Err(Failure::file(path, "write", &error));
    }
    Ok(text)
}

async fn replace(which: &str, (overlap, ttl): (Length, Moment), token_file: Option<&Path>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Replaced<'a> {
        name: String,
        id: String,
        expires: String,
        replaced: String,
        replaced_expires: String,
        token: Option<&'a str>,
        token_file: Option<&'a Path>,
    }
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    roster.require_admin()?;
    let old = roster.find(which, Among::Machines)?;
    let expires_ms = ttl.at_ms(vault.now_ms()).map_err(|why| Failure::usage(why.to_string()).on("--ttl"))?;
    let overlap_ms = u64::try_from(overlap.0.as_millis()).unwrap_or(u64::MAX);
    if overlap_ms > MAX_OVERLAP_MS {
        return Err(Failure::usage("the old token works on for at most 30 days").on("--overlap"));
    }
    keep_room(token_file)?;
    let ttl_ms = expires_ms - vault.now_ms();
    let token = vault.replace_machine(&old.id, ttl_ms, overlap_ms).await;
    let text = keep(&mut vault, token, token_file).await?;
    let roster = Roster::of(&vault)?;
    let made = roster.find(&old.name, Among::Machines)?;
    let ended_ms = roster.machines().find(|machine| machine.id == old.id).map_or(0, |machine| machine.expires_ms);
    let replaced = Replaced {
        name: made.name,
        id: made.id.to_string(),
        expires: display_ms(made.expires_ms),
        replaced: old.id.to_string(),
        replaced_expires: display_ms(ended_ms),
        token: token_file.is_none().then_some(text.as_str()),
        token_file,
    };
    context
        .output
        .result(&replaced, || token_file.map_or_else(|| text.to_string(), |path| format!("the token is in {}", path.display())))?;
    context.output.note(&format!(
        "{} has a new token until {}; the old one works until {}",
        replaced.name, replaced.expires, replaced.replaced_expires
    ));
    context.output.note(&format!(
        "when it has ended, what it could read is on the work list: if only the token was replaced, keyvawlt worklog resolve --of {} --reason replaced",
        short(&replaced.replaced)
    ));
    Ok(())
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        name: String,
        expires: Option<String>,
        ended: bool,
        access: Vec<Right>,
        admitted_by: Option<String>,
        admitted: Option<String>,
        #[serde(skip)]
        ends: String,
    }
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let now = vault.now_ms();
    let (names, annals) = (vault.display_names()?, vault.annals().await?);
    let row = |machine: &keyvawlt_client::MemberInfo| {
        let ended = machine.expires_ms <= now;
        let ends_text = format!("{}{}", if ended { "ended " } else { "" }, distance(machine.expires_ms, now));
        let (id, name, access) = (machine.id.to_string(), machine.name.clone(), roster.rights(machine));
        let entry = annals.keys_of(&machine.id).first();
        let admitted_by = entry.map(|entry| names.get(&entry.by).cloned().unwrap_or_else(|| short(&entry.by.to_string())));
        let admitted = entry.map(|entry| display_ms(entry.since_ms));
        Row { id, name, expires: ends(machine.expires_ms), ended, access, admitted_by, admitted, ends: ends_text }
    };
    let mut rows: Vec<Row> = roster.machines().map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let access = |row: &Row| {
        let places = row.access.iter().map(|right| format!("{}: {}", right.environment, crate::roster::permission_text(right.bits)));
        places.collect::<Vec<_>>().join(", ")
    };
    let by = |row: &Row| row.admitted_by.clone().unwrap_or_default();
    let cells: Vec<_> = rows.iter().map(|row| vec![row.name.clone(), access(row), row.ends.clone(), by(row), short(&row.id)]).collect();
    context.output.table(
        &rows,
        &["name", "may", "ends", "let in by", "id"],
        &cells,
        "there are no machines: keyvawlt machine create NAME --env ENVIRONMENT",
    )
}

async fn revoke(which: &str, yes: bool, context: &mut Context) -> Outcome {
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let machine = roster.find(which, Among::Machines)?;
    roster.require_admin()?;
    prompt::confirm(context.person.as_mut(), &format!("Revoke the machine {}? Its token ends at once.", machine.name), yes)?;
    member::take_away(&mut vault, &roster, &machine, context).await
}
