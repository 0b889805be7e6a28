//! A wire tap: forwards between clients and the server on loopback, and keeps every byte of both directions.
//!
//! HTTP/2 may hide text in compressed headers and cut messages into frames: what was heard is taken apart again, headers by a second HTTP/2
//! server that hears the same bytes, messages frame by frame.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame types and flags of RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x8;
/// No window of the listening server ever fills.
const WINDOW: u32 = 1 << 30;
/// What was heard is there: no head takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

type Bytes = Arc<Mutex<Vec<u8>>>;

/// One connection.
#[derive(Clone, Debug, Default)]
pub struct Line {
    to_server: Bytes,
    to_client: Bytes,
}

/// A tap on the way to a server.
pub struct Tap {
    pub origin: String,
    listener: Option<TcpListener>,
    lines: Arc<Mutex<Vec<Line>>>,
    tasks: JoinSet<()>,
}

/// A call as the server received it.
#[derive(Debug)]
pub struct Call {
    /// Method, path and headers, decoded.
    pub head: String,
    /// The messages, unframed.
    pub messages: Vec<Vec<u8>>,
}

impl Tap {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        Self { origin, listener: Some(listener), lines: Arc::default(), tasks: JoinSet::new() }
    }

    /// Begins to forward.
    pub fn forward_to(&mut self, server: SocketAddr) {
        let listener = self.listener.take().expect("a tap forwards to one server");
        let lines = Arc::clone(&self.lines);
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let line = Line::default();
                lines.lock().expect("the lines").push(line.clone());
                connections.spawn(forward(client, server, line));
            }
        });
    }

    /// Everything heard so far: to the server, and back.
    pub fn heard(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let copy = |bytes: &Bytes| bytes.lock().expect("the bytes").clone();
        self.lines.lock().expect("the lines").iter().map(|line| (copy(&line.to_server), copy(&line.to_client))).collect()
    }
}

async fn forward(client: TcpStream, server: SocketAddr, line: Line) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(pass(from_client, to_server, line.to_server), pass(from_server, to_client, line.to_client));
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, heard: Bytes) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        heard.lock().expect("the bytes").extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    // Whoever hangs up hangs up at both ends.
    let _ = to.shutdown().await;
}

/// Takes one connection apart into its calls, in order.
pub async fn calls(to_server: &[u8]) -> Vec<Call> {
    let streams = streams(to_server);
    let heads = heads(to_server, streams.len()).await;
    let calls = heads.into_iter().zip(streams.into_values());
    calls.map(|(head, body)| Call { messages: messages(&body, &head), head }).collect()
}

/// What came on each stream, frame by frame.
fn streams(bytes: &[u8]) -> BTreeMap<u32, Vec<u8>> {
    let mut rest = bytes.strip_prefix(PREFACE).expect("HTTP/2 with prior knowledge");
    let mut streams: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let Some((header, after)) = rest.split_first_chunk::<9>() {
        let [len @ .., kind, flags, s0, s1, s2, s3] = *header;
        let len = u32::from_be_bytes([0, len[0], len[1], len[2]]) as usize;
        assert!(len <= after.len(), "a frame is cut off");
        let (payload, next) = after.split_at(len);
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        match kind {
            DATA => {
                assert_eq!(flags & PADDED, 0, "clients of ours do not pad");
                streams.get_mut(&stream).expect("data comes after headers").extend_from_slice(payload);
            }
            HEADERS => drop(streams.entry(stream).or_default()),
            _ => {}
        }
        rest = next;
    }
    assert!(rest.is_empty(), "a frame is cut off");
    streams
}

/// The heads of all calls, as another server decodes them.
async fn heads(bytes: &[u8], calls: usize) -> Vec<String> {
    let (listener, speaker) = tokio::io::duplex(1 << 16);
    let (mut answers, mut questions) = tokio::io::split(speaker);
    let speak = async {
        // The listener leaves when it has heard every head.
        let _ = questions.write_all(bytes).await;
    };
    let ignore = async { while let Ok(1..) = answers.read(&mut [0; 1024]).await {} };
    let listen = async {
        let mut server = h2::server::Builder::new();
        server.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let mut connection = server.handshake::<_, bytes::Bytes>(listener).await.expect("HTTP/2");
        // Held until the end: a stream that is let go of is reset.
        let mut held = Vec::new();
        while held.len() < calls {
            let call = tokio::time::timeout(PATIENCE, connection.accept()).await.expect("each stream has a head");
            held.push(call.expect("each stream has a head").expect("the bytes make sense"));
        }
        held.iter().map(|(request, _)| written(request)).collect()
    };
    let (heads, (), ()) = tokio::join!(listen, speak, ignore);
    heads
}

/// By hand: `Debug` hides headers that are marked as sensitive.
fn written<B>(request: &http::Request<B>) -> String {
    let headers = request.headers().iter().map(|(name, value)| format!("{name}: {}", value.as_bytes().escape_ascii()));
    let first = format!("{} {}", request.method(), request.uri());
    std::iter::once(first).chain(headers).collect::<Vec<_>>().join("\n")
}

/// gRPC's frames: a flag, a length, a message. None is compressed: a search would not see into it.
fn messages(mut body: &[u8], head: &str) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(([compressed, len @ ..], after)) = body.split_first_chunk::<5>() {
        assert_eq!(*compressed, 0, "a compressed message: {head}");
        let (message, next) = after.split_at(u32::from_be_bytes(*len) as usize);
        messages.push(message.to_vec());
        body = next;
    }
    assert!(body.is_empty(), "a message is cut off: {head}");
    messages
}
