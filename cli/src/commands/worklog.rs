//! What somebody could read who no longer may: new keys do not un-read it, so it is rotated at its provider.

use std::collections::BTreeMap;

use keyvawlt_client::ledger::chain::Questions;
use keyvawlt_client::{Removal, RotateItem, Vault};
use serde::Serialize;

use super::Context;
use crate::failure::Outcome;
use crate::output::section;
use crate::roster::Roster;
use crate::vault;

/// A secret to rotate.
#[derive(Serialize)]
pub struct WorkItem {
    environment: String,
    secret: String,
    /// The newest version that was readable.
    version: u64,
    /// By whom.
    because_of: Vec<String>,
}

/// What is left to rotate: each secret once, whoever could read it.
pub fn items(vault: &Vault) -> Outcome<Vec<WorkItem>> {
    Ok(gathered(&vault.worklist()?))
}

fn gathered(list: &[RotateItem]) -> Vec<WorkItem> {
    let mut items: BTreeMap<(String, &str), WorkItem> = BTreeMap::new();
    for item in list {
        let environment = format!("{}/{}", item.project, item.environment);
        let (secret, version) = (item.name.clone(), item.version);
        let entry = items.entry((environment.clone(), &item.name));
        let gathered = entry.or_insert(WorkItem { environment, secret, version, because_of: Vec::new() });
        gathered.version = gathered.version.max(version);
        if !gathered.because_of.contains(&item.because_of) {
            gathered.because_of.push(item.because_of.clone());
        }
    }
    items.into_values().collect()
}

/// `keyvawlt worklog list`
pub async fn list(context: &mut Context) -> Outcome {
    let vault = vault::open(context).await?;
    let rows = items(&vault)?;
    let cells =
        rows.iter().map(|row| vec![row.environment.clone(), row.secret.clone(), row.version.to_string(), row.because_of.join(", ")]);
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["environment", "secret", "version", "was readable by"], &cells, "nothing is left to rotate")?;
    if !rows.is_empty() {
        context.output.note("replace each at its provider and set the new value: that takes it off this list");
    }
    Ok(())
}

/// Reports a loss of access: what happened, which environments have a new key, and what is to be rotated.
pub fn lost(done: &str, who: &str, removal: &Removal, vault: &Vault, roster: &Roster, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Lost<'a> {
        done: &'a str,
        rekeyed: Vec<String>,
        key_change_due: Vec<String>,
        /// Where others must look what is to be rotated.
        unseen: Vec<String>,
        rotate: Vec<WorkItem>,
    }
    let state = vault.chain().head();
    let owed = roster.places().iter().filter(|(ns_id, _)| state.is_owed(ns_id, vault.now_ms())).map(|(_, place)| place.clone());
    let in_order = |mut places: Vec<String>| {
        places.sort();
        places
    };
    let lost = Lost {
        done,
        rekeyed: in_order(removal.rekeyed.iter().map(|ns_id| roster.place(ns_id)).collect()),
        key_change_due: in_order(owed.collect()),
        unseen: in_order(removal.unseen.iter().map(|ns_id| roster.place(ns_id)).collect()),
        rotate: gathered(&removal.worklist),
    };
    context.output.result(&lost, || {
        let mut parts = vec![format!("{done}\n")];
        if !lost.rekeyed.is_empty() {
            parts.push(format!("new keys: {}\n", lost.rekeyed.join(", ")));
        }
        if !lost.rotate.is_empty() {
            let row = |item: &WorkItem| vec![item.environment.clone(), item.secret.clone(), item.version.to_string()];
            let rows: Vec<_> = lost.rotate.iter().map(row).collect();
            parts.push(format!("\n{who} could read these; rotate them at their providers:\n"));
            parts.push(section(&["environment", "secret", "version"], &rows));
        }
        parts.concat()
    })?;
    if !lost.key_change_due.is_empty() {
        let places = lost.key_change_due.join(", ");
        context.output.warn(&format!("a new key is due, made by whoever writes there next, before anything is written: {places}"));
    }
    if !lost.unseen.is_empty() {
        let places = lost.unseen.join(", ");
        context
            .output
            .warn(&format!("{who} could also read {places}, which you cannot: its readers find what to rotate in keyvawlt worklog list"));
    }
    if !lost.rotate.is_empty() {
        context.output.note("keyvawlt worklog list shows what is left");
    }
    Ok(())
}
