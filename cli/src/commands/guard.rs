//! Guarded folders: parts of an environment that can be shared alone. Access to them is `keyvawlt grant`.

use keyvawlt_client::ledger::chain::{Questions, permission};
use keyvawlt_client::{Environment, Folder, Vault};
use serde::Serialize;

use super::Context;
use crate::args::structure::GuardPath;
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::roster::{Roster, permission_text, permission_words};
use crate::vault;

/// `keyvawlt guard`
pub async fn guard(path: Option<GuardPath>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Guarded {
        place: String,
        id: String,
        /// Secrets moved by this call.
        moved: usize,
        /// Whether it was guarded already.
        was_guarded: bool,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let Some(GuardPath(path)) = path else { return list(&vault, &environment, context) };
    if !path.ends_with('/') && is_folder_only(&vault, &environment, &path)? {
        return Err(Failure::usage("there is no secret of this name, but a folder")
            .on(path.clone())
            .hint(format!("keyvawlt guard {path}/")));
    }
    let (mut moved, mut made) = (0, false);
    loop {
        let step = vault.guard_batch(&environment.ns_id, &path).await?;
        (moved, made) = (moved + step.moved, made || step.changed);
        if step.done {
            break;
        }
        context.output.note(&format!("moved {moved} secrets; keyvawlt guard {path} goes on if this is stopped"));
    }
    let id = vault.folder(&environment.ns_id, &path)?.ns_id.to_string();
    let place = place_of(&environment, &path);
    let guarded = Guarded { place: place.clone(), id, moved, was_guarded: !made };
    context.output.result(&guarded, || match (made, moved) {
        (false, 0) => format!("{place} is guarded already"),
        (_, 1) => format!("{place} is guarded, with 1 secret"),
        _ => format!("{place} is guarded, with {moved} secrets"),
    })?;
    context
        .output
        .note(&format!("whoever reads {} reads it as before; to share it alone: keyvawlt grant add --on {place}", environment.name));
    Ok(())
}

/// `keyvawlt unguard`
pub async fn unguard(GuardPath(path): GuardPath, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Unguarded {
        place: String,
        /// Secrets moved back by this call.
        moved: usize,
        /// Who could see only this, and no longer can.
        lost: Vec<String>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let folder = vault.folder(&environment.ns_id, &path)?;
    let place = place_of(&environment, &path);
    let lost = who_sees_only(&vault, &environment, &folder)?;
    let question = match lost.as_slice() {
        [] => format!("Put {place} back into {}?", environment.name),
        lost => format!("Put {place} back into {}? These will no longer see it: {}", environment.name, lost.join(", ")),
    };
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    let mut moved = 0;
    loop {
        let step = vault.unguard_batch(&environment.ns_id, &folder).await?;
        moved += step.moved;
        if step.done {
            break;
        }
    }
    let unguarded = Unguarded { place, moved, lost };
    context.output.result(&unguarded, || format!("{} is a part of {} again", unguarded.place, environment.name))?;
    if !unguarded.lost.is_empty() {
        context.output.note(&format!("no longer see it: {}; what they could read, they know", unguarded.lost.join(", ")));
    }
    Ok(())
}

fn list(vault: &Vault, environment: &Environment, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        path: String,
        id: String,
        secrets: usize,
        permissions: Vec<&'static str>,
        key_change_due: bool,
        #[serde(skip)]
        may: &'static str,
    }
    let secrets = vault.list(&environment.ns_id)?;
    let row = |folder: Folder| Row {
        secrets: secrets.iter().filter(|secret| secret.ns_id == folder.ns_id).count(),
        path: folder.prefix,
        id: folder.ns_id.to_string(),
        permissions: permission_words(folder.permissions),
        key_change_due: folder.owed,
        may: permission_text(folder.permissions),
    };
    let rows: Vec<Row> = vault.folders(&environment.ns_id)?.into_iter().map(row).collect();
    let cells: Vec<_> = rows.iter().map(|row| vec![row.path.clone(), row.secrets.to_string(), row.may.to_owned()]).collect();
    let empty = format!("nothing of {}/{} is guarded: keyvawlt guard PATH", environment.project, environment.name);
    context.output.table(&rows, &["path", "secrets", "you may"], &cells, &empty)
}

fn place_of(environment: &Environment, path: &str) -> String {
    format!("{}/{}:{path}", environment.project, environment.name)
}

/// Whether a path names no secret, but secrets lie below it.
fn is_folder_only(vault: &Vault, environment: &Environment, path: &str) -> Outcome<bool> {
    let listed = vault.list(&environment.ns_id)?;
    let below = |name: &str| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    Ok(!listed.iter().any(|secret| secret.name == path) && listed.iter().any(|secret| below(&secret.name)))
}

/// Who reads a guarded part, and nothing above it.
fn who_sees_only(vault: &Vault, environment: &Environment, folder: &Folder) -> Outcome<Vec<String>> {
    let state = vault.chain().head();
    let reads = |ns_id, id| state.permissions(ns_id, id, vault.now_ms()) & permission::READ != 0;
    let above = state.ns(&folder.ns_id).and_then(|ns| ns.parent).unwrap_or(environment.ns_id);
    let roster = Roster::of(vault)?;
    let only = roster.all().iter().filter(|member| reads(&folder.ns_id, &member.id) && !reads(&above, &member.id));
    Ok(only.map(|member| member.name.clone()).collect())
}
