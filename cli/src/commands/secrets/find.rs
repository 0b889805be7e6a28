//! `keyvawlt secrets find`: from the id that a mail shows to the name, which only its readers know.
//!
//! Invariant: the server is not asked; names are opened here.

use serde::Serialize;

use crate::commands::Context;
use crate::exit::Exit;
use crate::facts::Shown;
use crate::failure::{Failure, Outcome};
use crate::vault;

/// A secret, for programs.
#[derive(Serialize)]
struct Row {
    id: String,
    environment: String,
    name: String,
    version: u64,
    #[serde(flatten)]
    facts: Shown,
    deleted: bool,
}

/// `keyvawlt secrets find`
pub async fn find(id: &str, context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    let names = vault.display_names()?;
    let mut found = Vec::new();
    for environment in vault.environments()? {
        let listed = vault.list(&environment.ns_id)?.into_iter().chain(vault.list_deleted(&environment.ns_id)?);
        for info in listed.filter(|info| info.secret_id.to_string().starts_with(id)) {
            found.push(Row {
                id: info.secret_id.to_string(),
                environment: format!("{}/{}", environment.project, environment.name),
                name: info.name,
                version: info.version,
                facts: Shown::of(info.facts.as_ref(), &names),
                deleted: info.deleted,
            });
        }
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::NotFound, "no secret that you may read in this organization has this id")
            .on(id)
            .hint("the mail names the organization: keyvawlt org list, then --org"));
    }
    let cells = |row: &Row| {
        let version = if row.deleted { format!("{} (deleted)", row.version) } else { row.version.to_string() };
        let expires = row.facts.end_distance(vault.now_ms()).unwrap_or_default();
        vec![row.environment.clone(), row.name.clone(), version, expires, row.facts.label.clone().unwrap_or_default()]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    context.output.table(&found, &["environment", "secret", "version", "expires", "label"], &rows, "")
}
