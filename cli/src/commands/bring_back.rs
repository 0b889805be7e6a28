//! Giving a server that was restored from a backup what it lacks.

use keyvawlt_client::{BroughtBack, Error};
use serde::Serialize;

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::vault;

/// What to know before saying yes.
const QUESTION: &str = "Has the operator told you that the server was restored from a backup? Give it what it lacks and this device holds?";

/// `keyvawlt org bring-back`
pub async fn bring_back(yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        organization: String,
        links: u64,
        writes: u64,
        lacking: Vec<String>,
    }
    let settings = context.settings()?;
    let (mut account, state) = vault::account_of_restored(context, &settings).await?;
    prompt::confirm(context.person.as_mut(), QUESTION, yes)?;
    account.bring_back(&state).await?;
    let mut rows = Vec::new();
    let mut failed = None;
    for org_id in account.organizations().to_vec() {
        let mut vault = account.open_remembered(org_id, &state).await?;
        let outcome = match vault.bring_back().await {
            // Everything is back only if it verifies.
            Ok(back) if back.lacking.is_empty() => vault.sync().await.map(|()| back),
            outcome => outcome,
        };
        let organization = vault.name().unwrap_or_else(|_| org_id.to_string());
        match outcome {
            Ok(BroughtBack { links, writes, lacking }) => rows.push(Row { organization, links, writes, lacking }),
            Err(Error::Forbidden) => failed = Some(not_there().on(organization)),
            Err(error) => failed = Some(Failure::from(error).on(organization)),
        }
    }
    if rows.is_empty()
        && let Some(failure) = failed
    {
        return Err(failure);
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|row| vec![row.organization.clone(), row.links.to_string(), row.writes.to_string(), row.lacking.join(", ")])
        .collect();
    context.output.table(&rows, &["organization", "links", "writes", "still lacking"], &cells, "you are in no organization")?;
    if rows.iter().any(|row| !row.lacking.is_empty()) {
        context.output.warn("this device does not hold everything: members who saw more run the same command, then you again");
    }
    failed.map_or(Ok(()), Err)
}

/// The organization, or the membership, is younger than the backup.
fn not_there() -> Failure {
    Failure::new(Exit::PermissionDenied, "the backup does not know you as a member")
        .hint("a member from before the backup brings back first; an organization founded since is founded anew")
}
