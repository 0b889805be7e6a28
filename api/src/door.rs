//! The layer every call passes: client version, access token, a name for the log; and this server's version on every answer.
//!
//! Health and reflection are exempt from the version: probes and tools know nothing of it. A call that needs a token and has none ends here,
//! before a byte of its message is read.

use crate::ApiParts;
use crate::call::Call;
use crate::status;
use http::{HeaderName, HeaderValue, Request, Response};
use keyvawlt_domain::policy::OPEN_RPCS;
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_proto::{CLIENT_HEADER, MIN_PROTOCOL, PROTOCOL, SERVER_HEADER};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};

/// Paths of our own services begin with this.
const OWN_SERVICES: &str = "/keyvawlt.v1.";

#[derive(Clone)]
pub(crate) struct DoorLayer {
    parts: Arc<ApiParts>,
    version: HeaderValue,
}

impl DoorLayer {
    pub(crate) fn new(parts: ApiParts) -> Self {
        let version = format!("{}; protocol={PROTOCOL}; min={MIN_PROTOCOL}", env!("CARGO_PKG_VERSION"));
        // A version number is ASCII; without one, clients would say that no KeyVawlt server answers.
        let version = HeaderValue::from_str(&version).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { parts: Arc::new(parts), version }
    }
}

impl<S> Layer<S> for DoorLayer {
    type Service = Door<S>;

    fn layer(&self, inner: S) -> Door<S> {
        Door { inner, parts: Arc::clone(&self.parts), version: self.version.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Door<S> {
    inner: S,
    parts: Arc<ApiParts>,
    version: HeaderValue,
}

impl<S> Service<Request<Body>> for Door<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let version = self.version.clone();
        let admitted = if request.uri().path().starts_with(OWN_SERVICES) { admit(&self.parts, &mut request) } else { Ok(()) };
        let line = Line::begin(&request);
        let answer = match admitted {
            Ok(()) => Ok(self.inner.call(request)),
            Err(refusal) => Err(refusal),
        };
        Box::pin(async move {
            let mut response = match answer {
                Ok(answer) => answer.await?,
                Err(refusal) => refusal.into_http(),
            };
            response.headers_mut().insert(HeaderName::from_static(SERVER_HEADER), version);
            if let Some(line) = line {
                line.end(&response);
            }
            Ok(response)
        })
    }
}

/// A call's line in the log, where somebody reads such lines.
struct Line {
    call: Option<Call>,
    path: String,
    began: Instant,
}

impl Line {
    fn begin(request: &Request<Body>) -> Option<Self> {
        let read = tracing::enabled!(tracing::Level::DEBUG);
        read.then(|| Self { call: request.extensions().get().cloned(), path: request.uri().path().to_owned(), began: Instant::now() })
    }

    fn end(self, response: &Response<Body>) {
        let status = response.headers().get("grpc-status").and_then(|status| status.to_str().ok()).unwrap_or("0");
        let request = self.call.as_ref().map_or("refused", |call| &*call.id);
        tracing::debug!(request, path = self.path, status, took = ?self.began.elapsed(), "a call was answered");
    }
}

/// Lets a call in, with what is known of the caller.
fn admit(parts: &ApiParts, request: &mut Request<Body>) -> Result<(), Box<tonic::Status>> {
    let id = hex::encode(parts.store.random().bytes::<8>());
    let client = request.headers().get(CLIENT_HEADER).and_then(|value| value.to_str().ok());
    if client.and_then(protocol).is_none_or(|speaks| speaks < MIN_PROTOCOL) {
        return Err(Box::new(status::of(&Error::Upgrade, &id)));
    }
    let open = request.uri().path().rsplit('/').next().is_some_and(|rpc| OPEN_RPCS.contains(&rpc));
    let subject = match subject(parts, request) {
        Ok(subject) => Some(subject),
        Err(_) if open => None,
        Err(error) => return Err(Box::new(status::of(&error, &id))),
    };
    let call = Call { id: id.into(), subject, peer: peer(request) };
    request.extensions_mut().insert(call);
    Ok(())
}

/// `<client name>/<version>; protocol=<n>`
fn protocol(header: &str) -> Option<u32> {
    header.split(';').find_map(|part| part.trim().strip_prefix("protocol=")?.parse().ok())
}

fn subject(parts: &ApiParts, request: &Request<Body>) -> Result<Subject> {
    let header = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| Error::unauthenticated("an access token is needed: log in"))?;
    Ok(parts.tokens.verify(token, &parts.origins, parts.store.clock().now_ms())?.subject)
}

/// Who is on the other end of the connection; behind a proxy, that is the proxy.
pub(crate) fn peer(request: &Request<Body>) -> Option<IpAddr> {
    request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr).map(|addr| addr.ip())
}
