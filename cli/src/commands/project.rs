//! Projects: groups of environments. A project is where its environments are; there is none without.

use std::collections::BTreeMap;

use keyvawlt_client::ledger::chain::class;
use serde::Serialize;

use super::Context;
use crate::args::structure::Project;
use crate::failure::Outcome;
use crate::vault;

/// What a new project gets: the two environments that everybody needs, kept apart.
const FIRST_ENVIRONMENTS: [(&str, u8); 2] = [("development", class::DEVELOPMENT), ("production", class::PRODUCTION)];

/// `keyvawlt project`
pub async fn project(command: Project, context: &mut Context) -> Outcome {
    match command {
        Project::Create { name } => create(&name, context).await,
        Project::List => list(context).await,
        Project::Rename { to } => rename(&to, context).await,
    }
}

async fn create(name: &str, context: &mut Context) -> Outcome {
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

async fn rename(to: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Renamed<'a> {
        project: &'a str,
        was: String,
        environments: usize,
    }
    let was = context.settings()?.require_project()?.to_owned();
    let mut vault = vault::open(context).await?;
    let environments = vault.rename_project(&was, to).await?;
    let renamed = Renamed { project: to, was, environments };
    context.output.result(&renamed, || format!("{} is now {to}", renamed.was))?;
    context.output.note("keyvawlt.toml and scripts that name it still have the old name");
    Ok(())
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        project: String,
        environments: Vec<String>,
    }
    let vault = vault::open(context).await?;
    let mut projects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for environment in vault.environments()? {
        projects.entry(environment.project).or_default().push(environment.name);
    }
    let rows: Vec<Row> = projects.into_iter().map(|(project, environments)| Row { project, environments }).collect();
    let cells: Vec<_> = rows.iter().map(|row| vec![row.project.clone(), row.environments.join(", ")]).collect();
    context.output.table(&rows, &["project", "environments you may see"], &cells, "there is no project that you may see")
}
