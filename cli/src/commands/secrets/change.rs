//! Changing secrets: `set`, `edit`, `delete`, `undelete` and `rollback`.
//!
//! Invariant: a value is asked for before the vault is opened, so that nobody else waits for its lock while a person types.

use keyvawlt_client::ledger::chain::class;
use keyvawlt_client::{Clock, Environment, Error, FactsInput, Rules, SecretInfo, SecretWrite, Severity, Vault};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::secrets::{Draft, Set, TellFacts, ValueSource};
use crate::commands::Context;
use crate::duration::display_ms;
use crate::edit::{self, Edited};
use crate::exit::Exit;
use crate::facts::{self, Shown};
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::prompt;
use crate::reference::SecretName;
use crate::vault::{self, Caller};

/// The end by default is reckoned before the version is signed, which takes less than this.
const SIGNING_MS: u64 = 60_000;

/// What was written, for programs.
#[derive(Serialize)]
struct Written {
    name: String,
    version: u64,
    /// When the value stops working, as somebody said or the organization's default says.
    expires: Option<String>,
}

impl Written {
    /// As this machine now has it.
    fn of(vault: &Vault, environment: &Environment, name: &str, version: u64) -> Outcome<Self> {
        Ok(Self { name: name.to_owned(), version, expires: shown(vault, environment, name)?.expires })
    }
}

/// What was staged, for programs.
#[derive(Serialize)]
struct Staged {
    name: String,
}

/// `keyvawlt secrets draft`
pub async fn draft(command: &Draft, context: &mut Context) -> Outcome {
    match command {
        Draft::List => list_drafts(context).await,
        Draft::Commit { name } => {
            let (mut vault, environment) = vault::place(context).await?;
            let version = vault.commit_draft(&environment.ns_id, name.as_str()).await.map_err(|error| not_committed(error, name))?;
            let written = Written::of(&vault, &environment, name.as_str(), version)?;
            context.output.result(&written, || format!("{name} is at version {version}"))?;
            say_facts(None, name.as_str(), (&vault, &environment), context)
        }
        Draft::Discard { name } => {
            let (mut vault, environment) = vault::place(context).await?;
            vault.discard_draft(&environment.ns_id, name.as_str()).await?;
            context.output.result(&Staged { name: name.to_string() }, || format!("the draft of {name} is deleted"))
        }
    }
}

async fn list_drafts(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        name: String,
        updated: Option<String>,
        /// Somebody who could read it may have lost access since.
        outdated: bool,
    }
    let (vault, environment) = vault::place(context).await?;
    let drafts = vault.drafts(&environment.ns_id)?.into_iter();
    let rows: Vec<Row> =
        drafts.map(|draft| Row { name: draft.name, updated: draft.updated_ms.map(display_ms), outdated: draft.outdated }).collect();
    let state = |row: &Row| if row.outdated { "to be staged anew" } else { "" };
    let cells: Vec<_> =
        rows.iter().map(|row| vec![row.name.clone(), row.updated.clone().unwrap_or_default(), state(row).to_owned()]).collect();
    context.output.table(&rows, &["name", "staged", ""], &cells, "nothing is staged")
}

/// `keyvawlt secrets set`
pub async fn set(arguments: &Set, context: &mut Context) -> Outcome {
    let (name, source) = arguments.parse()?;
    let settings = context.settings()?;
    settings.require_environment()?;
    // Nobody types a value only to hear that nobody is logged in.
    Files::of(&settings).login(&settings)?;
    let facts = facts::said(&arguments.facts, Clock::default().now_ms())?;
    let value = value(source, &name, context)?;
    let (mut vault, environment) = vault::place(context).await?;
    let facts = facts::by_ids(facts, &vault, &environment).await?;
    let write = SecretWrite {
        name: name.to_string(),
        value,
        note: arguments.note.clone(),
        tags: Some(arguments.tags.clone()).filter(|tags| !tags.is_empty()),
        facts: facts.clone(),
        if_version: arguments.if_version,
    };
    if arguments.draft {
        vault.stage(&environment.ns_id, &write).await?;
        context.output.result(&Staged { name: name.to_string() }, || format!("a value for {name} is staged"))?;
        context.output.note(&format!("keyvawlt secrets draft commit {name} makes it the next version"));
        return Ok(());
    }
    let version = vault.write(&environment.ns_id, &[write]).await?.first().copied().unwrap_or_default();
    let written = Written::of(&vault, &environment, name.as_str(), version)?;
    context.output.result(&written, || format!("{name} is at version {version}"))?;
    say_facts(facts.as_ref(), name.as_str(), (&vault, &environment), context)
}

/// Gets a value from where it comes from.
pub fn value(source: ValueSource, name: &SecretName, context: &mut Context) -> Outcome<Zeroizing<Vec<u8>>> {
    match source {
        ValueSource::Argument(typed) => {
            if context.person.is_there() {
                context.output.warn("your shell's history may keep this value; without =VALUE you are asked for it unseen");
            }
            Ok(typed.0.as_bytes().to_vec().into())
        }
        ValueSource::Read(source) => prompt::value(context.person.as_mut(), &source, name.as_str()),
        ValueSource::Random(form) => Ok(form.draw()),
    }
}

/// What the server can read of a secret, as it was written.
pub fn shown(vault: &Vault, environment: &Environment, name: &str) -> Outcome<Shown> {
    let listed = vault.list(&environment.ns_id)?;
    let facts = listed.iter().find(|secret| secret.name == name).and_then(|secret| secret.facts.as_ref());
    Ok(Shown::of(facts, &vault.display_names()?))
}

/// What to do about a staged value that does not become a version: it lacks an expiry that the organization wants by now, or the secret went on
/// without it.
pub fn not_committed(error: Error, name: &SecretName) -> Failure {
    let hint = match &error {
        Error::Invalid { field: "expires", .. } => {
            Some(format!("stage it again with an end: keyvawlt rotate begin {name} --replace --expires 90d"))
        }
        Error::Conflict { .. } => Some(format!(
            "keyvawlt secrets history {name} shows who wrote what and when; keyvawlt rotate abort {name} gives up what is staged, \
             keyvawlt rotate begin {name} --replace stages it anew"
        )),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Says what the server reads of a new version, and what the organization's rules had to do with it.
pub fn say_facts(told: Option<&FactsInput>, name: &str, (vault, environment): (&Vault, &Environment), context: &mut Context) -> Outcome {
    let listed = vault.list(&environment.ns_id)?;
    let info = listed.iter().find(|secret| secret.name == name);
    let shown = Shown::of(info.and_then(|secret| secret.facts.as_ref()), &vault.display_names()?);
    let rules = vault.rules()?;
    let said = told.is_some_and(|told| told.expires_ms.is_some());
    let by_rule = !said && info.is_some_and(|secret| ends_by(rules, secret));
    let reads = shown.sentence(vault.now_ms());
    if (told.is_some() || shown.expires.is_some()) && !reads.is_empty() {
        context.output.note(&format!("the server and its mails can read: {reads}"));
    }
    if by_rule {
        context.output.note("the expiry is the organization's default; --expires says another, --without expires says none");
    }
    if rules.is_none() && shown.expires.is_none() && environment.class == class::PRODUCTION {
        context.output.note("machines cannot read the organization's rules about expiry: say --expires");
    }
    warn_without_expiry(&shown, name, rules, environment, context);
    Ok(())
}

/// Whether a version's end is the one that the organization's default gives it.
fn ends_by(rules: Option<Rules>, secret: &SecretInfo) -> bool {
    let default = rules.and_then(|rules| rules.default_expiry_ms);
    let ends = secret.facts.as_ref().and_then(|facts| facts.expires_ms);
    let by_default = default.zip(secret.updated_ms).map(|(after, written)| written.saturating_add(after));
    by_default.zip(ends).is_some_and(|(by_default, ends)| by_default.abs_diff(ends) <= SIGNING_MS)
}

fn warn_without_expiry(shown: &Shown, name: &str, rules: Option<Rules>, environment: &Environment, context: &mut Context) {
    let wanted = rules.is_some_and(|rules| rules.expiry_in_production != Severity::Off);
    if wanted && shown.expires.is_none() && environment.class == class::PRODUCTION {
        let how = format!("keyvawlt secrets facts {name} --expires WHEN");
        context.output.warn(&format!("{name} has no expiry, and the organization wants one in production: {how}"));
    }
}

/// `keyvawlt secrets facts`
pub async fn tell(arguments: &TellFacts, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Told<'a> {
        name: &'a str,
        server_reads: String,
        facts: Shown,
    }
    if arguments.facts.is_empty() && !arguments.clear {
        return Err(Failure::usage("nothing to tell").on(arguments.name.as_str()).hint("say --expires, --label or the like, or --clear"));
    }
    let said = facts::said(&arguments.facts, Clock::default().now_ms())?;
    let (mut vault, environment) = vault::place(context).await?;
    let name = arguments.name.as_str();
    let told = facts::by_ids(said, &vault, &environment).await?.unwrap_or_else(FactsInput::nothing);
    vault.set_facts(&environment.ns_id, name, &told).await?;
    let facts = shown(&vault, &environment, name)?;
    let told = Told { name, server_reads: facts.sentence(vault.now_ms()), facts };
    context.output.result(&told, || {
        let reads = if told.server_reads.is_empty() { "nothing" } else { told.server_reads.as_str() };
        format!("of {name} the server and its mails can read: {reads}")
    })?;
    warn_without_expiry(&told.facts, name, vault.rules()?, &environment, context);
    Ok(())
}

/// `keyvawlt secrets edit`
pub async fn edit(name: &SecretName, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    settings.require_environment()?;
    let caller = Caller::of(context, &settings).await?;
    let mut vault = caller.open(&settings).await?;
    let environment = vault::environment(&vault, &settings, None)?;
    vault.fetch(&environment.ns_id, [name.as_str()]).await?;
    let before = vault.read(&environment.ns_id, name.as_str())?;
    // Released while the person types; the version tells whether somebody wrote meanwhile.
    drop(vault);
    let Edited::Changed(value) = edit::edit(&context.around, &before.value)? else {
        context.output.note("unchanged; nothing was written");
        let expires = before.info.facts.as_ref().and_then(|facts| facts.expires_ms).map(display_ms);
        let written = Written { name: name.to_string(), version: before.info.version, expires };
        return context.output.result(&written, String::new);
    };
    let mut vault = caller.open(&settings).await?;
    let expiry = before.info.facts.as_ref().and_then(|facts| facts.expires_ms);
    let write = SecretWrite { if_version: Some(before.info.version), value, ..SecretWrite::new(name.as_str(), "") };
    let version = match vault.write(&environment.ns_id, &[write]).await {
        Err(Error::Conflict { .. }) => {
            return Err(Failure::new(Exit::Conflict, "somebody wrote a version while you were editing; your text was not saved")
                .on(name.as_str())
                .hint("look at the new version, then edit again"));
        }
        versions => versions?.first().copied().unwrap_or_default(),
    };
    let ends_now = shown(&vault, &environment, name.as_str())?.end(vault.now_ms());
    if let Some(end) = ends_now {
        context.output.note(&format!("the new version expires {end}, by the organization's default"));
    } else if let Some(expiry) = expiry {
        let ended = display_ms(expiry);
        context.output.note(&format!("version {} was to end {ended}; the new version has no date unless you set one", before.info.version));
    }
    let written = Written::of(&vault, &environment, name.as_str(), version)?;
    context.output.result(&written, || format!("{name} is at version {version}"))
}

/// `keyvawlt secrets delete`
pub async fn delete(names: &[SecretName], yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Deleted {
        deleted: Vec<String>,
    }
    let settings = context.settings()?;
    let environment = settings.require_environment()?;
    let listed = names.iter().map(SecretName::as_str).collect::<Vec<_>>().join(", ");
    prompt::confirm(context.person.as_mut(), &format!("delete {listed} of {environment}?"), yes)?;
    let (mut vault, environment) = vault::place(context).await?;
    let deleted: std::collections::BTreeSet<String> = names.iter().map(SecretName::to_string).collect();
    let deleted: Vec<String> = deleted.into_iter().collect();
    vault.delete(&environment.ns_id, &deleted).await?;
    context.output.result(&Deleted { deleted }, || format!("deleted {listed}"))?;
    context.output.note("keyvawlt secrets undelete NAME brings one back");
    Ok(())
}

/// `keyvawlt secrets delete --damaged`
pub async fn discard(yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Discarded {
        deleted: Vec<String>,
    }
    let (mut vault, environment) = vault::place(context).await?;
    let mut flaws = vault.flaws_of(&environment.ns_id);
    flaws.retain(|flaw| flaw.secret_id.is_some());
    let deleted: Vec<String> = flaws.iter().filter_map(|flaw| flaw.secret_id).map(|id| id.to_string()).collect();
    if deleted.is_empty() {
        return context.output.result(&Discarded { deleted }, || "nothing is damaged".to_owned());
    }
    for flaw in &flaws {
        let author = flaw.author.map_or_else(String::new, |author| format!(" (written by {author})"));
        context.output.note(&format!("{}{author}: {}", flaw.secret_id.map_or_else(String::new, |id| id.to_string()), flaw.fault.why));
    }
    prompt::confirm(context.person.as_mut(), &format!("delete {} damaged secrets of {}?", deleted.len(), environment.name), yes)?;
    vault.discard(&flaws).await?;
    let count = deleted.len();
    context.output.result(&Discarded { deleted }, || format!("deleted {count} damaged secrets"))
}

/// `keyvawlt secrets undelete`
pub async fn undelete(names: &[SecretName], context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let mut restored = Vec::with_capacity(names.len());
    for name in names {
        match vault.restore(&environment.ns_id, name.as_str()).await {
            Ok(version) => restored.push(Written::of(&vault, &environment, name.as_str(), version)?),
            Err(error) if restored.is_empty() => return Err(error.into()),
            Err(error) => {
                let back = restored.iter().map(|written| written.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Failure::from(error).hint(format!("these are back: {back}")));
            }
        }
    }
    let line = |written: &Written| format!("{} is back as version {}", written.name, written.version);
    context.output.result(&restored, || restored.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// `keyvawlt secrets rollback`
pub async fn rollback(name: &SecretName, to: u64, context: &mut Context) -> Outcome {
    let (mut vault, environment) = vault::place(context).await?;
    let version = vault.rollback(&environment.ns_id, name.as_str(), to).await?;
    let written = Written::of(&vault, &environment, name.as_str(), version)?;
    context.output.result(&written, || format!("{name} is at version {version}, with the value of version {to}"))
}
