//! The call itself, made from an entry and a key, and what its answer means. Nothing here dials.

use crate::date;
use crate::entry::{Method, Outcome, Probe, Provider};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;

/// Of a field that may be looked at, this much is kept: codes and dates are shorter.
const MAX_FIELD: usize = 64;
/// A key is one line of text of at most this many bytes; certificates and key files are not sent in a header.
const MAX_KEY: usize = 4096;
/// What a provider that says nothing else is told about who asks.
const USER_AGENT: &str = concat!("keyvawlt/", env!("CARGO_PKG_VERSION"), " (key check)");

/// Where a provider's API lives: `https://host[:port]`, or `http://` on this machine's own loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is TLS.
    pub secure: bool,
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A request to make.
#[derive(Clone)]
pub struct ProbeRequest {
    /// Where.
    pub origin: Origin,
    /// How.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Headers, one of which may hold the key.
    pub headers: Vec<(String, String)>,
    /// What a POST sends.
    pub body: String,
}

/// Why a key cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported(pub String);

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body, cut off where it is too long.
    pub body: Vec<u8>,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The outcome.
    pub outcome: Outcome,
    /// When the key ends, as the provider says, epoch milliseconds.
    pub expires_ms: Option<u64>,
}

impl Origin {
    /// Reads `https://host[:port]`; `http://` only with a loopback address, so that no key travels in clear.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("it must begin with https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or("a port stands behind ':'")?)),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(plain) {
            return Err("it must be scheme, host and port alone");
        }
        let secure = match scheme {
            "https" => true,
            "http" if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) => false,
            "http" => return Err("a key is sent over https only; http is for loopback addresses such as 127.0.0.1"),
            _ => return Err("it must begin with https://"),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| "the port must be a number")?,
            None if secure => 443,
            None => 80,
        };
        Ok(Self { secure, host: host.to_ascii_lowercase(), port })
    }

    /// What the `host` header says.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl Provider {
    /// The request that checks a key, at the provider's own host unless the caller names another.
    pub fn request(&self, key: &str, at: Option<&Origin>) -> Result<ProbeRequest, Unsupported> {
        let unsupported = |why: &str| Unsupported(why.to_owned());
        let Some(probe) = &self.probe else {
            return Err(unsupported(self.unsupported.as_deref().unwrap_or("there is no harmless call")));
        };
        self.refuse(key)?;
        let origin = match (at, self.hosts.first()) {
            (Some(at), _) => at.clone(),
            (None, Some(host)) => Origin::parse(&format!("https://{host}")).map_err(unsupported)?,
            (None, None) => return Err(unsupported(self.unsupported.as_deref().unwrap_or("say where it lives"))),
        };
        let headers = probe.headers.iter().map(|(name, value)| (name.clone(), value.replace("{key}", key)));
        let mut headers: Vec<(String, String)> = headers.collect();
        if let Some(basic) = &probe.basic {
            headers.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(basic.replace("{key}", key)))));
        }
        if probe.body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        headers.push(("user-agent".to_owned(), USER_AGENT.to_owned()));
        let path = probe.path.replace("{key}", &escaped(key));
        Ok(ProbeRequest { origin, method: probe.method, path, headers, body: probe.body.clone().unwrap_or_default() })
    }

    /// Refuses what must not be sent: no key, another provider's form, or a form that a call would change.
    fn refuse(&self, key: &str) -> Result<(), Unsupported> {
        let refused = |why: &str| Err(Unsupported(why.to_owned()));
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("the value is not one line of text without blanks");
        }
        match self.formats.iter().find(|format| format.fits(key)) {
            Some(format) if format.never => refused("a key of this form is never sent: the only call that takes it changes it"),
            Some(format) if format.publishable => refused("a key of this form is made to be public"),
            _ => Ok(()),
        }
    }

    /// What an answer means.
    pub fn judge(&self, answer: &Answer) -> Judgement {
        let Some(probe) = &self.probe else { return Judgement { outcome: Outcome::Unsupported, expires_ms: None } };
        let fields = fields(probe, &answer.body);
        let told = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let fitting = probe.rules.iter().find(|rule| {
            let field = rule.field.as_deref().is_none_or(|field| told(field).is_some_and(|value| rule.is.iter().any(|is| is == value)));
            rule.status.contains(&answer.status) && field
        });
        let outcome = fitting.map_or_else(|| by_status(answer.status), |rule| rule.outcome);
        let header = |name: &str| answer.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let expiry =
            self.metadata.expiry_header.as_deref().and_then(header).or_else(|| self.metadata.expiry_field.as_deref().and_then(told));
        let works = matches!(outcome, Outcome::Valid | Outcome::Limited | Outcome::Quota);
        Judgement { outcome, expires_ms: expiry.filter(|_| works).and_then(date::epoch_ms) }
    }
}

/// What a status means that no rule of the provider names: never that a key is dead, which only a rule may say.
fn by_status(status: u16) -> Outcome {
    match status {
        402 => Outcome::Quota,
        429 => Outcome::Throttled,
        451 => Outcome::Blocked,
        _ => Outcome::ProviderError,
    }
}

/// The fields that may be looked at, as short text; everything else of the body is dropped here.
fn fields(probe: &Probe, body: &[u8]) -> Vec<(String, String)> {
    let Some(body) = Some(probe).filter(|probe| !probe.fields.is_empty()).and_then(|_| serde_json::from_slice::<Value>(body).ok()) else {
        return Vec::new();
    };
    let value = |path: &String| {
        let found = path.split('.').try_fold(&body, |value, name| value.get(name))?;
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => found.to_string(),
            _ => return None,
        };
        (text.len() <= MAX_FIELD).then(|| (path.clone(), text))
    };
    probe.fields.iter().filter_map(value).collect()
}

/// What may stand in a path as it is; a telegram token has a ':', which may.
fn escaped(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':');
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl fmt::Debug for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Path and headers may hold the key.
        write!(f, "ProbeRequest({} {})", self.method.as_str(), self.origin.authority())
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
