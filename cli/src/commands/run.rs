//! `keyvawlt run`: from arguments to the program that replaces this process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use keyvawlt_client::{Environment, Error, Previous, Secret, Vault};
use zeroize::Zeroizing;

use super::{Context, lock};
use crate::args::delivery::{self, Locking};
use crate::duration::display_ms;
use crate::envfile::{self, EnvFile, MAX_FILE_BYTES};
use crate::failure::{Failure, Outcome};
use crate::reference::{Answer, SecretName, Version, Why};
use crate::run::{Plan, Request};
use crate::vault;

/// Starts the program. Returns only if that fails.
pub async fn run(arguments: delivery::Run, context: &mut Context) -> Outcome {
    let mut files = Vec::with_capacity(arguments.env_files.len());
    for path in &arguments.env_files {
        files.push((path.clone(), read_env_file(path, context)?));
    }
    let plan = Plan::new(Request {
        selection: arguments.selection(),
        allowed: arguments.choice.allowed(),
        command: arguments.command,
        inherited: context.around.variables.clone(),
        files,
    })?;
    let known = if plan.needs_vault() { Known::fetch(&plan, &arguments.locking, context).await? } else { Known::default() };
    // Vault and lock are gone, and the runtime is closed by the exec: the program inherits none of them.
    let launch = plan.resolve(&known.secrets, |name, version| known.lookup(name, version))?;
    drop(known);
    Err(launch.exec())
}

/// What the vault says about the secrets that a plan names.
#[derive(Default)]
struct Known {
    /// The names of the environment's live secrets, if they are needed.
    secrets: Vec<SecretName>,
    newest: BTreeMap<String, Answer>,
    earlier: BTreeMap<(SecretName, Version), Answer>,
}

impl Known {
    async fn fetch(plan: &Plan, locking: &Locking, context: &mut Context) -> Outcome<Self> {
        let (mut vault, environment) = vault::place(context).await?;
        lock::require(locking, &vault, context).await?;
        let secrets = if plan.needs_names() { names(&vault, &environment)? } else { vec![] };
        let mut known = Self { secrets, ..Self::default() };
        let wanted = plan.wanted(&known.secrets)?;
        let newest = wanted.iter().filter(|(_, version)| *version == Version::Current).map(|(name, _)| name.as_str());
        vault.fetch(&environment.ns_id, newest.clone()).await?;
        let newest = vault.read_named(&environment.ns_id, newest)?;
        known.newest = newest.iter().map(|(name, secret)| (name.clone(), text_of(secret))).collect();
        if wanted.iter().any(|(_, version)| *version != Version::Current) {
            vault.take_history(&environment.ns_id).await?;
        }
        for (name, version) in wanted {
            let answer = match version {
                Version::Current => continue,
                Version::Number(number) => earlier(&vault, &environment, &name, number).await?,
                Version::Previous => previous(&mut vault, &environment, &name).await?,
            };
            known.earlier.insert((name, version), answer);
        }
        Ok(known)
    }

    fn lookup(&self, name: &SecretName, version: Version) -> Answer {
        let answer = match version {
            Version::Current => self.newest.get(name.as_str()),
            Version::Number(_) | Version::Previous => self.earlier.get(&(name.clone(), version)),
        };
        answer.cloned().unwrap_or(Err(Why::Absent))
    }
}

/// What the vault says about one version; a failure that is no answer about this secret ends the command, and nothing starts on it.
async fn earlier(vault: &Vault, environment: &Environment, name: &SecretName, version: u64) -> Outcome<Answer> {
    match vault.read_version(&environment.ns_id, name.as_str(), version).await {
        Ok(secret) => Ok(text_of(&secret)),
        Err(error) => answer(error),
    }
}

/// The same about the previous one, while its grace lasts.
async fn previous(vault: &mut Vault, environment: &Environment, name: &SecretName) -> Outcome<Answer> {
    match vault.previous(&environment.ns_id, name.as_str()).await {
        Ok(Previous::Within { version, .. }) => earlier(vault, environment, name, version).await,
        Ok(Previous::Over { until_ms, .. }) => Ok(Err(Why::GraceOver(display_ms(until_ms)))),
        Ok(Previous::None) => Ok(Err(Why::NoPrevious)),
        Err(error) => answer(error),
    }
}

fn answer(error: Error) -> Outcome<Answer> {
    match error {
        Error::NotFound { what: "version", .. } => Ok(Err(Why::NoSuchVersion)),
        Error::NotFound { .. } => Ok(Err(Why::Absent)),
        Error::Forbidden => Ok(Err(Why::Forbidden)),
        error => Err(error.into()),
    }
}

/// The names of an environment's live secrets. All follow the grammar of references, or they could not have been written.
pub fn names(vault: &Vault, environment: &Environment) -> Outcome<Vec<SecretName>> {
    let listed = vault.list(&environment.ns_id)?;
    Ok(listed.iter().filter_map(|info| SecretName::parse(&info.name).ok()).collect())
}

fn text_of(secret: &Secret) -> Answer {
    std::str::from_utf8(&secret.value).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| Why::NotText)
}

/// Reads an env file and passes its warnings on.
pub fn read_env_file(path: &Path, context: &mut Context) -> Outcome<EnvFile> {
    let bytes = read(path).map_err(|error| Failure::file(path, "read", &error))?;
    let file = envfile::parse(&bytes).map_err(|malformed| Failure::usage(malformed.to_string()).on(path.display().to_string()))?;
    for warning in &file.warnings {
        context.output.warn(&format!("{}: {warning}", path.display()));
    }
    Ok(file)
}

/// One byte more than the limit, so that the parser can tell that there is more.
fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
