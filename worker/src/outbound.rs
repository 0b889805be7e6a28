//! The worker's one way out over HTTP: everything that goes to an address which a customer chose goes through here.
//!
//! A URL is judged, its name resolved once, every address judged, and the connection made to a judged address; each redirect begins anew.
//! One deadline spans all of it, and nothing read grows beyond its limit. No proxy, no cookies, no kept connections, no unpacking.

mod address;
mod allow;
mod certificate;
mod dial;
mod exchange;
mod reason;
mod settings;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod tls;

use crate::outbound::exchange::{Step, exchange};
use crate::outbound::tls::Tls;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::Host;

pub use address::Kind;
pub use allow::{Allow, AllowError};
pub use dial::{Dial, Resolve, SystemNames, Tcp};
pub(crate) use reason::BY_RULE;
pub use reason::{CertificateFault, Phase, Reason, Refusal};
pub use settings::{OutboundError, OutboundSettings};
pub use target::{MAX_URL_LENGTH, Scheme, Target};

/// Bytes kept of an answer's body: enough for any status page or receipt, and for a rule that looks for words in it.
pub const MAX_BODY: usize = 64 * 1024;
/// Hops after the first: to https, to www, to a language.
pub const MAX_REDIRECTS: usize = 3;
/// How long an exchange may take, if its request says nothing else.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried in turn: two families, and a spare of each.
const MAX_ADDRESSES: usize = 4;

/// The way out.
#[derive(Clone, Debug)]
pub struct Outbound {
    dial: Arc<dyn Dial>,
    resolve: Arc<dyn Resolve>,
    allow: Arc<Allow>,
    goes_public: bool,
    tls: Tls,
}

/// What to ask.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    time_limit: Duration,
    follows_redirects: bool,
}

/// What was answered, whatever the status.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's first [`MAX_BODY`] bytes.
    pub body: Bytes,
    /// Whether there was more.
    pub is_cut: bool,
    /// How it went.
    pub trace: Trace,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failed {
    /// The reason.
    pub reason: Reason,
    /// How it went until then.
    pub trace: Trace,
}

/// How an exchange went. Phases are the last hop's; the total is everybody's.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Asking for addresses; `None` where the URL has one.
    pub resolve: Option<Duration>,
    /// Until a connection stood.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the answer's head.
    pub first_byte: Option<Duration>,
    /// Everything.
    pub total: Duration,
    /// Redirects that were followed.
    pub redirects: usize,
    /// When the certificate shown ends, trusted or not: milliseconds since 1970.
    pub certificate_not_after_ms: Option<u64>,
}

impl Request {
    /// Reads a page.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// Delivers a body.
    pub fn post(url: impl Into<String>, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let request = Self { body: body.into(), ..Self::new(Method::POST, url) };
        request.with_header(http::header::CONTENT_TYPE, content_type)
    }

    /// Any method, without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, url: url.into(), headers, body, time_limit: DEFAULT_TIME_LIMIT, follows_redirects: false }
    }

    /// With a header. What every request carries (Host, User-Agent, Accept, Connection) cannot be replaced.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With another limit of time, over everything.
    #[must_use]
    pub fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Follows redirects, which only requests do that change nothing and carry no headers of their own: those were meant for one place.
    #[must_use]
    pub fn following_redirects(mut self) -> Self {
        self.follows_redirects = exchange::is_safe(&self.method) && self.headers.is_empty();
        self
    }
}

impl Outbound {
    /// The real one: TCP, and the system's names. `goes_public`: whether targets that the list does not name are gone to at all.
    pub fn new(allow: Allow, goes_public: bool, roots: RootCertStore) -> Self {
        Self::with(Arc::new(Tcp), Arc::new(SystemNames::default()), allow, goes_public, roots)
    }

    /// With another way to dial and to resolve, for tests that must not leave the machine.
    pub fn with(dial: Arc<dyn Dial>, resolve: Arc<dyn Resolve>, allow: Allow, goes_public: bool, roots: RootCertStore) -> Self {
        Self { dial, resolve, allow: Arc::new(allow), goes_public, tls: Tls::new(roots) }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: &Request) -> Result<Answer, Failed> {
        let began = Instant::now();
        let mut trace = Trace::default();
        let outcome = self.hops(request, began + request.time_limit, &mut trace).await;
        trace.total = began.elapsed();
        match outcome {
            Ok(exchange::Received { status, version, headers, body, is_cut }) => {
                Ok(Answer { status, version, headers, body, is_cut, trace })
            }
            Err(reason) => Err(Failed { reason, trace }),
        }
    }

    async fn hops(&self, request: &Request, deadline: Instant, trace: &mut Trace) -> Result<exchange::Received, Reason> {
        let mut target = Target::parse(&request.url)?;
        loop {
            match self.hop(&target, request, deadline, trace).await? {
                Step::Answer(received) => return Ok(received),
                Step::Redirect(_) if trace.redirects == MAX_REDIRECTS => return Err(Refusal::TooManyRedirects.into()),
                Step::Redirect(location) => target = target.join(&location.ok_or(Refusal::Location)?)?,
            }
            *trace = Trace { redirects: trace.redirects + 1, ..Trace::default() };
        }
    }

    async fn hop(&self, target: &Target, request: &Request, deadline: Instant, trace: &mut Trace) -> Result<Step, Reason> {
        let began = Instant::now();
        let found = timeout_at(deadline, self.addresses(target)).await;
        trace.resolve = matches!(target.host(), Host::Domain(_)).then(|| began.elapsed());
        let addresses = found.map_err(|_| Reason::TimedOut(Phase::Resolve))??;

        let began = Instant::now();
        let stream = self.connect(&addresses, deadline).await?;
        trace.connect = Some(began.elapsed());
        match target.scheme() {
            Scheme::Http => exchange(stream, target, request, deadline, &mut trace.first_byte).await,
            Scheme::Https => {
                let began = Instant::now();
                let name = server_name(target)?;
                let shaken = timeout_at(deadline, self.tls.shake(name, stream)).await.map_err(|_| Reason::TimedOut(Phase::Tls))?;
                trace.tls = Some(began.elapsed());
                trace.certificate_not_after_ms = shaken.not_after_ms;
                exchange(shaken.outcome?, target, request, deadline, &mut trace.first_byte).await
            }
        }
    }

    /// The target's addresses, all of them judged. Asked for once in each hop.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Reason> {
        let (found, is_listed) = match target.host() {
            Host::Ipv4(address) => (vec![IpAddr::V4(*address)], false),
            Host::Ipv6(address) => (vec![IpAddr::V6(*address)], false),
            Host::Domain(name) => self.look_up(name, target.port()).await?,
        };
        self.judge(&found, target.port(), is_listed)?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, target.port().get())).collect())
    }

    /// A public name is asked for as a whole name, so that no search domain makes another of it; a listed one as the operator wrote it.
    async fn look_up(&self, name: &str, port: target::Port) -> Result<(Vec<IpAddr>, bool), Reason> {
        let is_listed = self.allow.has_name(name, port);
        if !is_listed && target::is_local_name(name) {
            return Err(Refusal::LocalName.into());
        }
        if !is_listed && !self.goes_public {
            return Err(Refusal::NotListed.into());
        }
        let asked = if is_listed { name.to_owned() } else { format!("{name}.") };
        match self.resolve.resolve(&asked).await {
            Ok(found) if !found.is_empty() => Ok((found, is_listed)),
            Ok(_) => Err(Reason::NoAddress),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Reason::NoAddress),
            Err(_) => Err(Reason::Lookup),
        }
    }

    /// One that may not be gone to refuses all: otherwise its name server would choose, by order or by silence, which one is dialled.
    fn judge(&self, found: &[IpAddr], port: target::Port, is_listed: bool) -> Result<(), Refusal> {
        let refusals: Vec<_> = found.iter().map(|address| self.refusal(*address, port, is_listed)).collect();
        let Some(first) = refusals.iter().flatten().next() else { return Ok(()) };
        let has_public = found.iter().any(|address| address::kind(*address).is_none());
        Err(match first {
            Refusal::Address(kind) if has_public => Refusal::Mixed(*kind),
            other => *other,
        })
    }

    fn refusal(&self, address: IpAddr, port: target::Port, is_listed: bool) -> Option<Refusal> {
        let is_listed = is_listed || self.allow.has_address(address, port);
        match address::kind(address) {
            Some(kind) if is_listed && kind.may_be_opened() => None,
            Some(kind) => Some(Refusal::Address(kind)),
            None if is_listed || self.goes_public => None,
            None => Some(Refusal::NotListed),
        }
    }

    async fn connect(&self, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Reason> {
        let mut reason = Reason::NoAddress;
        let tried = &addresses[..addresses.len().min(MAX_ADDRESSES)];
        for (address, behind) in tried.iter().zip((0..tried.len()).rev()) {
            // A dead one does not use up the time of those behind it: half of what is left is theirs.
            let now = Instant::now();
            let limit = if behind == 0 { deadline } else { now + deadline.saturating_duration_since(now) / 2 };
            reason = match timeout_at(limit, self.dial.dial(*address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => not_connected(&error),
                Err(_) => Reason::TimedOut(Phase::Connect),
            };
        }
        Err(reason)
    }
}

fn not_connected(error: &std::io::Error) -> Reason {
    use std::io::ErrorKind as E;
    match error.kind() {
        E::ConnectionRefused => Reason::ConnectionRefused,
        E::ConnectionReset | E::ConnectionAborted => Reason::Closed(Phase::Connect),
        E::TimedOut => Reason::TimedOut(Phase::Connect),
        _ => Reason::Unreachable,
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Reason> {
    match target.host() {
        Host::Ipv4(address) => Ok(IpAddr::V4(*address).into()),
        Host::Ipv6(address) => Ok(IpAddr::V6(*address).into()),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Refusal::NotAUrl.into()),
    }
}

/// The path of a webhook may be its secret, and so may a header.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {:?})", self.method, Target::parse(&self.url))
    }
}
