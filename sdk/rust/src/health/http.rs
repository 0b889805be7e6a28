//! One request and its answer: HTTP/1.1 over TLS, one connection, bounded in time and size. No redirects, no cookies, no proxy, no second try.

use super::prober::Dial;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT_ENCODING, CONNECTION, HOST};
use hyper_util::rt::TokioIo;
use keyvawlt_catalogue::{Answer, Origin, ProbeRequest};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// From the first packet to the last byte: a provider that needs longer counts as not answering.
const LIMIT: Duration = Duration::from_secs(10);
/// Of an answer's body, this much is read: codes and dates stand in its first lines.
const MAX_BODY: usize = 64 * 1024;
/// Of an answer's head.
const MAX_HEAD: usize = 64 * 1024;

/// Why there is no answer. Says nothing of the key.
pub(super) type NoAnswer = &'static str;

/// TLS as the system trusts it.
pub(super) fn tls() -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    // What cannot be read is not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// Makes the call, whatever comes of it.
pub(super) async fn ask(dial: &Dial, tls: &TlsConnector, request: ProbeRequest) -> Result<Answer, NoAnswer> {
    let call = async {
        let stream = connect(dial, &request.origin).await?;
        if !request.origin.secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(request.origin.host.clone()).map_err(|_| "the name cannot stand in a certificate")?;
        let stream = tls.connect(name, stream).await.map_err(|_| "TLS failed")?;
        exchange(stream, request).await
    };
    tokio::time::timeout(LIMIT, call).await.unwrap_or(Err("no answer in time"))
}

async fn connect(dial: &Dial, origin: &Origin) -> Result<TcpStream, NoAnswer> {
    if let Dial::LoopbackOnly(refused) = dial
        && !origin.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    {
        refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(origin.authority());
        return Err("only this machine may be dialled");
    }
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await.map_err(|_| "no connection")?;
    Ok(stream)
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: ProbeRequest) -> Result<Answer, NoAnswer> {
    let shaken = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|_| "no HTTP")?;
    let mut message = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path)
        .header(HOST, request.origin.authority())
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in &request.headers {
        let mut value = hyper::header::HeaderValue::from_str(value).map_err(|_| "the key cannot stand in a header")?;
        value.set_sensitive(true);
        message = message.header(name, value);
    }
    let message = message.body(Full::new(Bytes::from(request.body))).map_err(|_| "no request")?;
    let conversation = async {
        let answer = sender.send_request(message).await.map_err(|_| "no answer")?;
        let (head, body) = answer.into_parts();
        let text = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
        };
        let headers = head.headers.iter().filter_map(text).collect();
        // A longer body is none: nothing that counts stands in it.
        let body = Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Ok(Answer { status: head.status.as_u16(), headers, body })
    };
    // The connection works only while somebody looks at it.
    let mut conversation = std::pin::pin!(conversation);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        outcome = &mut conversation => return outcome,
        _ = &mut connection => {}
    }
    conversation.await
}
