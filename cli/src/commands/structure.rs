//! Organizations, projects and environments.

use keyvawlt_client::ledger::chain::class;
use serde::Serialize;

use super::Context;
use crate::args::structure::{Org, Project};
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::settings::{FileSettings, USER_FILE};
use crate::vault;

/// What a new project gets: the two environments that everybody needs, kept apart.
const FIRST_ENVIRONMENTS: [(&str, u8); 2] = [("development", class::DEVELOPMENT), ("production", class::PRODUCTION)];

/// `keyvawlt org`
pub async fn org(command: Org, context: &mut Context) -> Outcome {
    match command {
        Org::Create { name } => create_org(&name, context).await,
        _ => Err(Failure::local("not here yet")),
    }
}

/// `keyvawlt project`
pub async fn project(command: Project, context: &mut Context) -> Outcome {
    match command {
        Project::Create { name, no_environments: _ } => create_project(&name, context).await,
        Project::List => Err(Failure::local("not here yet")),
    }
}

async fn create_org(name: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        name: &'a str,
        id: String,
    }
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let state = vault::state_of(&settings, &account.id())?;
    let mut vault = account.found(name, &state).await?;
    account.pin(&state)?;
    if let Some(profile) = Files::of(&settings).profile()? {
        let own = vault.identity().id();
        vault.rename_person(&own, &profile.name).await?;
    }
    if account.organizations().len() == 1 {
        let path = settings.config_dir.value.join(USER_FILE);
        FileSettings::update(&path, |file| file.top.org = Some(name.to_owned()))?;
    }
    let created = Created { name, id: vault.org_id().to_string() };
    context.output.result(&created, || format!("created {name}; you are its owner"))?;
    context.output.note("next: keyvawlt project create NAME");
    Ok(())
}

async fn create_project(name: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        project: &'a str,
        environments: Vec<&'a str>,
    }
    let mut vault = vault::open(context).await?;
    vault.create_project(name, &FIRST_ENVIRONMENTS).await?;
    let created = Created { project: name, environments: FIRST_ENVIRONMENTS.iter().map(|(name, _)| *name).collect() };
    context.output.result(&created, || format!("created {name} with {}", created.environments.join(" and ")))
}
