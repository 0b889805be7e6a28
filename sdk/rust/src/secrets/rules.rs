//! The organization's rules about expiry: an entry of the directory, sealed for all its people and written by its owners and admins.
//!
//! The server cannot read them, so it cannot loosen them; every client that writes keeps them. Machines do not read the directory: what they
//! write is held against the rules by the people's clients, which remind (see `docs/decisions`).

use crate::change::Change;
use crate::error::{Error, Result};
use crate::secrets::facts::{Fact, FactsInput};
use crate::secrets::{Pasts, SecretWrite, write_some};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Questions as _, class, permission};
use keyvawlt_ledger::{Code, Fault, NsId};
use serde::{Deserialize, Serialize};

/// The entry's name.
const RULES: &str = "rules";
/// The shortest default: what is to last less than a day is told its end one by one.
pub const MIN_DEFAULT_EXPIRY_MS: u64 = DAY_MS;
/// The longest: a default of more than ten years is none.
pub const MAX_DEFAULT_EXPIRY_MS: u64 = 3_660 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What clients keep to when they write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// A new version of which nobody said when it ends ends after so long, milliseconds.
    #[serde(default)]
    pub default_expiry_ms: Option<u64>,
    /// A secret in production without an expiry.
    #[serde(default)]
    pub expiry_in_production: Severity,
}

/// What a client does about something that should not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing.
    #[default]
    Off,
    /// It says so, and reminds.
    Warn,
    /// It does not write it.
    Refuse,
}

/// Why a version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Somebody has a new value.
    NewValue,
    /// Somebody goes back to an earlier one: an outage is not the time to refuse it.
    GoingBack,
}

impl Vault {
    /// The organization's rules about expiry; `None` for whoever does not read the directory. An entry that does not open is an error: a rule is not
    /// taken off by spoiling it.
    pub fn rules(&self) -> Result<Option<Rules>> {
        let Some(directory) = self.replica.head().chain().and_then(|chain| chain.directory).filter(|ns| self.spaces.contains_key(ns))
        else {
            return Ok(None);
        };
        let index = self.index(&directory)?;
        let Some(found) = index.find(RULES)?.filter(|found| !found.leaf.is_deleted()) else { return Ok(Some(Rules::default())) };
        let unreadable = |_| unverified(Fault::new(Code::Canon, "the organization's rules about expiry cannot be read"));
        serde_json::from_slice(&self.open_found(found)?.value).map(Some).map_err(unreadable)
    }

    /// Changes the rules, from what they then are. For those who write the directory: owners and admins.
    pub async fn set_rules(&mut self, change_them: impl Fn(&mut Rules)) -> Result<Rules> {
        self.change(|change| {
            let vault = change.vault();
            let (directory, own) = (vault.directory_id()?, vault.identity.id());
            if vault.permissions(&directory, &own) & permission::WRITE == 0 {
                return Err(Error::Forbidden);
            }
            let mut rules = vault.rules()?.unwrap_or_default();
            change_them(&mut rules);
            if rules.default_expiry_ms.is_some_and(|ms| !(MIN_DEFAULT_EXPIRY_MS..=MAX_DEFAULT_EXPIRY_MS).contains(&ms)) {
                return Err(Error::invalid("default-expiry", "at least a day, at most ten years"));
            }
            let text = serde_json::to_vec(&rules).map_err(|error| Error::invalid("rules", error.to_string()))?;
            write_some(change, &directory, &[SecretWrite::new(RULES, text)], &Pasts::new())?;
            Ok(rules)
        })
        .await
    }

    /// Whether secrets of a namespace are production's.
    pub(crate) fn is_production(&self, ns: &NsId) -> bool {
        let state = self.replica.head();
        state.lineage(ns).last().and_then(|root| state.ns(root)).is_some_and(|root| root.class == class::PRODUCTION)
    }
}

/// The same writes, with the end that the rules give them.
pub(crate) fn keep(change: &Change, environment: &NsId, writes: &[SecretWrite], occasion: Occasion) -> Result<Vec<SecretWrite>> {
    let (vault, now_ms) = (change.vault(), change.ts_ms());
    let rules = vault.rules()?.unwrap_or_default();
    let production = vault.is_production(environment);
    let kept = writes.iter().cloned().map(|mut write| {
        write.facts = ruled(rules, production, write.facts, now_ms, occasion).map_err(|error| named(error, &write.name))?;
        Ok(write)
    });
    kept.collect()
}

/// What is told after the rules were kept.
fn ruled(rules: Rules, production: bool, told: Option<FactsInput>, now_ms: u64, occasion: Occasion) -> Result<Option<FactsInput>> {
    if told.as_ref().is_some_and(|told| told.expires_ms.is_some()) {
        return Ok(told);
    }
    let wanted = !told.as_ref().is_some_and(|told| told.without.contains(&Fact::Expires));
    match rules.default_expiry_ms.filter(|_| wanted) {
        Some(after) => Ok(Some(FactsInput { expires_ms: Some(now_ms.saturating_add(after)), ..told.unwrap_or_default() })),
        None if production && rules.expiry_in_production == Severity::Refuse && occasion == Occasion::NewValue => Err(refused()),
        None => Ok(told),
    }
}

/// Refuses to take the expiry off a secret that must have one.
pub(crate) fn require_expiry(vault: &Vault, home: &NsId, before: Option<u64>, after: &FactsInput) -> Result<()> {
    let taken = before.is_some() && after.expires_ms.is_none();
    let refuses = || Ok::<_, Error>(vault.rules()?.unwrap_or_default().expiry_in_production == Severity::Refuse);
    if taken && vault.is_production(home) && refuses()? { Err(refused()) } else { Ok(()) }
}

fn refused() -> Error {
    Error::invalid("expires", "the organization wants an expiry on every secret in production: say when the value stops working")
}

fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Invalid { field, why } => Error::Invalid { field, why: format!("{name}: {why}") },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn told(expires_ms: Option<u64>, without: &[Fact]) -> FactsInput {
        FactsInput { expires_ms, without: without.to_vec(), ..FactsInput::default() }
    }

    #[test]
    fn the_table_of_what_the_rules_make_of_a_write() {
        let default = Some(DAY_MS);
        let by_default = Some(Some(NOW + DAY_MS));
        let unsaid: Option<FactsInput> = None;
        // The default, the rule, production, what is told; the end that is written, or a refusal.
        let rows = [
            (None, Severity::Off, true, unsaid.clone(), Some(None)),
            (None, Severity::Warn, true, unsaid.clone(), Some(None)),
            (None, Severity::Refuse, true, unsaid.clone(), None),
            (None, Severity::Refuse, false, unsaid.clone(), Some(None)),
            (None, Severity::Refuse, true, Some(told(Some(7), &[])), Some(Some(7))),
            (None, Severity::Refuse, true, Some(told(None, &[])), None),
            (default, Severity::Refuse, true, unsaid.clone(), by_default),
            (default, Severity::Off, false, unsaid, by_default),
            (default, Severity::Off, true, Some(told(Some(7), &[Fact::Expires])), Some(Some(7))),
            (default, Severity::Off, true, Some(told(None, &[Fact::Expires])), Some(None)),
            (default, Severity::Warn, true, Some(told(None, &[Fact::Expires])), Some(None)),
            (default, Severity::Refuse, true, Some(told(None, &[Fact::Expires])), None),
            (default, Severity::Refuse, false, Some(told(None, &[Fact::Expires])), Some(None)),
        ];
        for (default_expiry_ms, expiry_in_production, production, told, expected) in rows {
            let rules = Rules { default_expiry_ms, expiry_in_production };
            let row = format!("{rules:?} {production} {told:?}");
            let end = |occasion| ruled(rules, production, told.clone(), NOW, occasion).map(|told| told.and_then(|told| told.expires_ms));
            assert_eq!(end(Occasion::NewValue).ok(), expected, "{row}");
            assert_eq!(end(Occasion::GoingBack).unwrap(), expected.flatten(), "going back is never refused: {row}");
        }
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        let rules = Rules { default_expiry_ms: Some(DAY_MS), expiry_in_production: Severity::Refuse };
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(text, r#"{"default_expiry_ms":86400000,"expiry_in_production":"refuse"}"#);
        assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
        assert_eq!(serde_json::from_str::<Rules>("{}").unwrap(), Rules::default());
        assert!(serde_json::from_str::<Rules>(r#"{"expiry_in_production":"maybe"}"#).is_err());
    }
}
