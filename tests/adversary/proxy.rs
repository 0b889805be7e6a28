//! The lying server: a gRPC server on loopback that passes every call on to a real one, or to another one, and rewrites what it likes.
//!
//! It knows its callers by their logins, so that a lie can be told to all of them or to one. It keeps what clients sent, byte for byte.
//! Everything below the messages (HTTP/2, framing, statuses) is the real thing.

use crate::rpcs::{LogIn, Rpc, writes};
use bytes::{Buf as _, BufMut as _, Bytes};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::{AccountId, IdentityId, InviteId};
use keyvawlt_proto::{CLIENT_HEADER, MAX_MESSAGE, v1};
use prost::Message as _;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::{self, uri::PathAndQuery};
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tower::{Layer, Service};

/// A caller, whatever device he uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Account(AccountId),
    Machine(IdentityId),
    Invite(InviteId),
}

/// To whom a lie is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Everybody,
    Only(Who),
}

impl Audience {
    fn hears(self, who: Option<Who>) -> bool {
        match self {
            Audience::Everybody => true,
            Audience::Only(one) => who == Some(one),
        }
    }
}

/// A call as a client sent it.
#[derive(Clone, Debug)]
pub struct Call {
    pub path: String,
    pub message: Bytes,
    /// Headers, as text.
    pub headers: String,
}

/// The lying server. Honest until it is told a lie.
#[derive(Debug)]
pub struct LyingServer {
    addr: SocketAddr,
    mind: Arc<Mind>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Mind {
    honest: Mutex<Option<Channel>>,
    twins: Mutex<Vec<(Audience, Channel)>>,
    lies: Mutex<Vec<Lie>>,
    calls: Mutex<Vec<Call>>,
    tokens: Mutex<Vec<(Who, String)>>,
    /// Tokens of its own making, each with the one it stands for.
    made: Mutex<Vec<(String, String)>>,
    hold: Mutex<Option<Hold>>,
}

/// A call that will never be answered.
struct Hold {
    /// Calls that may change something, before it.
    writes: usize,
    /// The real server gets it all the same.
    passed: bool,
    reached: oneshot::Sender<()>,
}

impl std::fmt::Debug for Mind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mind(…)")
    }
}

/// From the request, and the real answer where there is one.
type Rewrite = Arc<dyn Fn(&[u8], &[u8]) -> Vec<u8> + Send + Sync>;

#[derive(Clone)]
struct Lie {
    audience: Audience,
    path: &'static str,
    what: What,
}

#[derive(Clone)]
enum What {
    /// The real server gets another request.
    Request(Rewrite),
    /// The client gets another answer.
    Answer(Rewrite),
    /// The client hears that all is well, the real server nothing.
    Swallow,
}

impl LyingServer {
    /// Listens on loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let mind = Arc::new(Mind::default());
        let ears = Ears(Arc::clone(&mind));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let serving = tonic::transport::Server::builder().layer(ears).add_routes(Routes::default()).serve_with_incoming(incoming);
            serving.await.expect("the proxy serves");
        });
        Self { addr, mind, _tasks: tasks }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Passes calls on to this server.
    pub fn pass_to(&self, server: SocketAddr) {
        *held(&self.mind.honest) = Some(channel(server));
    }

    /// Passes calls of some clients to another server.
    pub fn divert(&self, audience: Audience, twin: SocketAddr) {
        held(&self.mind.twins).push((audience, channel(twin)));
    }

    /// Rewrites what the real server answers. The closure sees the request as the client sent it.
    pub fn answers<R: Rpc>(&self, audience: Audience, lie: impl Fn(&R::Request, &mut R::Response) + Send + Sync + 'static) {
        let rewrite = move |request: &[u8], answer: &[u8]| {
            let request = R::Request::decode(request).expect("a request of this rpc");
            let mut answer = R::Response::decode(answer).expect("an answer of this rpc");
            lie(&request, &mut answer);
            answer.encode_to_vec()
        };
        held(&self.mind.lies).push(Lie { audience, path: R::PATH, what: What::Answer(Arc::new(rewrite)) });
    }

    /// Garbles the bytes of what the real server answers.
    pub fn garbles<R: Rpc>(&self, audience: Audience, lie: impl Fn(&mut [u8]) + Send + Sync + 'static) {
        let rewrite = move |_: &[u8], answer: &[u8]| {
            let mut answer = answer.to_vec();
            lie(&mut answer);
            answer
        };
        held(&self.mind.lies).push(Lie { audience, path: R::PATH, what: What::Answer(Arc::new(rewrite)) });
    }

    /// Rewrites what a client asks before the real server sees it.
    pub fn requests<R: Rpc>(&self, audience: Audience, lie: impl Fn(&mut R::Request) + Send + Sync + 'static) {
        let rewrite = move |request: &[u8], _: &[u8]| {
            let mut request = R::Request::decode(request).expect("a request of this rpc");
            lie(&mut request);
            request.encode_to_vec()
        };
        held(&self.mind.lies).push(Lie { audience, path: R::PATH, what: What::Request(Arc::new(rewrite)) });
    }

    /// Gives a caller another token at every login, and takes it for the one it replaces.
    pub fn replaces_tokens(&self, audience: Audience, other: impl Fn(&str) -> String + Send + Sync + 'static) {
        let mind = Arc::downgrade(&self.mind);
        self.answers::<LogIn>(audience, move |_, answer| {
            let made = other(&answer.access_token);
            if let Some(mind) = mind.upgrade() {
                held(&mind.made).push((made.clone(), std::mem::replace(&mut answer.access_token, made)));
            }
        });
    }

    /// Answers that all is well, and drops the request.
    pub fn swallow<R: Rpc>(&self, audience: Audience) {
        held(&self.mind.lies).push(Lie { audience, path: R::PATH, what: What::Swallow });
    }

    /// Never answers the call that comes after so many that may change something. It is passed on, or not; whoever waits hears when it came to that.
    pub fn holds_after(&self, writes: usize, passed: bool) -> oneshot::Receiver<()> {
        let (reached, heard) = oneshot::channel();
        *held(&self.mind.hold) = Some(Hold { writes, passed, reached });
        heard
    }

    /// Tells the truth again.
    pub fn repent(&self) {
        held(&self.mind.lies).clear();
        held(&self.mind.twins).clear();
        held(&self.mind.hold).take();
    }

    /// Knows what clients sent to the server whose data this is.
    pub fn remember(&self, calls: &[Call]) {
        held(&self.mind.calls).extend_from_slice(calls);
    }

    /// The newest access token somebody has shown.
    pub fn token_of(&self, who: Who) -> Option<String> {
        held(&self.mind.tokens).iter().rev().find(|(of, _)| *of == who).map(|(_, token)| token.clone())
    }

    /// What clients sent so far.
    pub fn calls(&self) -> Vec<Call> {
        held(&self.mind.calls).clone()
    }

    /// How many calls that may change something were received.
    pub fn writes(&self) -> usize {
        held(&self.mind.calls).iter().filter(|call| writes(&call.path)).count()
    }
}

impl Mind {
    async fn relay(&self, path: PathAndQuery, mut request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let real = token(&request).and_then(|token| held(&self.made).iter().find(|(made, _)| made == token).map(|(_, real)| real.clone()));
        if let Some(real) = real {
            request.metadata_mut().insert("authorization", format!("Bearer {real}").parse().expect("ASCII"));
        }
        let who = caller(&path, &request);
        held(&self.tokens).extend(who.zip(token(&request).map(str::to_owned)));
        let (headers, extensions, asked) = request.into_parts();
        held(&self.calls).push(Call { path: path.path().to_owned(), message: asked.clone(), headers: format!("{headers:?}") });
        let lies: Vec<Lie> = held(&self.lies).iter().filter(|lie| lie.path == path.path() && lie.audience.hears(who)).cloned().collect();
        if lies.iter().any(|lie| matches!(lie.what, What::Swallow)) {
            return Ok(Response::new(Bytes::new()));
        }
        let hold = self.hold_of(path.path());
        let (before, after) = if hold.as_ref().is_some_and(|hold| hold.passed) { (None, hold) } else { (hold, None) };
        never_answer(before).await;
        let mut passed = asked.clone();
        for lie in &lies {
            if let What::Request(rewrite) = &lie.what {
                passed = rewrite(&passed, &[]).into();
            }
        }
        let server = tonic::client::Grpc::new(self.server_for(who)?);
        let mut server = server.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        server.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut answer = server.unary(Request::from_parts(headers, extensions, passed), path, Raw).await?;
        never_answer(after).await;
        for lie in &lies {
            if let What::Answer(rewrite) = &lie.what {
                *answer.get_mut() = rewrite(&asked, answer.get_ref()).into();
            }
        }
        Ok(answer)
    }

    /// Whether this is the call that is never answered.
    fn hold_of(&self, path: &str) -> Option<Hold> {
        let mut hold = held(&self.hold);
        let awaited = hold.as_mut().filter(|_| writes(path))?;
        match awaited.writes.checked_sub(1) {
            Some(left) => {
                awaited.writes = left;
                None
            }
            None => hold.take(),
        }
    }

    fn server_for(&self, who: Option<Who>) -> Result<Channel, Status> {
        let twin = held(&self.twins).iter().find(|(audience, _)| audience.hears(who)).map(|(_, channel)| channel.clone());
        twin.or_else(|| held(&self.honest).clone()).ok_or_else(|| Status::unavailable("there is no server behind this one yet"))
    }
}

/// Says that it came to that, and waits for ever.
async fn never_answer(hold: impl IntoIterator<Item = Hold>) {
    for Hold { reached, .. } in hold {
        // Whoever waited may be gone.
        let _ = reached.send(());
        std::future::pending::<()>().await;
    }
}

/// Who calls, by his token, or by what he logs in with.
fn caller(path: &PathAndQuery, request: &Request<Bytes>) -> Option<Who> {
    let subject = if path.path() == LogIn::PATH {
        assertion::claimed_subject(&v1::LogInRequest::decode(request.get_ref().clone()).ok()?.assertion).ok()?
    } else {
        let claims: serde_json::Value = keyvawlt_ledger::jwt::unverified_claims(token(request)?).ok()?;
        claims.get("sub")?.as_str()?.parse().ok()?
    };
    Some(match subject {
        Subject::Slot(account, _) => Who::Account(account),
        Subject::Identity(identity, _) => Who::Machine(identity),
        Subject::Invite(_, invite) => Who::Invite(invite),
    })
}

fn token(request: &Request<Bytes>) -> Option<&str> {
    request.metadata().get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Makes a call without the client library.
pub async fn call<R: Rpc>(server: SocketAddr, token: Option<&str>, message: &R::Request) -> Result<R::Response, Status> {
    let mut request = Request::new(Bytes::from(message.encode_to_vec()));
    request.metadata_mut().insert(CLIENT_HEADER, "adversary/1; protocol=1".parse().expect("ASCII"));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
    }
    let mut client = tonic::client::Grpc::new(channel(server));
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let answer = client.unary(request, PathAndQuery::from_static(R::PATH), Raw).await?;
    Ok(R::Response::decode(answer.into_inner()).expect("an answer of this rpc"))
}

fn channel(server: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{server}")).expect("an address").tcp_nodelay(true).connect_lazy()
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears every call, whatever its path.
#[derive(Clone)]
struct Ears(Arc<Mind>);

impl<S> Layer<S> for Ears {
    type Service = Self;

    fn layer(&self, _: S) -> Self {
        self.clone()
    }
}

impl Service<http::Request<Body>> for Ears {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mind = Arc::clone(&self.0);
        Box::pin(async move {
            let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            let relay = tower::service_fn(move |request: Request<Bytes>| {
                let (mind, path) = (Arc::clone(&mind), path.clone());
                async move { mind.relay(path, request).await }
            });
            let mut server = tonic::server::Grpc::new(Raw).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
            Ok(server.unary(relay, request).await)
        })
    }
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        frame.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, frame: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(frame.copy_to_bytes(frame.remaining())))
    }
}
