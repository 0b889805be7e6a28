//! Changing secrets: `set`, `edit`, `delete`, `undelete` and `rollback`.
//!
//! Invariant: a value is asked for before the vault is opened, so that nobody else waits for its lock while a person types.

use keyvawlt_client::{Clock, Error, FactsInput, SecretWrite};
use serde::Serialize;

use crate::args::secrets::{Draft, Facts, Set, TellFacts, ValueSource};
use crate::commands::Context;
use crate::duration::{display_length, display_ms};
use crate::edit::{self, Edited};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::prompt;
use crate::reference::SecretName;
use crate::vault::{self, Caller};

/// What was written, for programs.
#[derive(Serialize)]
struct Written {
    name: String,
    version: u64,
}

/// What was staged, for programs.
#[derive(Serialize)]
struct Staged {
    name: String,
}

/// `keyvawlt secrets draft`
pub async fn draft(command: &Draft, context: &mut Context) -> Outcome {
    match command {
        Draft::List => list_drafts(context).await,
        Draft::Commit { name } => {
            let (mut vault, environment) = vault::place(context).await?;
            let version = vault.commit_draft(&environment.ns_id, name.as_str()).await?;
            let written = Written { name: name.to_string(), version };
            context.output.result(&written, || format!("{name} is at version {version}"))
        }
        Draft::Discard { name } => {
            let (mut vault, environment) = vault::place(context).await?;
            vault.discard_draft(&environment.ns_id, name.as_str()).await?;
            context.output.result(&Staged { name: name.to_string() }, || format!("the draft of {name} is deleted"))
        }
    }
}

async fn list_drafts(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        name: String,
        updated: Option<String>,
        /// Somebody who could read it may have lost access since.
        outdated: bool,
    }
    let (vault, environment) = vault::place(context).await?;
    let drafts = vault.drafts(&environment.ns_id)?.into_iter();
    let rows: Vec<Row> =
        drafts.map(|draft| Row { name: draft.name, updated: draft.updated_ms.map(display_ms), outdated: draft.outdated }).collect();
    let state = |row: &Row| if row.outdated { "to be staged anew" } else { "" };
    let cells: Vec<_> =
        rows.iter().map(|row| vec![row.name.clone(), row.updated.clone().unwrap_or_default(), state(row).to_owned()]).collect();
    context.output.table(&rows, &["name", "staged", ""], &cells, "nothing is staged")
}

/// `keyvawlt secrets set`
pub async fn set(arguments: &Set, context: &mut Context) -> Outcome {
    let (name, source) = arguments.parse()?;
    let settings = context.settings()?;
    settings.require_environment()?;
    // Nobody types a value only to hear that nobody is logged in.
    Files::of(&settings).login(&settings)?;
    let facts = facts(&arguments.facts, Clock::default().now_ms())?;
    let value = match source {
        ValueSource::Argument(typed) => {
            if context.person.is_there() {
                context.output.warn("your shell's history may keep this value; without =VALUE you are asked for it unseen");
            }
            typed.0.as_bytes().to_vec().into()
        }
        ValueSource::Read(source) => prompt::value(context.person.as_mut(), &source, name.as_str())?,
    };
    let write = SecretWrite {
        name: name.to_string(),
        value,
        note: arguments.note.clone(),
        tags: Some(arguments.tags.clone()).filter(|tags| !tags.is_empty()),
        facts: facts.clone(),
        if_version: arguments.if_version,
    };
    let (mut vault, environment) = vault::place(context).await?;
    if arguments.draft {
        vault.stage(&environment.ns_id, &write).await?;
        context.output.result(&Staged { name: name.to_string() }, || format!("a value for {name} is staged"))?;
        context.output.note(&format!("keyvawlt secrets draft commit {name} makes it the next version"));
        return Ok(());
    }
    let version = vault.write(&environment.ns_id, &[write]).await?.first().copied().unwrap_or_default();
    let written = Written { name: name.to_string(), version };
    context.output.result(&written, || format!("{name} is at version {version}"))?;
    if let Some(facts) = facts {
        context.output.note(&format!("the server and its mails can read: {}", in_clear(&facts)));
    }
    Ok(())
}

/// What is told to the server, in words.
fn in_clear(facts: &FactsInput) -> String {
    let parts = [
        facts.expires_ms.map(|at| format!("expires {}", display_ms(at))),
        facts.rotate_every_ms.map(|every| format!("rotate every {}", display_length(every))),
        facts.label.as_ref().map(|label| format!("label {label}")),
        facts.provider.as_ref().map(|provider| format!("provider {provider}")),
        facts.owner.as_ref().map(|owner| format!("owner {owner}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What the person says in clear. Nothing said keeps what was said before, but no date.
fn facts(said: &Facts, now_ms: u64) -> Outcome<Option<FactsInput>> {
    if said.is_empty() {
        return Ok(None);
    }
    let expires_ms = said
        .expires
        .map(|moment| moment.at_ms(now_ms).map_err(|malformed| Failure::usage(malformed.to_string()).on("--expires")))
        .transpose()?;
    let rotate_every_ms = said.rotate_every.map(|every| u64::try_from(every.0.as_millis()).unwrap_or(u64::MAX));
    Ok(Some(FactsInput {
        expires_ms,
        rotate_every_ms,
        label: said.label.clone(),
        provider: said.provider.clone(),
        owner: said.owner.clone(),
    }))
}

/// `keyvawlt secrets facts`
pub async fn tell(arguments: &TellFacts, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Told<'a> {
        name: &'a str,
        server_reads: String,
    }
    if arguments.facts.is_empty() && !arguments.clear {
        return Err(Failure::usage("nothing to tell").on(arguments.name.as_str()).hint("say --expires, --label or the like, or --clear"));
    }
    let said = facts(&arguments.facts, Clock::default().now_ms())?;
    let (mut vault, environment) = vault::place(context).await?;
    let name = arguments.name.as_str();
    let told = match said {
        None => FactsInput::default(),
        // A date stays until another is said; the library would take it for no date.
        Some(said) => {
            let listed = vault.list(&environment.ns_id)?;
            let before = listed.iter().find(|secret| secret.name == name).and_then(|secret| secret.facts.as_ref());
            FactsInput { expires_ms: said.expires_ms.or(before.and_then(|facts| facts.expires_ms)), ..said }
        }
    };
    vault.set_facts(&environment.ns_id, name, &told).await?;
    let listed = vault.list(&environment.ns_id)?;
    let now = listed.iter().find(|secret| secret.name == name).and_then(|secret| secret.facts.clone());
    let known = now.map(|facts| FactsInput {
        expires_ms: facts.expires_ms,
        rotate_every_ms: facts.rotate_every_ms,
        label: facts.label,
        provider: facts.provider,
        owner: facts.owner,
    });
    let told = Told { name, server_reads: known.as_ref().map(in_clear).unwrap_or_default() };
    context.output.result(&told, || {
        let reads = if told.server_reads.is_empty() { "nothing" } else { told.server_reads.as_str() };
        format!("of {name} the server and its mails can read: {reads}")
    })
}

/// `keyvawlt secrets edit`
pub async fn edit(name: &SecretName, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    settings.require_environment()?;
    let caller = Caller::of(context, &settings).await?;
    let mut vault = caller.open(&settings).await?;
    let environment = vault::environment(&vault, &settings, None)?;
    vault.fetch(&environment.ns_id, [name.as_str()]).await?;
    let before = vault.read(&environment.ns_id, name.as_str())?;
    // Released while the person types; the version tells whether somebody wrote meanwhile.
    drop(vault);
    let Edited::Changed(value) = edit::edit(&context.around, &before.value)? else {
        context.output.note("unchanged; nothing was written");
        let written = Written { name: name.to_string(), version: before.info.version };
        return context.output.result(&written, String::new);
    };
    let mut vault = caller.open(&settings).await?;
    let expiry = before.info.facts.as_ref().and_then(|facts| facts.expires_ms);
    let write = SecretWrite { if_version: Some(before.info.version), value, ..SecretWrite::new(name.as_str(), "") };
    let version = match vault.write(&environment.ns_id, &[write]).await {
        Err(Error::Conflict { .. }) => {
            return Err(Failure::new(Exit::Conflict, "somebody wrote a version while you were editing; your text was not saved")
                .on(name.as_str())
                .hint("look at the new version, then edit again"));
        }
        versions => versions?.first().copied().unwrap_or_default(),
    };
    if let Some(expiry) = expiry {
        let ended = display_ms(expiry);
        context.output.note(&format!("version {} was to end {ended}; the new version has no date unless you set one", before.info.version));
    }
    let written = Written { name: name.to_string(), version };
    context.output.result(&written, || format!("{name} is at version {version}"))
}

/// `keyvawlt secrets delete`
pub async fn delete(names: &[SecretName], yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Deleted {
        deleted: Vec<String>,
    }
    let settings = context.settings()?;
    let environment = settings.require_environment()?;
    let listed = names.iter().map(SecretName::as_str).collect::<Vec<_>>().join(", ");
    prompt::confirm(context.person.as_mut(), &format!("delete {listed} of {environment}?"), yes)?;
    let (mut vault, environment) = vault::place(context).await?;
    let deleted: std::collections::BTreeSet<String> = names.iter().map(SecretName::to_string).collect();
    let deleted: Vec<String> = deleted.into_iter().collect();
    vault.delete(&environment.ns_id, &deleted).await?;
    context.output.result(&Deleted { deleted }, || format!("deleted {listed}"))?;
    context.output.note("keyvawlt secrets undelete NAME brings one back");
    Ok(())
}

/// `keyvawlt secrets delete --damaged`
pub async fn discard(yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Discarded {
        deleted: Vec<String>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let mut flaws = vault.flaws_of(&environment.ns_id);
    flaws.retain(|flaw| flaw.secret_id.is_some());
    let deleted: Vec<String> = flaws.iter().filter_map(|flaw| flaw.secret_id).map(|id| id.to_string()).collect();
    if deleted.is_empty() {
        return context.output.result(&Discarded { deleted }, || "nothing is damaged".to_owned());
    }
    for flaw in &flaws {
        let author = flaw.author.map_or_else(String::new, |author| format!(" (written by {author})"));
        context.output.note(&format!("{}{author}: {}", flaw.secret_id.map_or_else(String::new, |id| id.to_string()), flaw.fault.why));
    }
    prompt::confirm(context.person.as_mut(), &format!("delete {} damaged secrets of {}?", deleted.len(), environment.name), yes)?;
    vault.discard(&flaws).await?;
    let count = deleted.len();
    context.output.result(&Discarded { deleted }, || format!("deleted {count} damaged secrets"))
}

/// `keyvawlt secrets undelete`
pub async fn undelete(names: &[SecretName], context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let mut restored = Vec::with_capacity(names.len());
    for name in names {
        match vault.restore(&environment.ns_id, name.as_str()).await {
            Ok(version) => restored.push(Written { name: name.to_string(), version }),
            Err(error) if restored.is_empty() => return Err(error.into()),
            Err(error) => {
                let back = restored.iter().map(|written| written.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Failure::from(error).hint(format!("these are back: {back}")));
            }
        }
    }
    let line = |written: &Written| format!("{} is back as version {}", written.name, written.version);
    context.output.result(&restored, || restored.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// `keyvawlt secrets rollback`
pub async fn rollback(name: &SecretName, to: u64, context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let version = vault.rollback(&environment.ns_id, name.as_str(), to).await?;
    let written = Written { name: name.to_string(), version };
    context.output.result(&written, || format!("{name} is at version {version}, with the value of version {to}"))
}
