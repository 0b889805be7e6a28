//! Looking at secrets: `list`, `get` and `history`. Only `get` shows a value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvawlt_client::{Environment, Previous, Secret, SecretInfo, Vault, VersionInfo, VersionState};
use serde::Serialize;
use zeroize::Zeroizing;

use super::People;
use crate::args::secrets::{Get, List};
use crate::commands::Context;
use crate::duration::{display_ms, distance};
use crate::exit::Exit;
use crate::facts;
use crate::failure::{Failure, Outcome};
use crate::output::printable;
use crate::reference::{self, SecretName, Version};
use crate::vault;

/// A secret without its value, for programs.
#[derive(Serialize)]
struct Row {
    name: String,
    /// What mails and notices call it where it has no label.
    id: String,
    version: u64,
    /// Not known where this machine started without the history.
    updated: Option<String>,
    by: Option<String>,
    #[serde(flatten)]
    facts: facts::Shown,
    deleted: bool,
}

impl Row {
    fn of(info: &SecretInfo, people: &People) -> Self {
        Self {
            name: info.name.clone(),
            id: info.secret_id.to_string(),
            version: info.version,
            updated: info.updated_ms.map(display_ms),
            by: info.author.map(|author| people.name(&author)),
            facts: facts::Shown::of(info.facts.as_ref(), &people.0),
            deleted: info.deleted,
        }
    }

    fn cells(&self, now_ms: u64) -> Vec<String> {
        let version = if self.deleted { format!("{} (deleted)", self.version) } else { self.version.to_string() };
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.name.clone(),
            version,
            or_none(&self.updated),
            or_none(&self.by),
            or_none(&self.facts.end_distance(now_ms)),
            or_none(&self.facts.label),
        ]
    }
}

/// `keyvawlt secrets list`
pub async fn list(arguments: &List, context: &mut Context) -> Outcome {
    let (vault, environment) = vault::place(context).await?;
    let mut found = vault.list(&environment.ns_id)?;
    if arguments.deleted {
        found.extend(vault.list_deleted(&environment.ns_id)?);
        found.sort_by(|one, other| one.name.cmp(&other.name));
    }
    if let Some(prefix) = &arguments.prefix {
        found.retain(|info| info.name.starts_with(prefix));
    }
    if arguments.names_only {
        let names: Vec<&str> = found.iter().map(|info| info.name.as_str()).collect();
        return context.output.result(&names, || names.iter().map(|name| printable(name)).collect::<Vec<_>>().join("\n"));
    }
    let people = People::of(&vault)?;
    let rows: Vec<Row> = found.iter().map(|info| Row::of(info, &people)).collect();
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(vault.now_ms())).collect();
    let empty = match &arguments.prefix {
        Some(prefix) => format!("no secrets in {}/{} begin with {prefix}", environment.project, environment.name),
        None => format!("no secrets in {}/{} yet: keyvawlt secrets set NAME", environment.project, environment.name),
    };
    context.output.table(&rows, &["name", "version", "updated", "by", "expires", "label"], &cells, &empty)
}

/// `keyvawlt secrets get`
pub async fn get(arguments: &Get, context: &mut Context) -> Outcome {
    let wanted = wanted(arguments)?;
    if let Some((project, environment)) = &arguments.address.place {
        (context.global.project, context.global.environment) = (Some(project.clone()), Some(environment.clone()));
    }
    let (mut vault, environment) = vault::place(context).await?;
    let name = arguments.address.name.as_str();
    let secret = match wanted {
        Wanted::Draft => vault.read_draft(&environment.ns_id, name).await?,
        Wanted::Version(Version::Number(version)) => {
            vault.take_history(&environment.ns_id).await?;
            vault.read_version(&environment.ns_id, name, version).await?
        }
        Wanted::Version(Version::Previous) => previous(&mut vault, &environment, name).await?,
        Wanted::Version(Version::Current) => {
            vault.fetch(&environment.ns_id, [name]).await?;
            vault.read(&environment.ns_id, name)?
        }
    };
    let value = match &arguments.field {
        Some(field) => field_of(&secret, field)?,
        None => secret.value.clone(),
    };
    if !context.output.is_json() && (arguments.plain || arguments.field.is_some()) {
        return context.output.raw(&value);
    }
    let (people, now_ms) = (People::of(&vault)?, vault.now_ms());
    // The lock on what this machine remembers is not held while a pager reads.
    drop(vault);
    let shown = Shown::of(&secret, &value, arguments.field.clone(), &people);
    context.output.result(&shown, || shown.text(now_ms))
}

/// Which of a secret's values is asked for.
enum Wanted {
    Version(Version),
    Draft,
}

/// What flags and address say; they must not contradict each other.
fn wanted(arguments: &Get) -> Outcome<Wanted> {
    let flag = match (arguments.version, arguments.previous, arguments.draft) {
        (_, _, true) => Some(Wanted::Draft),
        (_, true, _) => Some(Wanted::Version(Version::Previous)),
        (number, ..) => number.map(|number| Wanted::Version(Version::Number(number))),
    };
    match (flag, arguments.address.version) {
        (Some(_), Some(_)) => Err(Failure::usage("the version is given both in the address and by a flag")),
        (Some(flag), None) => Ok(flag),
        (None, version) => Ok(Wanted::Version(version.unwrap_or(Version::Current))),
    }
}

/// The version before the newest, while its grace lasts.
async fn previous(vault: &mut Vault, environment: &Environment, name: &str) -> Outcome<Secret> {
    match vault.previous(&environment.ns_id, name).await? {
        Previous::Within { version, .. } => Ok(vault.read_version(&environment.ns_id, name, version).await?),
        Previous::Over { version, until_ms } => {
            let ended = format!("{}, {}", display_ms(until_ms), distance(until_ms, vault.now_ms()));
            Err(Failure::new(Exit::NotFound, format!("the grace of the previous version ended {ended}"))
                .on(name)
                .code("GRACE_OVER")
                .hint(format!("whoever must have it all the same asks for --version {version}")))
        }
        Previous::None => Err(Failure::new(Exit::NotFound, "there is no previous version").on(name)),
    }
}

/// A secret with its value, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: Row,
    note: Option<String>,
    tags: Vec<String>,
    field: Option<String>,
    value: Option<&'a str>,
    /// Instead of `value` when that is no text.
    value_base64: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(secret: &Secret, value: &'a [u8], field: Option<String>, people: &People) -> Self {
        let text = std::str::from_utf8(value).ok();
        Self {
            row: Row::of(&secret.info, people),
            note: Some(secret.note.clone()).filter(|note| !note.is_empty()),
            tags: secret.tags.clone(),
            field,
            value_base64: text.is_none().then(|| STANDARD.encode(value)),
            value: text,
        }
    }

    /// The value comes last, so that one of many lines cannot be taken for what is said of it.
    fn text(&self, now_ms: u64) -> String {
        let known = self.row.updated.as_ref().zip(self.row.by.as_ref());
        let facts = &self.row.facts;
        let updated = known.map(|(updated, by)| format!("{updated} by {by}"));
        let lines = [
            ("name", Some(self.row.name.clone())),
            ("version", Some(self.row.version.to_string())),
            ("updated", updated),
            ("expires", facts.end(now_ms)),
            ("rotate", facts.rotate_every.as_ref().map(|every| format!("every {every}"))),
            ("grace", facts.grace.clone()),
            ("label", facts.label.clone()),
            ("provider", facts.provider.clone()),
            ("owner", facts.owner.clone()),
            ("monitor", facts.monitor.clone()),
            ("tags", Some(self.tags.join(", ")).filter(|tags| !tags.is_empty())),
            ("note", self.note.clone()),
        ];
        let told = lines.into_iter().filter_map(|(what, text)| text.map(|text| format!("{what:<9}{}\n", one_line(&text))));
        let value = match &self.value {
            Some(value) if value.contains('\n') => format!("value\n{}", printable(value)),
            Some(value) => format!("{:<9}{}", "value", printable(value)),
            None => format!("{:<9}(no text; --plain writes its bytes)", "value"),
        };
        told.chain([value]).collect()
    }
}

/// A line break in a note would forge a line.
fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

fn field_of(secret: &Secret, field: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let not_text = || Failure::usage("the value is not UTF-8 text, so it has no fields").on(secret.info.name.clone());
    let text = std::str::from_utf8(&secret.value).map_err(|_| not_text())?;
    let value = reference::select(text, field).map_err(|why| {
        let exit = if why == reference::Why::NoSuchField { Exit::NotFound } else { Exit::Usage };
        Failure::new(exit, why.to_string()).on(format!("{}#{field}", secret.info.name))
    })?;
    Ok(Zeroizing::new(value.as_bytes().to_vec()))
}

/// `keyvawlt secrets history`
pub async fn history(name: &SecretName, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        version: u64,
        at: String,
        by: String,
        deleted: bool,
        /// `current`, `previous` or `retired`.
        state: &'static str,
        /// Until when the previous one may be used.
        until: Option<String>,
        #[serde(skip)]
        until_ms: Option<u64>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    vault.take_history(&environment.ns_id).await?;
    let people = People::of(&vault)?;
    let row = |version: VersionInfo| {
        let (state, until_ms) = match version.state {
            VersionState::Current => ("current", None),
            VersionState::Previous { until_ms } => ("previous", Some(until_ms)),
            VersionState::Retired => ("retired", None),
        };
        Row {
            version: version.version,
            at: display_ms(version.at_ms),
            by: people.name(&version.author),
            deleted: version.deleted,
            state,
            until: until_ms.map(display_ms),
            until_ms,
        }
    };
    let versions: Vec<Row> = vault.history(&environment.ns_id, name.as_str()).await?.into_iter().map(row).collect();
    let cells = |version: &Row| {
        let what = if version.deleted { "deleted" } else { "set" };
        let ends = version.until_ms.map(|at_ms| format!(", ends {}", distance(at_ms, vault.now_ms())));
        let state = format!("{}{}", version.state, ends.unwrap_or_default());
        vec![version.version.to_string(), what.to_owned(), version.at.clone(), version.by.clone(), state]
    };
    let rows: Vec<Vec<String>> = versions.iter().map(cells).collect();
    context.output.table(&versions, &["version", "what", "at", "by", "state"], &rows, "no versions")
}
