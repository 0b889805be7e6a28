//! Targets on 127.0.0.1 that answer as tests wish: raw bytes, slowly, endlessly, or not at all.

use futures::future::BoxFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A connection that the test has in hand, in clear or in TLS.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What a site does with a connection after the request was read; it is given the request's first line and headers.
pub(crate) type Script = Arc<dyn Fn(String, Box<dyn Wire>) -> BoxFuture<'static, ()> + Send + Sync>;

pub(crate) struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Site {
    pub(crate) async fn start(script: Script) -> Self {
        Self::begin(script, None).await
    }

    pub(crate) async fn start_tls(script: Script, tls: tokio_rustls::TlsAcceptor) -> Self {
        Self::begin(script, Some(tls)).await
    }

    async fn begin(script: Script, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let mut task = JoinSet::new();
        let seen = Arc::clone(&requests);
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen, tls) = (Arc::clone(&script), Arc::clone(&seen), tls.clone());
                open.spawn(async move {
                    let mut wire: Box<dyn Wire> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    let head = read_head(&mut wire).await;
                    seen.lock().expect("no test panics here").push(head.clone());
                    script(head, wire).await;
                });
            }
        });
        Self { address, requests, _task: task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The entry that opens this site.
    pub(crate) fn listed(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of the requests that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test panics here").clone()
    }
}

async fn read_head(wire: &mut Box<dyn Wire>) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && wire.read(&mut byte).await.is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A regular answer.
pub(crate) fn answers(status: &str, body: &str) -> Script {
    raw(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// These bytes, and the end.
pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Script {
    let bytes: Arc<[u8]> = bytes.into().into();
    Arc::new(move |_, mut wire| {
        let bytes = Arc::clone(&bytes);
        Box::pin(async move {
            let _ = wire.write_all(&bytes).await;
            let _ = wire.shutdown().await;
        })
    })
}

/// These bytes, and then the same piece again and again, for as long as somebody reads.
pub(crate) fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> Script {
    let piece: Arc<[u8]> = piece.into();
    Arc::new(move |_, mut wire| {
        let piece = Arc::clone(&piece);
        Box::pin(async move {
            let mut outcome = wire.write_all(head.as_bytes()).await;
            while outcome.is_ok() {
                tokio::time::sleep(pause).await;
                outcome = wire.write_all(&piece).await;
            }
        })
    })
}

/// Nothing, for as long as somebody waits.
pub(crate) fn silence() -> Script {
    Arc::new(|_, mut wire| {
        Box::pin(async move {
            let _ = wire.read(&mut [0]).await;
        })
    })
}
