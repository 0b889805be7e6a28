//! Secrets: looking at them, and changing them, by name.

use std::collections::BTreeMap;

use keyvawlt_client::Vault;
use keyvawlt_client::ledger::IdentityId;

use super::Context;
use crate::args::secrets::Secrets;
use crate::failure::Outcome;

pub mod change;
mod find;
mod look;

/// `keyvawlt secrets`
pub async fn secrets(command: Secrets, context: &mut Context) -> Outcome {
    match command {
        Secrets::List(arguments) => look::list(&arguments, context).await,
        Secrets::Find { id } => find::find(&id, context).await,
        Secrets::Get(arguments) => look::get(&arguments, context).await,
        Secrets::Draft(command) => change::draft(&command, context).await,
        Secrets::History { name } => look::history(&name, context).await,
        Secrets::Set(arguments) => change::set(&arguments, context).await,
        Secrets::Facts(arguments) => change::tell(&arguments, context).await,
        Secrets::Edit { name } => change::edit(&name, context).await,
        Secrets::Delete { damaged: true, yes, .. } => change::discard(yes, context).await,
        Secrets::Delete { names, yes, .. } => change::delete(&names, yes, context).await,
        Secrets::Undelete { names } => change::undelete(&names, context).await,
        Secrets::Rollback { name, to } => change::rollback(&name, to, context).await,
    }
}

/// What identities are called, as far as this one may know.
pub struct People(BTreeMap<IdentityId, String>);

impl People {
    /// As far as the vault may tell.
    pub fn of(vault: &Vault) -> Outcome<Self> {
        Ok(Self(vault.display_names()?))
    }

    /// The name, or the id: a machine does not read the directory.
    pub fn name(&self, id: &IdentityId) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_string())
    }
}
