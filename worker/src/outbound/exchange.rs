//! One request and its answer on a connection: HTTP/1.1, bounded in every direction. A connection carries one exchange and is closed.

use super::reason::{Phase, Reason};
use super::target::Target;
use super::{MAX_BODY, Request};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

/// Bytes of an answer's head. A cookie-laden page stays below a quarter of it.
const MAX_HEAD: usize = 64 * 1024;
/// Lines of an answer's head.
const MAX_HEADERS: usize = 100;
/// Who asks. A person who finds it in a log knows what to look for.
const NAME: &str = concat!("KeyVawlt/", env!("CARGO_PKG_VERSION"));

/// What came back.
#[derive(Debug)]
pub(super) enum Step {
    /// The answer, whole or up to the limit.
    Answer(Received),
    /// Go on there. `None`: a redirect whose place cannot be read.
    Redirect(Option<String>),
}

#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) is_cut: bool,
}

/// Sends the request and reads the answer, all before `deadline`. `first_byte` is told how long the head took.
pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    request: &Request,
    deadline: Instant,
    first_byte: &mut Option<Duration>,
) -> Result<Step, Reason> {
    let message = message(target, request)?;
    let began = Instant::now();
    let shaken = http1::Builder::new().max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| reason(&error, Phase::Head))?;
    let conversation = async {
        let head = timeout_at(deadline, sender.send_request(message)).await.map_err(|_| Reason::TimedOut(Phase::Head))?;
        let response = head.map_err(|error| reason(&error, Phase::Head))?;
        *first_byte = Some(began.elapsed());
        if request.follows_redirects && is_redirect(response.status()) && response.headers().contains_key(LOCATION) {
            let location = response.headers().get(LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned);
            return Ok(Step::Redirect(location));
        }
        let (head, body) = response.into_parts();
        let (body, is_cut) = timeout_at(deadline, read(body)).await.map_err(|_| Reason::TimedOut(Phase::Body))??;
        Ok(Step::Answer(Received { status: head.status, version: head.version, headers: head.headers, body, is_cut }))
    };
    // The connection works only while somebody looks at it: here, beside the conversation, so that both end together.
    let mut conversation = std::pin::pin!(conversation);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        outcome = &mut conversation => return outcome,
        // How it ended, the conversation hears; what was read before is still to be had.
        _ = &mut connection => {}
    }
    conversation.await
}

fn message(target: &Target, request: &Request) -> Result<http::Request<Full<Bytes>>, Reason> {
    let mut message = http::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = Uri::try_from(target.path_and_query()).map_err(|_| Reason::Request)?;
    let headers = message.headers_mut();
    headers.extend(request.headers.clone());
    headers.insert(HOST, HeaderValue::try_from(target.authority()).map_err(|_| Reason::Request)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(NAME));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    // Nothing is ever unpacked, so nothing small becomes large.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(message)
}

/// The body up to the limit, and whether there was more.
async fn read(mut body: Incoming) -> Result<(Bytes, bool), Reason> {
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| reason(&error, Phase::Body))?.into_data() else {
            continue; // trailers
        };
        let room = MAX_BODY - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((kept.freeze(), true));
        }
    }
    Ok((kept.freeze(), false))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn reason(error: &hyper::Error, phase: Phase) -> Reason {
    if error.is_parse_too_large() {
        Reason::HeadTooLarge
    } else if error.is_parse() {
        Reason::NotHttp
    } else {
        Reason::Closed(phase)
    }
}

/// Methods that change nothing, which a redirect may repeat elsewhere.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
