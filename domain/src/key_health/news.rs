//! Who hears of it: whoever reads the key, once for each happening; and what is still true of it when the message goes.

use super::incident;
use super::row::{Place, Standing, decided, state_of};
use super::state::State;
use super::sweep::UNDECIDED_MS;
use crate::error::Result;
use crate::notices::{Audience, DEFAULT_THRESHOLDS, Notice, Topic, nearest, raise};
use crate::store::{Tx, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{key_health, secret};
use sea_orm::EntityTrait;

/// What is to be said of one key: ids, and what its owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyNews {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// Which version.
    pub version: u64,
    /// What is so.
    pub what: KeyFact,
    /// What messages may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
}

/// What is so of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFact {
    /// Its provider refuses it, since.
    Refused(u64),
    /// It was replaced, and its provider accepts it still; last seen.
    AliveStill(u64),
    /// Its provider says that it ends, when.
    Ends(u64),
    /// Nobody checked it since.
    Unheard(u64),
    /// It is checked, and no check since then could say whether it works.
    Undecided(u64),
}

impl KeyFact {
    /// The moment it is about.
    pub fn at_ms(self) -> u64 {
        match self {
            Self::Refused(at) | Self::AliveStill(at) | Self::Ends(at) | Self::Unheard(at) | Self::Undecided(at) => at,
        }
    }
}

/// Most keys of one provider are refused at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTrouble {
    /// In which organization.
    pub org: OrgId,
    /// In a namespace that the recipient reads.
    pub ns: NsId,
    /// Whose keys, as their owners say.
    pub provider: String,
    /// How many of them are refused.
    pub refused: usize,
    /// Of how many.
    pub all: usize,
    /// Since when, epoch milliseconds.
    pub since_ms: u64,
}

/// Tells whoever reads there, where it is news. The same happening is told once, however often it is reported.
pub(super) async fn tell(tx: &Tx, place: &Place, standing: &Standing, row: &key_health::Model, trouble: Option<u64>) -> Result<()> {
    let Place { org, ns, secret, version } = *place;
    let current = version == standing.current;
    let of_key = Topic::KeyHealth { ns, secret, version };
    let (topic, what, urgent) = match state_of(row)? {
        State::Invalid if current => (of_key, format!("refused/{}", row.failed_at.unwrap_or(0)), true),
        // Once for each time without an answer, however many checks come and say nothing.
        State::Stale if current => (of_key, format!("unheard/{}", decided(row)?.map_or(0, |(_, at_ms)| at_ms)), false),
        State::Expiring if current => match standing.observed_threshold(row, tx.now_ms()) {
            Some((end, days)) => (of_key, format!("ends/{end}/{days}"), false),
            None => return Ok(()),
        },
        State::RetiredStillAlive => (Topic::OldKeyAlive { ns, secret, version }, "alive".to_owned(), false),
        State::Suspect => match trouble {
            Some(since_ms) => {
                let provider = standing.provider.clone();
                // The same for every namespace: a person who reads several hears once.
                let key = format!("provider-trouble/{provider}/{since_ms}");
                let topic = Topic::ProviderIncident { ns, provider, since_ms };
                return raise(tx, &Notice { org, topic, audience: Audience::Readers(ns), key, urgent: false }).await;
            }
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    let key = format!("key-health/{ns}/{secret}/{version}/{what}");
    raise(tx, &Notice { org, topic, audience: Audience::Readers(ns), key, urgent }).await
}

impl Standing {
    /// The nearest threshold before an end that the provider told and the owner did not: of his own date people hear otherwise.
    fn observed_threshold(&self, row: &key_health::Model, now_ms: u64) -> Option<(u64, u16)> {
        let end = row.expires_at.map(number).filter(|end| self.declared_end.is_none_or(|declared| *end < declared))?;
        nearest(&DEFAULT_THRESHOLDS, end, now_ms).map(|days| (end, days))
    }
}

/// What is so of a key now; `None` where nothing is worth a word any more.
pub(crate) async fn key_news(tx: &Tx, org: &OrgId, (ns, id): (&NsId, &SecretId), version: u64) -> Result<Option<KeyNews>> {
    let place = Place { org: *org, ns: *ns, secret: *id, version };
    let (Some(standing), Some(row)) = (place.standing(tx).await?, place.row(tx).await?) else { return Ok(None) };
    let moment = |at: Option<i64>| at.map_or(0, number);
    let what = match state_of(&row)? {
        State::Invalid if version == standing.current => KeyFact::Refused(moment(row.failed_at)),
        State::Stale if version == standing.current => unheard(&row)?,
        State::Expiring if version == standing.current => KeyFact::Ends(moment(row.expires_at)),
        State::RetiredStillAlive if version < standing.current => KeyFact::AliveStill(moment(row.newest_at)),
        _ => return Ok(None),
    };
    let key = (org.0.to_vec(), ns.0.to_vec(), id.0.to_vec());
    let told = match secret::Entity::find_by_id(key).one(tx.db()).await? {
        Some(row) => facts::read(&row.facts)?,
        None => None,
    };
    let (label, provider) = told.map_or((None, None), |facts| (facts.label, facts.provider));
    Ok(Some(KeyNews { org: *org, ns: *ns, secret: *id, version, what, label, provider }))
}

/// Why a key is stale: nobody came, or whoever comes finds nothing out, for at least half of the time after which that counts.
fn unheard(row: &key_health::Model) -> Result<KeyFact> {
    let newest_ms = row.newest_at.map_or(0, number);
    let in_vain = |since: &u64| newest_ms.saturating_sub(*since) >= UNDECIDED_MS / 2;
    let since = decided(row)?.map(|(_, at_ms)| at_ms).filter(in_vain);
    Ok(since.map_or(KeyFact::Unheard(newest_ms), KeyFact::Undecided))
}

/// How a provider's trouble stands; `None` when it is over.
pub(crate) async fn provider_news(tx: &Tx, org: &OrgId, ns: &NsId, provider: &str, since_ms: u64) -> Result<Option<ProviderTrouble>> {
    let seen = incident::look(tx, org, provider, since_ms).await?;
    let trouble = ProviderTrouble { org: *org, ns: *ns, provider: provider.to_owned(), refused: seen.refused, all: seen.all, since_ms };
    Ok(seen.is_most().then_some(trouble))
}
