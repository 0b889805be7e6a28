//! Secrets: reading and writing them by name.

use keyvawlt_client::{FactsInput, SecretWrite};
use serde::Serialize;

use super::Context;
use crate::args::secrets::{Get, Secrets, Set, ValueSource};
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::vault;

/// `keyvawlt secrets`
pub async fn secrets(command: Secrets, context: &mut Context) -> Outcome {
    match command {
        Secrets::Get(arguments) => get(&arguments, context).await,
        Secrets::Set(arguments) => set(&arguments, context).await,
        _ => Err(Failure::local("not here yet")),
    }
}

async fn get(arguments: &Get, context: &mut Context) -> Outcome {
    let (vault, environment) = vault::place(context).await?;
    let secret = match arguments.version {
        Some(version) => vault.read_version(&environment.ns_id, arguments.name.as_str(), version).await?,
        None => vault.read(&environment.ns_id, arguments.name.as_str())?,
    };
    context.output.raw(&secret.value)
}

async fn set(arguments: &Set, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Written<'a> {
        name: &'a str,
        version: u64,
    }
    let (name, source) = arguments.parse()?;
    let (mut vault, environment) = vault::place(context).await?;
    let value = match source {
        ValueSource::Argument(typed) => typed.0.as_bytes().to_vec().into(),
        ValueSource::Read(source) => prompt::value(context.person.as_mut(), &source, name.as_str())?,
    };
    let facts = FactsInput::default();
    let write = SecretWrite {
        name: name.to_string(),
        value,
        note: arguments.note.clone(),
        tags: None,
        facts: Some(facts),
        if_version: arguments.if_version,
    };
    let versions = vault.write(&environment.ns_id, &[write]).await?;
    let written = Written { name: name.as_str(), version: versions.first().copied().unwrap_or_default() };
    context.output.result(&written, || format!("{name} is at version {}", written.version))
}
