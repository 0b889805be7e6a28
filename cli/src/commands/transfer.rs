//! `keyvawlt export` and `keyvawlt import`: between the vault and files.
//!
//! Invariant: both decide everything before the first byte is written; a refusal leaves file and vault as they were.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use keyvawlt_client::{Clock, FactsInput, SecretWrite};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Context, lock, run};
use crate::args::delivery::{Export, Import};
use crate::dialect::{self, Dialect};
use crate::envfile::MAX_FILE_BYTES;
use crate::exit::Exit;
use crate::facts;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::import::{self, Step};
use crate::vault;

/// `keyvawlt export`
pub async fn export(arguments: &Export, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Exported {
        file: String,
        secrets: usize,
    }
    let to_stdout = arguments.output.is_none();
    let format = arguments.format.unwrap_or(if context.output.is_json() && to_stdout { Dialect::Json } else { Dialect::Dotenv });
    let (mut vault, environment) = vault::place(context).await?;
    lock::require(&arguments.locking, &vault, context).await?;
    let names = run::names(&vault, &environment)?;
    let chosen = arguments.selection().pick(&names)?;
    arguments.choice.allowed().check(chosen.iter().map(|(variable, _)| variable.as_str()))?;
    vault.fetch(&environment.ns_id, chosen.iter().map(|(_, name)| name.as_str())).await?;
    let secrets = vault.read_named(&environment.ns_id, chosen.iter().map(|(_, name)| name.as_str()))?;
    drop(vault);
    let mut variables = Vec::with_capacity(chosen.len());
    let mut no_text = Vec::new();
    for (variable, name) in chosen {
        let Some(secret) = secrets.get(name.as_str()) else { continue };
        match std::str::from_utf8(&secret.value) {
            Ok(text) => variables.push((variable, text)),
            Err(_) => no_text.push(name.as_str()),
        }
    }
    if !no_text.is_empty() {
        return Err(Failure::usage(format!("cannot be exported, since the values are no text: {}", no_text.join(", ")))
            .code("NOT_REPRESENTABLE")
            .hint("leave them out with --only; keyvawlt secrets get NAME --plain writes the bytes"));
    }
    let written = dialect::write(format, &variables)?;
    if !written.not_for_shells.is_empty() {
        let names = written.not_for_shells.join(", ");
        context
            .output
            .warn(&format!("dotenv readers read it right, but a shell must not source it because of {names}: --format shell can be"));
    }
    let Some(path) = &arguments.output else { return context.output.raw(written.text.as_bytes()) };
    let path = context.around.directory.join(path);
    save(&path, written.text.as_bytes(), arguments.force)?;
    let exported = Exported { file: path.display().to_string(), secrets: variables.len() };
    context.output.result(&exported, || format!("wrote {} secret(s) to {}, readable by you only", exported.secrets, exported.file))
}

fn save(path: &Path, text: &[u8], force: bool) -> Outcome {
    if force {
        return files::replace(path, text, Readers::Owner).map_err(|error| Failure::file(path, "write", &error));
    }
    files::create(path, text, Readers::Owner).map_err(|error| {
        let failure = Failure::file(path, "create", &error);
        if error.kind() == io::ErrorKind::AlreadyExists { failure.hint("--force replaces it") } else { failure }
    })
}

/// `keyvawlt import`
pub async fn import(arguments: &Import, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Imported<'a> {
        name: &'a str,
        step: Step,
        /// The version after the import; none where nothing was written.
        version: Option<u64>,
    }
    let expires_ms = facts::end(arguments.expires, Clock::default().now_ms())?;
    let contents = read(arguments, context)?;
    for warning in &contents.warnings {
        context.output.warn(warning);
    }
    let (mut vault, environment) = vault::place(context).await?;
    let incoming = &contents.incoming;
    vault.fetch(&environment.ns_id, incoming.iter().map(|incoming| incoming.name.as_str())).await?;
    let present = vault.read_named(&environment.ns_id, incoming.iter().map(|incoming| incoming.name.as_str()))?;
    let current = |name: &crate::reference::SecretName| present.get(name.as_str());
    let steps = import::plan(incoming, arguments.on_conflict, |name| current(name).map(|secret| secret.value.as_slice()))?;
    let writes = incoming.iter().zip(&steps).filter(|(_, step)| matches!(step, Step::Create | Step::Overwrite));
    // What was decided on is what gets replaced: a version written meanwhile is a conflict.
    let writes = writes.map(|(incoming, _)| SecretWrite {
        if_version: Some(current(&incoming.name).map_or(0, |secret| secret.info.version)),
        facts: expires_ms.map(|at_ms| FactsInput { expires_ms: Some(at_ms), ..FactsInput::default() }),
        ..SecretWrite::new(incoming.name.as_str(), incoming.value.as_bytes())
    });
    let writes: Vec<SecretWrite> = writes.collect();
    let versions = if arguments.dry_run { vec![] } else { vault.write(&environment.ns_id, &writes).await? };
    let ends = if versions.is_empty() { None } else { facts::end_by_default(&vault, expires_ms)? };
    drop(vault);
    let mut versions = versions.into_iter();
    let imported = incoming.iter().zip(steps).map(|(incoming, step)| Imported {
        name: incoming.name.as_str(),
        step,
        version: if matches!(step, Step::Create | Step::Overwrite) { versions.next() } else { None },
    });
    let imported: Vec<Imported> = imported.collect();
    let version = |imported: &Imported| imported.version.map(|version| version.to_string()).unwrap_or_default();
    let rows: Vec<Vec<String>> =
        imported.iter().map(|imported| vec![imported.name.to_owned(), imported.step.word().to_owned(), version(imported)]).collect();
    context.output.table(&imported, &["name", "step", "version"], &rows, "the file holds no values")?;
    context.output.note(&summary(&writes, arguments, &environment.name));
    if let Some(length) = ends {
        context.output.note(&format!("they expire in {length}, the organization's default; --expires says another"));
    }
    Ok(())
}

fn summary(writes: &[SecretWrite], arguments: &Import, environment: &str) -> String {
    match (arguments.dry_run, writes.len()) {
        (true, count) => format!("a dry run: {count} would be written to {environment}"),
        (false, 0) => "nothing to write".to_owned(),
        (false, count) if arguments.file == Path::new(STDIN) => format!("{count} written to {environment}"),
        (false, count) => {
            format!("{count} written to {environment}; once your programs use keyvawlt run, delete {}", arguments.file.display())
        }
    }
}

/// The name that means stdin.
const STDIN: &str = "-";

fn read(arguments: &Import, context: &mut Context) -> Outcome<import::Contents> {
    let mut bytes = Zeroizing::new(Vec::new());
    let from = arguments.file.display().to_string();
    if arguments.file == Path::new(STDIN) {
        context.person.stdin().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(context.around.directory.join(&arguments.file)).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
    }
    .map_err(|error| Failure::file(&arguments.file, "read", &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::new(Exit::Usage, "the file is larger than 1 MiB").on(from));
    }
    let format = arguments.format.unwrap_or_else(|| import::format_of(&arguments.file));
    import::read(format, &bytes, &arguments.prefix).map_err(|failure| failure.on(from))
}
