//! Where a URL leads: read once, judged before anything is asked of the network. What the name resolves to is judged after.

use super::reason::Refusal;
use std::fmt;
use url::{Host, Url};

/// Longer than any address a person pastes; browsers and proxies stop near it too.
pub const MAX_URL_LENGTH: usize = 2_048;

/// Ports on which other protocols listen, which an HTTP request could be made to speak to (mail, chat, files, printers, X11): the list that
/// browsers keep (Fetch standard, "port blocking"), and two stores that obey lines of text (Redis, memcached). Nothing opens them.
const BLOCKED_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115,
    117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
    636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 10080, 11211,
];

/// Names that mean something on the machine or in the network they are asked in, and nothing on the Internet (RFC 6761, 6762, 7686, 8375,
/// 9476, ICANN's `internal`, and what routers and companies use without asking).
const LOCAL_NAMES: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
    "onion",
    "alt",
    "invalid",
    "test",
    "example",
];

/// A port that may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// `None` for one of the blocked ports.
    pub fn new(port: u16) -> Option<Self> {
        (!BLOCKED_PORTS.contains(&port)).then_some(Self(port))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// http or https.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// In TLS.
    Https,
}

/// A URL that may be looked at further.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    scheme: Scheme,
    host: Host<String>,
    port: Port,
}

impl Target {
    /// Reads a URL. `url` brings every notation of an address to one (decimal, octal, hexadecimal, full-width, percent-encoded).
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_URL_LENGTH {
            return Err(Refusal::TooLong);
        }
        Self::of(Url::parse(text).map_err(|_| Refusal::NotAUrl)?)
    }

    /// Where a redirect leads to.
    pub fn join(&self, location: &str) -> Result<Self, Refusal> {
        if location.len() > MAX_URL_LENGTH {
            return Err(Refusal::TooLong);
        }
        let next = Self::of(self.url.join(location).map_err(|_| Refusal::NotAUrl)?)?;
        if self.scheme == Scheme::Https && next.scheme == Scheme::Http {
            return Err(Refusal::Downgrade);
        }
        Ok(next)
    }

    fn of(mut url: Url) -> Result<Self, Refusal> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(Refusal::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let host = url.host().ok_or(Refusal::NotAUrl)?.to_owned();
        let port = url.port_or_known_default().ok_or(Refusal::NotAUrl)?;
        let port = Port::new(port).ok_or(Refusal::Port(port))?;
        if matches!(&host, Host::Domain(name) if name.ends_with('.')) {
            return Err(Refusal::TrailingDot);
        }
        url.set_fragment(None);
        Ok(Self { url, scheme, host, port })
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> Port {
        self.port
    }

    /// What the header `Host` says.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// What the request line asks for.
    pub fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

/// A webhook's path may be its secret: only the origin is shown.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}://{})", self.url.scheme(), self.authority())
    }
}

/// Whether a name is one that only the asker's own network knows.
pub fn is_local_name(name: &str) -> bool {
    !name.contains('.')
        || LOCAL_NAMES.iter().any(|local| name.strip_suffix(local).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}
