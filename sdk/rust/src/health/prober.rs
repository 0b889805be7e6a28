//! Who asks providers: with which catalogue, where, and how slowly.

use super::http;
use crate::error::{Error, Result};
use crate::random;
use keyvawlt_catalogue::{Answer, Catalogue, Judgement, Origin, Outcome, Provider, Unsupported};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// Between two calls to one provider, and up to half as much again: nobody is asked in bursts.
const PAUSE: Duration = Duration::from_millis(500);

/// Whom a prober may dial.
#[derive(Clone, Debug, Default)]
pub enum Dial {
    /// The providers of the catalogue, and what the caller named.
    #[default]
    Anywhere,
    /// Loopback addresses. Everything else is written down here instead of dialled: for tests.
    LoopbackOnly(Arc<Mutex<Vec<String>>>),
}

/// Asks providers.
#[derive(Clone)]
pub struct Prober {
    catalogue: Catalogue,
    dial: Dial,
    tls: TlsConnector,
    /// Where providers live that the caller knows better, by id.
    places: BTreeMap<String, Origin>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("dial", &self.dial).field("places", &self.places).finish_non_exhaustive()
    }
}

impl Prober {
    /// With the catalogue of this program.
    pub fn new(dial: Dial) -> Result<Self> {
        let catalogue = Catalogue::builtin().map_err(|flaw| Error::invalid("catalogue", flaw.to_string()))?;
        let tls = http::tls().map_err(|error| Error::invalid("TLS", error.to_string()))?;
        Ok(Self { catalogue, dial, tls, places: BTreeMap::new() })
    }

    /// Says where a provider lives: `https://host[:port]`, or `http://` with a loopback address. It comes from whoever runs this program, never from
    /// a server or a repository: the key goes there.
    pub fn place(&mut self, provider: &str, origin: &str) -> Result<()> {
        let known = self.catalogue.named(provider).ok_or_else(|| Error::not_found("provider", provider))?;
        let origin = Origin::parse(origin).map_err(|why| Error::invalid("endpoint", format!("{provider}: {why}")))?;
        self.places.insert(known.id.clone(), origin);
        Ok(())
    }

    /// The providers known here.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Whose key this is: as its owner says, where the value does not look like another provider's, else by its form.
    pub(super) fn provider_of(&self, told: Option<&str>, key: &str) -> Result<&Provider, Unsupported> {
        let said = told;
        let told = said.and_then(|name| self.catalogue.named(name));
        let looks = self.catalogue.recognise(key).map(|(provider, _)| provider);
        match (told, looks) {
            (Some(told), Some(looks)) if told.id != looks.id && !told.formats.iter().any(|format| format.fits(key)) => {
                Err(Unsupported(format!("it is said to be a key of {}, and looks like one of {}", told.name, looks.name)))
            }
            (Some(told), _) => Ok(told),
            (None, Some(looks)) => Ok(looks),
            (None, None) if said.is_some() => {
                Err(Unsupported(format!("no provider {} is known here: see keyvawlt health providers", said.unwrap_or_default())))
            }
            (None, None) => Err(Unsupported("nobody says whose key it is: keyvawlt secrets facts NAME --provider".to_owned())),
        }
    }

    /// Asks a provider about one key.
    pub(super) async fn check(&self, provider: &Provider, key: &str) -> Result<Judgement, Unsupported> {
        let request = provider.request(key, self.places.get(&provider.id))?;
        let no_answer = Judgement { outcome: Outcome::NetworkError, expires_ms: None };
        let answer: Result<Answer, _> = http::ask(&self.dial, &self.tls, request).await;
        Ok(answer.map_or(no_answer, |answer| provider.judge(&answer)))
    }

    /// Waits before the next call to the same provider; a provider on this machine is in no hurry to be spared.
    pub(super) async fn pause(&self, provider: &Provider) {
        if self.places.get(&provider.id).is_none_or(|place| place.secure) {
            let more = random::below(u64::try_from(PAUSE.as_millis()).unwrap_or(0) / 2);
            tokio::time::sleep(PAUSE + Duration::from_millis(more)).await;
        }
    }
}
