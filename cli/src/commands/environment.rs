//! Environments: creating and listing.

use keyvawlt_client::ledger::chain::class;
use keyvawlt_client::{Environment, Vault};
use serde::Serialize;

use super::Context;
use crate::args::structure::{Class, Env};
use crate::failure::Outcome;
use crate::prompt;
use crate::roster::{class_name, permission_text, permission_words};
use crate::vault;

/// An environment as lists show it.
#[derive(Serialize)]
pub struct EnvironmentRow {
    /// The project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// The namespace's id.
    pub id: String,
    /// What it is for.
    pub class: &'static str,
    /// What this identity may do there.
    pub permissions: Vec<&'static str>,
    /// Its key changes with the next write, since somebody lost access.
    pub key_change_due: bool,
    /// The guarded folders that this identity sees, where it does not see the whole.
    pub only: Vec<String>,
    /// The permissions in a word.
    #[serde(skip)]
    pub may: &'static str,
}

/// `keyvawlt env`
pub async fn env(command: Env, context: &mut Context) -> Outcome {
    match command {
        Env::Create { name, class } => create(&name, class, context).await,
        Env::List { archived } => list(archived, context).await,
        Env::Rename { environment, to } => rename(&environment, &to, context).await,
        Env::Archive { environment, yes } => archive(&environment, yes, context).await,
        Env::Restore { environment } => restore(&environment, context).await,
    }
}

/// The environments this identity reads.
pub fn rows(vault: &Vault) -> Outcome<Vec<EnvironmentRow>> {
    Ok(rows_of(vault.environments()?))
}

fn rows_of(environments: Vec<Environment>) -> Vec<EnvironmentRow> {
    let rows = environments.into_iter().map(|environment| EnvironmentRow {
        project: environment.project,
        name: environment.name,
        id: environment.ns_id.to_string(),
        class: class_name(environment.class),
        permissions: permission_words(environment.permissions),
        key_change_due: environment.owed,
        only: environment.only,
        may: permission_text(environment.permissions),
    });
    rows.collect()
}

async fn create(name: &str, chosen: Option<Class>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        project: &'a str,
        name: &'a str,
        id: String,
        class: &'static str,
    }
    let settings = context.settings()?;
    let project = settings.require_project()?;
    let class = chosen.map_or_else(|| class_of_name(name), class_number);
    let mut vault = vault::open(context).await?;
    let id = vault.create_environment(project, name, class).await?.to_string();
    let created = Created { project, name, id, class: class_name(class) };
    context.output.result(&created, || format!("created {project}/{name}, for {}", created.class))
}

async fn list(archived: bool, context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    let rows = if archived { rows_of(vault.archived_environments()?) } else { rows(&vault)? };
    let shown = |row: &EnvironmentRow| match row.only.as_slice() {
        [] => row.name.clone(),
        only => format!("{}:{}", row.name, only.join(",")),
    };
    let cells = rows.iter().map(|row| vec![row.project.clone(), shown(row), row.class.to_owned(), row.may.to_owned()]);
    let cells: Vec<_> = cells.collect();
    context.output.table(
        &rows,
        &["project", "environment", "class", "you may"],
        &cells,
        if archived { "no environment that you may see is archived" } else { "there is no environment that you may see" },
    )
}

/// What was done to an environment, for programs.
#[derive(Serialize)]
struct Changed {
    project: String,
    name: String,
    id: String,
    done: &'static str,
}

impl Changed {
    fn of(environment: &Environment, done: &'static str) -> Self {
        Self { project: environment.project.clone(), name: environment.name.clone(), id: environment.ns_id.to_string(), done }
    }
}

async fn rename(which: &str, to: &str, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let mut vault = vault::open(context).await?;
    let environment = vault::environment(&vault, &settings, Some(which))?;
    vault.rename_environment(&environment.ns_id, &environment.project, to).await?;
    let renamed = Changed { name: to.to_owned(), ..Changed::of(&environment, "renamed") };
    context.output.result(&renamed, || format!("{}/{} is now {}/{to}", environment.project, environment.name, environment.project))?;
    context.output.note("keyvawlt.toml and scripts that name it still have the old name");
    Ok(())
}

async fn archive(which: &str, yes: bool, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let mut vault = vault::open(context).await?;
    let environment = vault::environment(&vault, &settings, Some(which))?;
    let place = format!("{}/{}", environment.project, environment.name);
    prompt::confirm(context.person.as_mut(), &format!("Archive {place}? Programs that use it will no longer find it."), yes)?;
    vault.archive(&environment.ns_id).await?;
    context.output.result(&Changed::of(&environment, "archived"), || format!("{place} is archived; keyvawlt env restore brings it back"))
}

async fn restore(which: &str, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let mut vault = vault::open(context).await?;
    let environment = vault::chosen(vault.archived_environments()?, &vault, &settings, Some(which))?;
    vault.unarchive(&environment.ns_id).await?;
    let back = Changed::of(&environment, "restored");
    context.output.result(&back, || format!("{}/{} is back", back.project, back.name))
}

/// What an environment is for when nobody says: its name tells, and anything unknown is no production.
fn class_of_name(name: &str) -> u8 {
    match name {
        "production" | "prod" => class::PRODUCTION,
        "staging" => class::STAGING,
        _ => class::DEVELOPMENT,
    }
}

fn class_number(class: Class) -> u8 {
    match class {
        Class::Development => class::DEVELOPMENT,
        Class::Staging => class::STAGING,
        Class::Production => class::PRODUCTION,
    }
}
