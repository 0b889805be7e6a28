//! A round of checks: which keys, in which order, and what is told of them.
//!
//! A key that was refused twice is left alone until it has a new version: providers lock out who insists. The one exception is what the server holds
//! for a provider's own trouble: that is looked at again, slowly, and not for ever.

use super::known::{KeyHealth, Place, Seen, Verdict};
use super::prober::Prober;
use crate::error::{Error, Result};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use futures::StreamExt as _;
use keyvawlt_catalogue::{Judgement, Outcome as Found, Provider, Unsupported};
use keyvawlt_crypto::Zeroizing;
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::{FORMAT, NsId, SecretId};
use keyvawlt_proto::v1;
use std::collections::{BTreeMap, BTreeSet};

/// Providers that are asked at once; each is asked one thing at a time.
const PROVIDERS_AT_ONCE: usize = 8;
/// Keys of one question to the server.
const KEYS_PER_QUESTION: usize = 1000;
/// What most keys of a provider seem to suffer is looked at again after this,
const AGAIN_MS: u64 = 60 * 60 * 1000;
/// and no longer than this.
const TROUBLE_MS: u64 = 24 * 60 * 60 * 1000;

/// Which keys of an environment.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// By name; all without one.
    pub names: Vec<String>,
    /// Whose keys: with names, it says whose they are; without, only that provider's are meant.
    pub provider: Option<String>,
    /// Also the version before the newest: its key should be dead once its grace is over.
    pub previous: bool,
    /// Only those that the server gives this runner, for so many milliseconds.
    pub lease_ms: Option<u64>,
    /// Keep the findings to oneself.
    pub quiet: bool,
}

/// What came of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck {
    /// The secret's full name.
    pub name: String,
    /// The version of its leaf.
    pub version: u64,
    /// It is the newest one.
    pub is_current: bool,
    /// Whose key it is.
    pub provider: Option<String>,
    /// What was found out.
    pub outcome: Found,
    /// Why nothing was.
    pub why: Option<String>,
    /// When the key ends, as its provider says, epoch milliseconds.
    pub expires_ms: Option<u64>,
    /// The organization was told.
    pub reported: bool,
}

/// A key about to be checked. Printed by nothing.
struct Candidate {
    name: String,
    place: Place,
    is_current: bool,
    key: Zeroizing<String>,
}

impl Vault {
    /// Checks keys at their providers, and reports what came of it.
    pub async fn check_keys(&mut self, prober: &Prober, environment: &NsId, which: &Which) -> Result<Vec<KeyCheck>> {
        let known = self.key_health(environment).await?;
        let mut seen = self.seen()?;
        let (candidates, mut checks) = self.candidates(prober, environment, which, &known, &seen).await?;
        let found = ask(prober, candidates).await;
        for (candidate, provider, judgement) in found {
            let mut check = of(&candidate, Some(provider.name.clone()), judgement.outcome, None);
            check.expires_ms = judgement.expires_ms;
            if let Some(outcome) = reportable(judgement.outcome).filter(|_| !which.quiet) {
                let report = self.finding(candidate.place, outcome, judgement);
                check.reported = self.report(&report, &mut seen).await?;
            }
            checks.push(check);
        }
        checks.sort_by(|one, other| (&one.name, other.version).cmp(&(&other.name, one.version)));
        Ok(checks)
    }

    fn finding(&self, (ns_id, secret_id, version): Place, outcome: Outcome, judgement: Judgement) -> HealthReport {
        HealthReport {
            v: FORMAT,
            org_id: self.org_id,
            ns_id,
            secret_id,
            version,
            outcome,
            at_ms: self.now_ms(),
            prober_id: self.identity.id(),
            prober_key_id: self.identity.key_id(),
            expires_ms: judgement.expires_ms,
        }
    }

    /// The keys to ask about with their providers, and what can be said of the others at once.
    async fn candidates<'p>(
        &mut self,
        prober: &'p Prober,
        environment: &NsId,
        which: &Which,
        known: &[KeyHealth],
        seen: &Seen,
    ) -> Result<(Vec<(Candidate, &'p Provider)>, Vec<KeyCheck>)> {
        let only = which.provider.as_deref().map(|name| prober.catalogue().named(name).ok_or_else(|| Error::not_found("provider", name)));
        let only = only.transpose()?;
        let (mut asked, mut said) = (Vec::new(), Vec::new());
        for (candidate, told) in self.keys(environment, which).await? {
            let told = only.filter(|_| !which.names.is_empty()).map(|provider| provider.id.as_str()).or(told.as_deref());
            let provider = match prober.provider_of(told, &candidate.key) {
                Ok(provider) if only.is_none_or(|only| only.id == provider.id) => provider,
                // One of another provider, when one provider's were asked for, or no key at all, when all were.
                Ok(_) => continue,
                Err(_) if which.names.is_empty() && told.is_none() => continue,
                Err(Unsupported(why)) => {
                    said.push(of(&candidate, None, Found::Unsupported, Some(why)));
                    continue;
                }
            };
            let held = known.iter().find(|health| (health.ns_id, health.secret_id, health.version) == candidate.place);
            match rests(provider, held, seen.0.get(&candidate.place).copied(), self.now_ms()) {
                Some(why) => said.push(of(&candidate, Some(provider.name.clone()), last(held), Some(why))),
                None => asked.push((candidate, provider)),
            }
        }
        if let Some(lease_ms) = which.lease_ms {
            let mine = self.lease(lease_ms, asked.iter().map(|(candidate, _)| candidate.place)).await?;
            asked.retain(|(candidate, _)| mine.contains(&candidate.place));
        }
        Ok((asked, said))
    }

    /// The values, with what their owners say of whose they are.
    async fn keys(&mut self, environment: &NsId, which: &Which) -> Result<Vec<(Candidate, Option<String>)>> {
        self.fetch_all(environment).await?;
        if which.previous {
            self.take_history(environment).await?;
        }
        let wanted: BTreeSet<&str> = which.names.iter().map(String::as_str).collect();
        let mut keys = Vec::new();
        for name in &wanted {
            self.index(environment)?.get_live(name)?;
        }
        for (name, ns_id, secret_id, version) in self.live_keys(environment)? {
            if !wanted.is_empty() && !wanted.contains(name.as_str()) {
                continue;
            }
            let secret = self.read(environment, &name)?;
            let told = secret.info.facts.as_ref().and_then(|facts| facts.provider.clone());
            if let Some(key) = text(&secret.value) {
                keys.push((Candidate { name: name.clone(), place: (ns_id, secret_id, version), is_current: true, key }, told.clone()));
            }
            if which.previous && version > 1 && secret.info.version > 1 {
                // Gone, or not for this reader: there is nothing to check.
                let Ok(before) = self.read_version(environment, &name, secret.info.version - 1).await else { continue };
                if let Some(key) = text(&before.value).filter(|_| before.value != secret.value) {
                    keys.push((Candidate { name, place: (ns_id, secret_id, version - 1), is_current: false, key }, told));
                }
            }
        }
        Ok(keys)
    }

    /// Which of these the server gives to this runner.
    async fn lease(&self, interval_ms: u64, places: impl Iterator<Item = Place>) -> Result<BTreeSet<Place>> {
        let check = |(ns, secret, version): Place| v1::KeyCheck {
            ns_id: Bytes::copy_from_slice(&ns.0),
            secret_id: Bytes::copy_from_slice(&secret.0),
            version,
        };
        let keys: Vec<v1::KeyCheck> = places.map(check).collect();
        let mut mine = BTreeSet::new();
        for some in keys.chunks(KEYS_PER_QUESTION) {
            let request = v1::LeaseKeyChecksRequest { org_id: Bytes::copy_from_slice(&self.org_id.0), interval_ms, keys: some.to_vec() };
            let answer = self.session.call(async |client, token| rpc::lease_key_checks(client, Some(token), request.clone()).await).await?;
            for key in answer.keys {
                if let (Ok(ns), Ok(secret)) = (NsId::from_slice(&key.ns_id), SecretId::from_slice(&key.secret_id)) {
                    mine.insert((ns, secret, key.version));
                }
            }
        }
        Ok(mine)
    }
}

/// Asks providers side by side, each one thing at a time.
async fn ask<'p>(prober: &Prober, candidates: Vec<(Candidate, &'p Provider)>) -> Vec<(Candidate, &'p Provider, Judgement)> {
    let mut by_provider: BTreeMap<&str, Vec<(Candidate, &'p Provider)>> = BTreeMap::new();
    for (candidate, provider) in candidates {
        by_provider.entry(&provider.id).or_default().push((candidate, provider));
    }
    let each = by_provider.into_values().map(|keys| async move {
        let mut found = Vec::with_capacity(keys.len());
        for (candidate, provider) in keys {
            if !found.is_empty() {
                prober.pause(provider).await;
            }
            let unsupported = Judgement { outcome: Found::Unsupported, expires_ms: None };
            let judgement = prober.check(provider, &candidate.key).await.unwrap_or(unsupported);
            found.push((candidate, provider, judgement));
        }
        found
    });
    futures::stream::iter(each).buffer_unordered(PROVIDERS_AT_ONCE).concat().await
}

/// Why a key is not asked about now.
fn rests(provider: &Provider, held: Option<&KeyHealth>, checked_ms: Option<u64>, now_ms: u64) -> Option<String> {
    if provider.probe.is_none() {
        return Some(provider.unsupported.clone().unwrap_or_default());
    }
    let pause_ms = provider.probe.as_ref().map_or(0, |probe| probe.min_interval_s * 1000);
    if checked_ms.is_some_and(|at| at.saturating_add(pause_ms) > now_ms) {
        return Some(format!("it was checked less than {} s ago", pause_ms / 1000));
    }
    let held = held.filter(|held| held.verdict == Verdict::Refused)?;
    let trouble = held.told == v1::KeyHealthState::Suspect
        && held.refused_since_ms.is_some_and(|since| since.saturating_add(TROUBLE_MS) > now_ms)
        && held.at_ms.is_some_and(|at| at.saturating_add(AGAIN_MS) <= now_ms);
    if trouble { None } else { Some("it was refused twice: it is asked about again when it has a new version".to_owned()) }
}

/// What is known without asking.
fn last(held: Option<&KeyHealth>) -> Found {
    match held.and_then(|held| held.outcome) {
        None => Found::Unsupported,
        Some(Outcome::Valid) => Found::Valid,
        Some(Outcome::Invalid) => Found::Invalid,
        Some(Outcome::Limited) => Found::Limited,
        Some(Outcome::Quota) => Found::Quota,
        Some(Outcome::Blocked) => Found::Blocked,
        Some(Outcome::Throttled) => Found::Throttled,
        Some(Outcome::ProviderError) => Found::ProviderError,
        Some(Outcome::NetworkError) => Found::NetworkError,
    }
}

/// What a report may say.
fn reportable(found: Found) -> Option<Outcome> {
    Some(match found {
        Found::Valid => Outcome::Valid,
        Found::Invalid => Outcome::Invalid,
        Found::Limited => Outcome::Limited,
        Found::Quota => Outcome::Quota,
        Found::Blocked => Outcome::Blocked,
        Found::Throttled => Outcome::Throttled,
        Found::ProviderError => Outcome::ProviderError,
        Found::NetworkError => Outcome::NetworkError,
        Found::Unsupported => return None,
    })
}

fn of(candidate: &Candidate, provider: Option<String>, outcome: Found, why: Option<String>) -> KeyCheck {
    let Candidate { name, place, is_current, .. } = candidate;
    KeyCheck { name: name.clone(), version: place.2, is_current: *is_current, provider, outcome, why, expires_ms: None, reported: false }
}

/// A key is text; a line break at its end is an editor's.
fn text(value: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()))
}
