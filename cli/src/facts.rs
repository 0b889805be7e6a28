//! Facts as people say and read them: owners by name, times as lengths and distances.

use clap::ValueEnum as _;
use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::ledger::facts::Facts;
use keyvawlt_client::monitors::{Monitor, in_hex};
use keyvawlt_client::{Environment, FactsInput, Vault};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::args::secrets;
use crate::duration::{Moment, display_length, display_ms, distance};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::roster::{Among, Roster};

/// Of an id, this much names one.
const LEAST_ID: usize = 8;

/// What the person says in clear, before anybody is asked who the owner is. Nothing said keeps what was said before, but no date.
pub fn said(said: &secrets::Facts, now_ms: u64) -> Outcome<Option<FactsInput>> {
    if said.is_empty() {
        return Ok(None);
    }
    let told = FactsInput {
        expires_ms: end(said.expires, now_ms)?,
        rotate_every_ms: said.rotate_every.map(crate::duration::Length::ms),
        grace_ms: said.grace,
        label: said.label.clone(),
        provider: said.provider.clone(),
        owner: said.owner.clone(),
        monitor: said.monitor.clone(),
        without: said.without.iter().copied().map(Into::into).collect(),
    };
    told.check()?;
    if let Some(fact) = said.without.iter().find(|fact| said.says(**fact)) {
        let flag = fact.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        return Err(Failure::usage(format!("--{flag} tells what --without {flag} takes back: say one of them")));
    }
    Ok(Some(told))
}

/// When a value stops working, as `--expires` says it.
pub fn end(said: Option<Moment>, now_ms: u64) -> Outcome<Option<u64>> {
    let at_ms = said.map(|moment| moment.at_ms(now_ms)).transpose();
    at_ms.map_err(|malformed| Failure::usage(malformed.to_string()).on("--expires"))
}

/// After how long a value ends of which nobody said when, by the organization's rules.
pub fn end_by_default(vault: &Vault, said: Option<u64>) -> Outcome<Option<String>> {
    let rules = if said.is_some() { None } else { vault.rules()? };
    Ok(rules.and_then(|rules| rules.default_expiry_ms).map(display_length))
}

/// Puts ids where the names of the owner and of the monitor stand: the server reminds by ids, and knows no names of people.
pub async fn by_ids(told: Option<FactsInput>, vault: &Vault, environment: &Environment) -> Outcome<Option<FactsInput>> {
    let Some(mut told) = told else { return Ok(None) };
    if let Some(owner) = &told.owner {
        let person = Roster::of(vault)?.find(owner, Among::People);
        told.owner =
            Some(person.map_err(|failure| failure.hint("the owner of a secret is a member: keyvawlt member list"))?.id.to_string());
    }
    if let Some(named) = &told.monitor {
        told.monitor = Some(monitor_id(named, vault, environment).await?);
    }
    Ok(Some(told))
}

/// The id of a monitor of the environment, or of the organization, by its name or the beginning of its id.
async fn monitor_id(named: &str, vault: &Vault, environment: &Environment) -> Outcome<String> {
    // Where only some folders are read, the environment's own are not seen.
    let places = if environment.only.is_empty() { vec![environment.ns_id] } else { vec![] };
    let monitors = vault.monitors(&places).await?;
    let is_named = |it: &&Monitor| it.target.as_ref().is_some_and(|target| target.name == named);
    let begins = |it: &&Monitor| named.len() >= LEAST_ID && in_hex(&it.monitor_id).starts_with(named);
    let meant: Vec<&Monitor> = monitors.iter().filter(is_named).collect();
    let meant = if meant.is_empty() { monitors.iter().filter(begins).collect() } else { meant };
    match meant[..] {
        [monitor] => Ok(in_hex(&monitor.monitor_id)),
        [] => Err(Failure::new(Exit::NotFound, "there is no such monitor here, nor of the organization")
            .on("--monitor")
            .hint("see keyvawlt monitor list")),
        _ => Err(Failure::usage("several monitors are called so").on("--monitor").hint("say the id: keyvawlt monitor list")),
    }
}

/// Facts with the owner's name, for programs and people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// When the value stops working.
    pub expires: Option<String>,
    /// How often it is to be replaced.
    pub rotate_every: Option<String>,
    /// How long the value before stays readable; nothing where that is not told, which means 7 days.
    pub grace: Option<String>,
    /// What mails call it.
    pub label: Option<String>,
    /// Whose key it is.
    pub provider: Option<String>,
    /// Who is responsible.
    pub owner: Option<String>,
    /// The monitor.
    pub monitor: Option<String>,
    #[serde(skip)]
    expires_ms: Option<u64>,
}

impl Shown {
    /// As listed.
    pub fn of(facts: Option<&Facts>, names: &BTreeMap<IdentityId, String>) -> Self {
        let Some(facts) = facts else { return Self::default() };
        Self {
            expires: facts.expires_ms.map(display_ms),
            rotate_every: facts.rotate_every_ms.map(display_length),
            grace: facts.grace_ms.map(|grace| if grace == 0 { "none".to_owned() } else { display_length(grace) }),
            label: facts.label.clone(),
            provider: facts.provider.clone(),
            owner: facts.owner.as_deref().map(|owner| owner_name(owner, names)),
            monitor: facts.monitor.clone(),
            expires_ms: facts.expires_ms,
        }
    }

    /// When it ends, and how far away that is.
    pub fn end(&self, now_ms: u64) -> Option<String> {
        Some(format!("{}, {}", self.expires.as_ref()?, distance(self.expires_ms?, now_ms)))
    }

    /// How far away its end is.
    pub fn end_distance(&self, now_ms: u64) -> Option<String> {
        Some(distance(self.expires_ms?, now_ms))
    }

    /// All of it in one line.
    pub fn sentence(&self, now_ms: u64) -> String {
        let parts = [
            self.end(now_ms).map(|end| format!("expires {end}")),
            self.rotate_every.as_ref().map(|every| format!("rotate every {every}")),
            self.grace.as_ref().map(|grace| format!("grace {grace}")),
            self.label.as_ref().map(|label| format!("label {label}")),
            self.provider.as_ref().map(|provider| format!("provider {provider}")),
            self.owner.as_ref().map(|owner| format!("owner {owner}")),
            self.monitor.as_ref().map(|monitor| format!("monitor {monitor}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Who an owner is: facts hold an id, or a name that somebody chose before ids were resolved.
pub fn owner_name(owner: &str, names: &BTreeMap<IdentityId, String>) -> String {
    owner.parse().ok().and_then(|id: IdentityId| names.get(&id).cloned()).unwrap_or_else(|| owner.to_owned())
}
