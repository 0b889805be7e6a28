//! What a monitor asks, and what it expects: read from people's words once, and only ever used in this form.
//!
//! The server must know URL and rules to look: they are in clear, and nothing secret belongs in them. Where a name leads is judged when it is
//! looked at, by whoever dials; here only the form is.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

/// The shortest interval: more often is load, and no earlier news, for three failures make an incident.
pub const MIN_INTERVAL_MS: u64 = 30 * 1000;
/// The longest: rarer than daily is no monitoring.
pub const MAX_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;
/// The interval of those who name none.
pub const DEFAULT_INTERVAL_MS: u64 = 60 * 1000;
/// A look takes at least so long before it counts as failed.
pub const MIN_TIMEOUT_MS: u64 = 1_000;
/// And at most: a look must be over before the next one is due.
pub const MAX_TIMEOUT_MS: u64 = MIN_INTERVAL_MS;
/// The time limit of those who name none.
pub const DEFAULT_TIMEOUT_MS: u64 = 10_000;
/// A URL: as long as browsers and proxies take them.
pub const MAX_URL: usize = 2_048;
/// A name: a line.
pub const MAX_NAME: usize = 100;
/// Ranges of statuses: there are five classes, and a few exceptions to each.
pub const MAX_STATUSES: usize = 20;
/// Headers that are looked at.
pub const MAX_HEADER_RULES: usize = 10;
/// A header's name or a text in it.
pub const MAX_HEADER_TEXT: usize = 256;
/// A text to find in a body.
pub const MAX_BODY_TEXT: usize = 1_024;

/// How it is asked. Nothing here may change anything on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// With the answer's body, of which the beginning is looked at.
    Get,
    /// Without.
    Head,
    /// What is possible there.
    Options,
}

/// Statuses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statuses(pub u16, pub u16);

/// A header that the answer must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRule {
    /// Its name, in lower case.
    pub name: String,
    /// What it must contain; empty for anything.
    pub contains: String,
}

/// What the answer's body must or must not contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRule {
    /// The text.
    pub text: String,
    /// Whether it must be absent.
    pub absent: bool,
}

/// What is asked and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// How it is asked.
    pub method: Method,
    /// The statuses that are as expected: a 401 may be the best that a service has to say to strangers.
    pub statuses: Vec<Statuses>,
    /// Headers that must be there.
    pub headers: Vec<HeaderRule>,
    /// What the body must say.
    pub body: Option<BodyRule>,
    /// How long a look may take, milliseconds.
    pub timeout_ms: u64,
    /// The latency above which the monitor counts as slow, milliseconds.
    pub slow_ms: Option<u64>,
}

impl Rules {
    /// Whether a status is as expected.
    pub fn expects(&self, status: u16) -> bool {
        self.statuses.iter().any(|Statuses(from, to)| (*from..=*to).contains(&status))
    }
}

/// What somebody wants to have looked at. `Target::checked` says whether it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What people call it.
    pub name: String,
    /// What is looked at.
    pub url: String,
    /// What is asked and expected.
    pub rules: Rules,
    /// Milliseconds between looks.
    pub interval_ms: u64,
}

impl Target {
    /// Holds every field against its limits, brings them to one form, and finds the host.
    pub(super) fn checked(mut self) -> Result<(Self, String)> {
        self.name = checked_name("name", &self.name)?;
        let host = checked_url(&self.url)?;
        if !(MIN_INTERVAL_MS..=MAX_INTERVAL_MS).contains(&self.interval_ms) {
            return Err(Error::invalid("interval_ms", "an interval lies between 30 seconds and 24 hours"));
        }
        self.rules = self.rules.checked()?;
        Ok((self, host))
    }
}

impl Rules {
    fn checked(mut self) -> Result<Self> {
        if self.statuses.is_empty() || self.statuses.len() > MAX_STATUSES {
            return Err(Error::invalid("statuses", "at least one range of statuses, and at most 20"));
        }
        if self.statuses.iter().any(|Statuses(from, to)| from > to || *from < 100 || *to > 599) {
            return Err(Error::invalid("statuses", "a range goes from a status to a higher one, between 100 and 599"));
        }
        if !(MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS).contains(&self.timeout_ms) {
            return Err(Error::invalid("timeout_ms", "a time limit lies between 1 and 30 seconds"));
        }
        if self.slow_ms.is_some_and(|slow| slow == 0 || slow > self.timeout_ms) {
            return Err(Error::invalid("slow_ms", "an answer counts as slow before it counts as missing: at most the time limit"));
        }
        if self.headers.len() > MAX_HEADER_RULES {
            return Err(Error::invalid("headers", "at most 10 headers are looked at"));
        }
        for header in &mut self.headers {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if header.name.is_empty() || header.name.len() > MAX_HEADER_TEXT || !header.name.chars().all(is_token) {
                return Err(Error::invalid("headers.name", "this is not the name of a header"));
            }
            if header.contains.len() > MAX_HEADER_TEXT || header.contains.chars().any(char::is_control) {
                return Err(Error::invalid("headers.contains", "a text within one line, of at most 256 bytes"));
            }
            header.name.make_ascii_lowercase();
        }
        match &self.body {
            Some(_) if self.method != Method::Get => Err(Error::invalid("body", "only the answer to a GET has a body to look at")),
            Some(rule) if rule.text.is_empty() || rule.text.len() > MAX_BODY_TEXT => {
                Err(Error::invalid("body.text", "a text of 1 to 1,024 bytes"))
            }
            _ => Ok(self),
        }
    }
}

/// A line that people gave something as its name.
pub(super) fn checked_name(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(field, "a line of 1 to 100 bytes"));
    }
    Ok(name.to_owned())
}

/// The host of a URL that can be looked at.
fn checked_url(url: &str) -> Result<String> {
    let wrong = |why: &'static str| Err(Error::invalid("url", why));
    if url.len() > MAX_URL {
        return wrong("a URL of at most 2,048 bytes");
    }
    let Ok(parsed) = Url::parse(url) else { return wrong("this is not a URL: write https://name/path") };
    if !matches!(parsed.scheme(), "http" | "https") {
        return wrong("only https and http are looked at");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return wrong("a URL must not carry a user or a password: the server keeps it in clear");
    }
    match parsed.host_str() {
        Some(host) if !host.is_empty() => Ok(host.to_owned()),
        _ => wrong("the URL names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            method: Method::Get,
            statuses: vec![Statuses(200, 299), Statuses(401, 401)],
            headers: vec![HeaderRule { name: "Content-Type".to_owned(), contains: "json".to_owned() }],
            body: Some(BodyRule { text: "ok".to_owned(), absent: false }),
            timeout_ms: DEFAULT_TIMEOUT_MS,
            slow_ms: Some(800),
        }
    }

    fn target(url: &str) -> Target {
        Target { name: " API ".to_owned(), url: url.to_owned(), rules: rules(), interval_ms: DEFAULT_INTERVAL_MS }
    }

    fn field(target: Target) -> &'static str {
        match target.checked() {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_target_is_brought_to_one_form() {
        let (checked, host) = target("https://API.Example.com:8443/health?x=1").checked().unwrap();
        assert_eq!((checked.name.as_str(), host.as_str()), ("API", "api.example.com"));
        assert_eq!(checked.rules.headers[0].name, "content-type");
        assert!(checked.rules.expects(204) && checked.rules.expects(401) && !checked.rules.expects(403));
        let stored = serde_json::to_string(&checked.rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&stored).unwrap(), checked.rules);
    }

    #[test]
    fn each_mistake_names_its_field() {
        for url in ["", "api.example.com", "ftp://x.example", "file:///etc/passwd", "https://ada:pw@x.example", "https://", "http://[::1"] {
            assert_eq!(field(target(url)), "url", "{url}");
        }
        assert_eq!(field(target(&format!("https://x.example/{}", "a".repeat(MAX_URL)))), "url");
        let good = || target("https://x.example/");
        let with = |change: &dyn Fn(&mut Target)| {
            let mut target = good();
            change(&mut target);
            field(target)
        };
        for name in ["", "  ", "a\nb", &"x".repeat(MAX_NAME + 1)] {
            assert_eq!(with(&|target| name.clone_into(&mut target.name)), "name");
        }
        for interval in [0, MIN_INTERVAL_MS - 1, MAX_INTERVAL_MS + 1, u64::MAX] {
            assert_eq!(with(&|target| target.interval_ms = interval), "interval_ms");
        }
        for statuses in [vec![], vec![Statuses(99, 200)], vec![Statuses(299, 200)], vec![Statuses(500, 600)], vec![Statuses(200, 200); 21]]
        {
            assert_eq!(with(&|target| target.rules.statuses.clone_from(&statuses)), "statuses");
        }
        assert_eq!(with(&|target| target.rules.timeout_ms = 500), "timeout_ms");
        assert_eq!(with(&|target| target.rules.slow_ms = Some(DEFAULT_TIMEOUT_MS + 1)), "slow_ms");
        assert_eq!(with(&|target| target.rules.headers[0].name = "a b".to_owned()), "headers.name");
        assert_eq!(with(&|target| target.rules.headers[0].contains = "a\r\nb".to_owned()), "headers.contains");
        assert_eq!(with(&|target| target.rules.headers = vec![target.rules.headers[0].clone(); 11]), "headers");
        assert_eq!(with(&|target| target.rules.method = Method::Head), "body");
        assert_eq!(with(&|target| target.rules.body = Some(BodyRule { text: String::new(), absent: true })), "body.text");
    }
}
