//! An entry of `providers.toml`, closed: an unknown key is an error, and so is an entry that could do harm.

use crate::format::Format;
use crate::probe::Origin;
use serde::Deserialize;

/// No probe of one key comes more often, whatever an entry says: providers slow down who asks more, and a key does not die by the minute.
pub(crate) const MIN_INTERVAL_S: u64 = 5;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) provider: Vec<Provider>,
}

/// A provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What facts and flags call it: lower case, digits and `-`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How its keys look; none where a key cannot be told from other text.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// How its variable is usually called.
    #[serde(default)]
    pub env_names: Vec<String>,
    /// Where its API lives. Empty: the caller must say where.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The harmless call; none where there is no harmless one.
    pub probe: Option<Probe>,
    /// Why there is no probe, or what must be said for it.
    #[serde(default)]
    pub unsupported: Option<String>,
    /// Whether the service answers at all: no key in it, so anybody may ask.
    pub reach: Option<Reach>,
    /// What a good answer tells besides.
    #[serde(default)]
    pub metadata: Metadata,
    /// How a key is replaced.
    pub rotation: String,
    /// What this entry rests on.
    pub last_verified: String,
}

/// A call that changes nothing, costs nothing, and succeeds only with a working key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// GET, or a POST that is documented to change nothing.
    #[serde(default)]
    pub method: Method,
    /// Path and query; `{key}` where the key must stand in it.
    pub path: String,
    /// Headers by name; `{key}` stands for the key.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// User and password of basic authentication, `{key}` in it.
    #[serde(default)]
    pub basic: Option<String>,
    /// What a POST sends, JSON.
    #[serde(default)]
    pub body: Option<String>,
    /// What answers mean, the first that fits; what no rule names is decided by the general ones.
    pub rules: Vec<Rule>,
    /// JSON fields that may be looked at, as `a.b`; nothing else of a body is kept.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The shortest time between two calls with one key, seconds.
    pub min_interval_s: u64,
}

/// HTTP methods that a probe may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Changes nothing by definition.
    #[default]
    Get,
    /// Where documentation says that it changes nothing.
    Post,
}

impl Method {
    /// As it is written in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What an answer means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The statuses it is about.
    pub status: Vec<u16>,
    /// A field that must have one of [`Rule::is`].
    #[serde(default)]
    pub field: Option<String>,
    /// Values of the field.
    #[serde(default)]
    pub is: Vec<String>,
    /// What it means then.
    pub outcome: Outcome,
}

/// What a check found out, the same words for all providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The key works.
    Valid,
    /// The provider does not accept the key.
    Invalid,
    /// The key is accepted, and may not do this.
    Limited,
    /// The key is accepted, and nothing is left to spend.
    Quota,
    /// Refused because of the place or a rule, which says nothing of the key.
    Blocked,
    /// Too many calls.
    Throttled,
    /// The provider failed, or said something that is not known.
    ProviderError,
    /// No answer.
    NetworkError,
    /// There is no harmless call for this key.
    Unsupported,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Valid,
        Self::Invalid,
        Self::Limited,
        Self::Quota,
        Self::Blocked,
        Self::Throttled,
        Self::ProviderError,
        Self::NetworkError,
        Self::Unsupported,
    ];

    /// The word for programs and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Limited => "limited",
            Self::Quota => "quota",
            Self::Blocked => "blocked",
            Self::Throttled => "throttled",
            Self::ProviderError => "provider_error",
            Self::NetworkError => "network_error",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whether a service answers: asked without a key, so that a refusal of authentication is what is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Whom to ask.
    pub url: String,
    /// Statuses that show that it answers.
    pub expect: Vec<u16>,
}

/// What a good answer tells of the key's end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// A header with the moment it ends.
    #[serde(default)]
    pub expiry_header: Option<String>,
    /// A field with it, which must be one of the probe's.
    #[serde(default)]
    pub expiry_field: Option<String>,
}

impl Provider {
    /// The rules that every entry keeps.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.id.is_empty() || !self.id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
            return Err("an id has lower case letters, digits and '-' only".to_owned());
        }
        if self.rotation.is_empty() || self.last_verified.is_empty() {
            return Err("rotation and last_verified say something".to_owned());
        }
        if self.formats.iter().any(|format| format.literal_length() == 0) {
            return Err("a format without a literal part fits anything".to_owned());
        }
        match (&self.probe, &self.unsupported) {
            (Some(probe), _) => self.check_probe(probe)?,
            (None, None) => return Err("without a probe, `unsupported` says why".to_owned()),
            (None, Some(_)) => {}
        }
        for host in &self.hosts {
            Origin::parse(&format!("https://{host}")).map_err(|why| format!("host {host}: {why}"))?;
        }
        match &self.reach {
            Some(reach) if !reach.url.starts_with("https://") => Err("reach asks over https".to_owned()),
            Some(reach) if reach.url.contains("{key}") || reach.expect.is_empty() => {
                Err("reach has no key, and expects something".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_probe(&self, probe: &Probe) -> Result<(), String> {
        let places = [probe.path.as_str(), probe.basic.as_deref().unwrap_or_default()];
        let keys = places.into_iter().chain(probe.headers.iter().map(|(_, value)| value.as_str())).filter(|text| text.contains("{key}"));
        if keys.count() != 1 || probe.body.as_ref().is_some_and(|body| body.contains("{key}")) {
            return Err("the key stands in exactly one place, which is not the body".to_owned());
        }
        if !probe.path.starts_with('/') || probe.path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("a path begins with '/' and has no blanks".to_owned());
        }
        if probe.body.is_some() != (probe.method == Method::Post && probe.body.is_some()) {
            return Err("only a POST has a body".to_owned());
        }
        if probe.min_interval_s < MIN_INTERVAL_S {
            return Err(format!("min_interval_s is at least {MIN_INTERVAL_S}"));
        }
        let outcomes = |wanted: Outcome| probe.rules.iter().any(|rule| rule.outcome == wanted);
        if !outcomes(Outcome::Valid) || probe.rules.iter().any(|rule| rule.status.is_empty() || rule.outcome == Outcome::Unsupported) {
            return Err("rules name statuses, and one of them means valid".to_owned());
        }
        let looked_at = probe.rules.iter().filter_map(|rule| rule.field.as_ref()).chain(self.metadata.expiry_field.as_ref());
        for field in looked_at {
            if !probe.fields.contains(field) {
                return Err(format!("{field} is looked at, and is not among the fields"));
            }
        }
        if probe.rules.iter().any(|rule| rule.field.is_some() == rule.is.is_empty()) {
            return Err("a rule with a field says its values, and one without has none".to_owned());
        }
        Ok(())
    }
}
