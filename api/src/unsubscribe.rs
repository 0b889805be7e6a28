//! `/unsubscribe/TOKEN`: the only path here that is no gRPC, for mail programs (RFC 8058) and for people who open a mail's link.
//!
//! A POST ends the mails that the token is for; its body is not read, for the token says everything. A GET, which programs send to look at
//! links, shows a button and changes nothing. Unknown tokens are answered like known ones. No cookie, no script, nothing from elsewhere. It lies
//! outside the door: tokens of this sort stand in no log.

use crate::Api;
use crate::door::peer;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use keyvawlt_domain::{Error, Result, notices};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tower::{Layer, Service};

const PATH: &str = "/unsubscribe/";
/// The page shows itself and posts to itself.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const ASK: &str = "<p>Do you want no more mails like this one? A person gets no more digests like it from its organization, and is still told at once \
    what is urgent. A team's address gets nothing more before it is confirmed again.</p>\n\
    <form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\"><button>No more of these</button></form>";
const ENDED: &str = "<p>You get no more of these mails. What is urgent is still told to people at once; a team's admins are told that its address \
    wants no more.</p>\n\
    <p>To get digests again, see <code>keyvawlt notify preferences</code>.</p>";
const TOO_OFTEN: &str = "<p>That was too often. Try again in a while.</p>";
const UNAVAILABLE: &str = "<p>That did not work. Try again in a while.</p>";
const NOT_HERE: &str = "<p>This page can be looked at, and its button can be pressed.</p>";

#[derive(Clone)]
pub(crate) struct UnsubscribeLayer(pub(crate) Api);

impl<S> Layer<S> for UnsubscribeLayer {
    type Service = Unsubscribe<S>;

    fn layer(&self, inner: S) -> Unsubscribe<S> {
        Unsubscribe { inner, api: self.0.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Unsubscribe<S> {
    inner: S,
    api: Api,
}

impl<S> Service<Request<Body>> for Unsubscribe<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(token) = request.uri().path().strip_prefix(PATH).map(ToOwned::to_owned) else {
            return Box::pin(self.inner.call(request));
        };
        let (api, method, peer) = (self.api.clone(), request.method().clone(), peer(&request));
        Box::pin(async move { Ok(answer(&api, &method, &token, peer).await) })
    }
}

async fn answer(api: &Api, method: &Method, token: &str, peer: Option<IpAddr>) -> Response<Body> {
    match *method {
        Method::GET | Method::HEAD => page(StatusCode::OK, ASK, None),
        Method::POST => match end(api, token, peer).await {
            Ok(()) => page(StatusCode::OK, ENDED, None),
            Err(Error::RateLimited { retry_after_ms }) => {
                let wait = HeaderValue::from(retry_after_ms.div_ceil(1000));
                page(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN, Some((RETRY_AFTER, wait)))
            }
            Err(error) => {
                tracing::error!(%error, "mails could not be ended");
                page(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, None)
            }
        },
        _ => page(StatusCode::METHOD_NOT_ALLOWED, NOT_HERE, Some((ALLOW, HeaderValue::from_static("GET, HEAD, POST")))),
    }
}

async fn end(api: &Api, token: &str, peer: Option<IpAddr>) -> Result<()> {
    let store = &api.parts.store;
    api.limits.unsubscribe(peer, store.clock().now_ms()).await?;
    let tx = store.write().await?;
    notices::unsubscribe(&tx, token).await?;
    tx.commit().await
}

fn page(status: StatusCode, body: &'static str, more: Option<(HeaderName, HeaderValue)>) -> Response<Body> {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>KeyVawlt mails</title></head>\n<body><h1>KeyVawlt mails</h1>\n{body}\n</body></html>\n"
    );
    let mut response = Response::new(Body::new(text));
    *response.status_mut() = status;
    let fixed = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(fixed.chain(more).map(|(name, value)| (Some(name), value)));
    response
}
