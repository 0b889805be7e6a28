//! The keys this device trusts, as words to compare by voice.

use serde::Serialize;

use super::Context;
use crate::failure::Outcome;
use crate::roster::{Roster, role_name, verified_text};
use crate::vault;

/// `keyvawlt trust list`
pub async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        name: String,
        role: &'static str,
        you: bool,
        key_id: String,
        verified: &'static str,
        words: String,
    }
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let rows: Vec<Row> = roster
        .people()
        .map(|member| Row {
            id: member.id.to_string(),
            name: member.name.clone(),
            role: role_name(member.role),
            you: member.id == vault.identity().id(),
            key_id: member.key_id.to_string(),
            verified: verified_text(member.verified),
            words: member.words.join(" "),
        })
        .collect();
    let cells = rows.iter().map(|row| {
        let keys = if row.you { "your own" } else { row.verified };
        vec![row.name.clone(), row.words.clone(), keys.to_owned()]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["name", "words", "keys"], &cells, "")
}
