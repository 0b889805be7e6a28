//! The providers whose keys can be checked: how a key looks, which harmless call proves it, and what each answer means.
//!
//! Pure: `providers.toml` is data compiled into the program, and nothing here dials, reads a clock or keeps a key. What a server may use of it is
//! [`Provider::reach`], which has no key in it. Every entry comes from documentation and says so; none was executed against a provider.

mod date;
mod entry;
mod format;
mod probe;

pub use entry::{Metadata, Method, Outcome, Probe, Provider, Reach, Rule};
pub use format::Format;
pub use probe::{Answer, Judgement, Origin, ProbeRequest, Unsupported};

use std::fmt;

/// The catalogue that is part of the program.
pub const PROVIDERS: &str = include_str!("../providers.toml");

/// All providers, in order of their ids.
#[derive(Clone, Debug)]
pub struct Catalogue {
    providers: Vec<Provider>,
}

/// What is wrong with a catalogue: which provider, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw(String);

impl Catalogue {
    /// The one that is part of the program. A test reads it, so this fails in no released program.
    pub fn builtin() -> Result<Self, Flaw> {
        Self::parse(PROVIDERS)
    }

    /// Reads a catalogue, and refuses one that breaks a rule.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let file: entry::File = toml::from_str(text).map_err(|error| Flaw(error.to_string()))?;
        let providers = file.provider;
        for (at, provider) in providers.iter().enumerate() {
            let flaw = |why: String| Flaw(format!("{}: {why}", provider.id));
            provider.check().map_err(flaw)?;
            if at > 0 && providers.get(at - 1).is_some_and(|before| before.id >= provider.id) {
                return Err(flaw("providers are in order of their ids, each once".to_owned()));
            }
        }
        Ok(Self { providers })
    }

    /// Every provider.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider that a fact or a flag names: its id or its name, in any case.
    pub fn named(&self, name: &str) -> Option<&Provider> {
        let name = name.trim();
        self.providers.iter().find(|provider| provider.id.eq_ignore_ascii_case(name) || provider.name.eq_ignore_ascii_case(name))
    }

    /// The provider whose key this is by its form: the form that says most. `None` where no form fits, or two say equally much.
    pub fn recognise(&self, key: &str) -> Option<(&Provider, &Format)> {
        let fitting = self.providers.iter().flat_map(|provider| provider.formats.iter().map(move |format| (provider, format)));
        let mut best: Option<(&Provider, &Format)> = None;
        let mut tied = false;
        for (provider, format) in fitting.filter(|(_, format)| format.fits(key)) {
            let said = best.map_or(0, |(_, best)| best.literal_length());
            match format.literal_length().cmp(&said) {
                std::cmp::Ordering::Greater => (best, tied) = (Some((provider, format)), false),
                std::cmp::Ordering::Equal if best.is_none_or(|(held, _)| held.id != provider.id) => tied = true,
                _ => {}
            }
        }
        best.filter(|_| !tied)
    }

    /// Providers whose usual variable has this name: a hint for people, never a reason to send a key anywhere.
    pub fn hinted(&self, variable: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.env_names.iter().any(|name| name == variable))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the catalogue of providers: {}", self.0)
    }
}

impl std::error::Error for Flaw {}

#[cfg(test)]
mod tests;
