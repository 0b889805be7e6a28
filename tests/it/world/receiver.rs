//! A receiver of webhooks on this machine: it takes every message, and keeps what came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// By name, in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// Listens until it is dropped.
pub struct Receiver {
    /// `127.0.0.1` and its port, as the operator's list of exceptions names it.
    pub place: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("an address").to_string();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (mut tasks, kept) = (JoinSet::new(), Arc::clone(&received));
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(message) = take(stream).await {
                    kept.lock().expect("the messages").push(message);
                }
            }
        });
        Self { place, received, _tasks: tasks }
    }

    /// Where messages are posted to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.place)
    }

    /// All messages so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("the messages").clone()
    }
}

async fn take(stream: TcpStream) -> Option<Received> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.ok()?;
    Some(Received { headers, body: String::from_utf8(body).ok()? })
}
