//! `keyvawlt rotate`: replacing a secret's value in steps, which people and pipelines may repeat after they were cut off.
//!
//! Invariant: a rotation under way is a draft (`keyvawlt secrets draft`) and nothing besides; no step shows a value.

use keyvawlt_client::ledger::trial::Trouble;
use keyvawlt_client::{Begun, Clock, Committed, Error, NewRotation, Previous, RotationInfo, RotationStage, SecretWrite};
use serde::Serialize;

use super::Context;
use super::secrets::{People, change};
use crate::args::lifecycle::{Begin, Rotate};
use crate::args::secrets::ValueSource;
use crate::due;
use crate::duration::{display_ms, distance};
use crate::exit::Exit;
use crate::facts;
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::prompt::Source;
use crate::reference::SecretName;
use crate::vault;

/// How a step went, for programs.
#[derive(Serialize)]
struct Step<'a> {
    name: &'a str,
    /// `pending`, `committed`, `current` (the value is the present one already) or `aborted`.
    state: &'static str,
    /// It was so before.
    already: bool,
    /// The version that the value became, or is.
    version: Option<u64>,
    /// After a commit: until when the value before stays readable.
    previous_until: Option<String>,
}

/// `keyvawlt rotate`
pub async fn rotate(command: Rotate, context: &mut Context) -> Outcome {
    match command {
        Rotate::Begin(arguments) => begin(*arguments, context).await,
        Rotate::Commit { name } => commit(&name, context).await,
        Rotate::Abort { name } => abort(&name, context).await,
        Rotate::List => list(context).await,
    }
}

async fn begin(arguments: Begin, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    settings.require_environment()?;
    // Nobody types a value only to hear that nobody is logged in.
    Files::of(&settings).login(&settings)?;
    let facts = facts::said(&arguments.facts, Clock::default().now_ms())?;
    let source = arguments.value.said().unwrap_or(ValueSource::Read(Source::Prompt));
    let any_value = matches!(source, ValueSource::Random(_));
    let value = change::value(source, &arguments.name, context)?;
    let (mut vault, environment) = vault::place(context).await?;
    let facts = facts::by_ids(facts, &vault, &environment).await?;
    let name = arguments.name.as_str();
    let write = SecretWrite { note: arguments.note, facts, ..SecretWrite::new(name, "") };
    let new = NewRotation { write: SecretWrite { value, ..write }, key: arguments.key, any_value, replace: arguments.replace };
    let step = |state, already, version| Step { name, state, already, version, previous_until: None };
    let (step, said) = match vault.begin_rotation(&environment.ns_id, &new).await.map_err(other_value)? {
        Begun::Staged => (step("pending", false, None), format!("the next value of {name} is staged; nobody uses it yet")),
        Begun::Already => (step("pending", true, None), format!("this rotation of {name} is under way already")),
        Begun::Committed(version) => {
            (step("committed", true, Some(version)), format!("this rotation of {name} was committed already, as version {version}"))
        }
        Begun::Current(version) => {
            (step("current", true, Some(version)), format!("this is the present value of {name}, version {version}: nothing was staged"))
        }
    };
    context.output.result(&step, || said)?;
    if step.state == "pending" {
        context.output.note(&format!(
            "keyvawlt secrets get {name} --draft shows the new value; bring it to its provider, then keyvawlt rotate commit {name}"
        ));
    }
    Ok(())
}

/// Whoever begins with another value decides which of the two it is to be.
fn other_value(error: Error) -> Failure {
    match error {
        Error::Conflict { why } => Failure::new(Exit::Conflict, why)
            .hint("keyvawlt rotate list shows it; --replace stages this value instead, keyvawlt rotate abort gives it up"),
        error => error.into(),
    }
}

async fn commit(name: &SecretName, context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let committed = vault.commit_rotation(&environment.ns_id, name.as_str()).await;
    let Committed { version, already } = committed.map_err(|error| change::not_committed(error, name))?;
    let name = name.as_str();
    let until_ms = match vault.previous(&environment.ns_id, name).await? {
        Previous::Within { until_ms, .. } => Some(until_ms),
        Previous::Over { .. } | Previous::None => None,
    };
    let step = Step { name, state: "committed", already, version: Some(version), previous_until: until_ms.map(display_ms) };
    context.output.result(&step, || {
        if already {
            format!("the rotation of {name} was committed already, as version {version}")
        } else {
            format!("{name} is at version {version}")
        }
    })?;
    if already {
        return Ok(());
    }
    if let Some(until_ms) = until_ms {
        let end = format!("{}, {}", display_ms(until_ms), distance(until_ms, vault.now_ms()));
        context.output.note(&format!("the value before stays readable as {name}@previous until {end}"));
    }
    change::say_facts(None, name, (&vault, &environment), context)
}

/// A rotation that ended the other way is not given up.
fn too_late(error: Error) -> Failure {
    match error {
        Error::Conflict { why } => Failure::new(Exit::Conflict, why).hint("keyvawlt secrets history NAME shows its versions"),
        error => error.into(),
    }
}

async fn abort(name: &SecretName, context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let name = name.as_str();
    let already = !vault.abort_rotation(&environment.ns_id, name).await.map_err(too_late)?;
    let step = Step { name, state: "aborted", already, version: None, previous_until: None };
    context.output.result(&step, || {
        if already {
            format!("the rotation of {name} was aborted already")
        } else {
            format!("the rotation of {name} is aborted; its value stays as it is")
        }
    })
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        name: String,
        /// The present version.
        version: Option<u64>,
        /// `pending`, `grace`, or `failing`: the present version does not work.
        state: &'static str,
        since: Option<String>,
        by: Option<String>,
        /// In grace: the version before, which may still be used.
        previous: Option<u64>,
        /// In grace: until when.
        until: Option<String>,
        /// Pending: somebody who could read the staged value may have lost access since.
        outdated: bool,
        /// Failing: `monitor_down` or `key_refused`.
        trouble: Option<&'static str>,
        /// Failing: since when.
        trouble_since: Option<String>,
        #[serde(skip)]
        cells: Vec<String>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let rotations = vault.rotations(&environment.ns_id).await?;
    let (people, now_ms) = (People::of(&vault)?, vault.now_ms());
    let row = |RotationInfo { name, version, since_ms, author, stage, trouble }: RotationInfo| {
        let by = author.map(|author| people.name(&author));
        let (state, previous, until_ms, outdated) = match stage {
            RotationStage::Pending { outdated } => ("pending", None, None, outdated),
            RotationStage::Grace { version, until_ms } => ("grace", Some(version), Some(until_ms), false),
            RotationStage::Replaced => ("replaced", None, None, false),
        };
        let state = if trouble.is_some() { "failing" } else { state };
        let told = match (previous, until_ms) {
            _ if let Some(trouble) = trouble => due::trouble(is_refused(trouble), &distance(trouble.since_ms(), now_ms)),
            (Some(previous), Some(until_ms)) => format!("version {previous} ends {}", distance(until_ms, now_ms)),
            _ if outdated => "a new value is needed: somebody lost access".to_owned(),
            _ => "to be committed or aborted".to_owned(),
        };
        let number = version.map_or_else(|| "new".to_owned(), |version| version.to_string());
        let since = since_ms.map(|at_ms| distance(at_ms, now_ms)).unwrap_or_default();
        Row {
            cells: vec![name.clone(), number, state.to_owned(), since, by.clone().unwrap_or_default(), told],
            name,
            version,
            state,
            since: since_ms.map(display_ms),
            by,
            previous,
            until: until_ms.map(display_ms),
            outdated,
            trouble: trouble.map(|trouble| if is_refused(trouble) { "key_refused" } else { "monitor_down" }),
            trouble_since: trouble.map(|trouble| display_ms(trouble.since_ms())),
        }
    };
    let rows: Vec<Row> = rotations.into_iter().map(row).collect();
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells.clone()).collect();
    context.output.table(&rows, &["name", "version", "state", "since", "by", ""], &cells, "no rotation is under way")
}

fn is_refused(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::KeyRefused(_))
}
