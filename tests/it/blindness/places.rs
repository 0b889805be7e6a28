//! Where a server could have kept or let slip something: its tables, files, logs, mails and plain HTTP answers, and what it was sent.

use super::tap::{Call, Tap, calls};
use crate::world::World;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Something to search.
#[derive(Debug)]
pub struct Evidence {
    /// What kind of place it is from: a column, "log", "mail".
    pub kind: String,
    /// Where exactly.
    pub place: String,
    pub bytes: Vec<u8>,
}

impl Evidence {
    pub fn new(kind: impl Into<String>, place: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind: kind.into(), place: place.into(), bytes: bytes.into() }
    }
}

/// Every line that any crate logs at any level, on the threads of one runtime.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// While a process has one subscriber only, tracing lets the thread that comes to a log line first decide whether anybody ever hears it, and in
/// another test's thread nobody listens. With a second one it asks all subscribers.
static SECOND: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish()));

impl Log {
    /// A runtime of which every thread logs here, and no other thread does: tests run side by side.
    pub fn runtime(&self) -> tokio::runtime::Runtime {
        let log = self.clone();
        let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || log.clone());
        LazyLock::force(&SECOND);
        let dispatch = tracing::Dispatch::new(everything.finish());
        let listen = move || std::mem::forget(tracing::dispatcher::set_default(&dispatch));
        listen();
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().on_thread_start(listen).build().expect("a runtime")
    }

    pub fn evidence(&self) -> Evidence {
        Evidence::new("log", "all lines", self.0.lock().expect("the log").clone())
    }
}

/// Every cell of the store.
pub async fn cells(world: &World) -> Vec<Evidence> {
    let cells = world.database.cells().await.into_iter();
    cells.map(|(column, bytes)| Evidence::new(column.clone(), column, bytes)).collect()
}

/// Every file below a folder; mails also without the line breaks that transport asks for.
pub fn files(kind: &str, folder: &Path) -> Vec<Evidence> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            found.extend(files(kind, &path));
            continue;
        }
        let (place, bytes) = (path.display().to_string(), std::fs::read(&path).expect("a readable file"));
        if path.extension().is_some_and(|extension| extension == "eml") {
            found.push(Evidence::new("mail", format!("{place}, unfolded"), unfolded(&bytes)));
            found.push(Evidence::new("mail", place, bytes));
        } else {
            found.push(Evidence::new(kind, place, bytes));
        }
    }
    found
}

/// Quoted-printable and base64 break lines where they like.
fn unfolded(mail: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(mail).replace("=\r\n", "").replace("\r\n", "");
    text.into_bytes()
}

/// What went over the wire, as it was and taken apart.
pub async fn wire(tap: &Tap) -> Vec<Evidence> {
    let mut found = Vec::new();
    for (nth, (to_server, to_client)) in tap.heard().into_iter().enumerate() {
        for (at, Call { head, messages }) in calls(&to_server).await.into_iter().enumerate() {
            let call = format!("call {at} of connection {nth}: {}", head.lines().next().unwrap_or_default());
            assert!(!head.contains("content-encoding") && !head.contains("grpc-encoding"), "a search sees through no compression: {head}");
            found.extend(messages.into_iter().map(|message| Evidence::new("message", &call, message)));
            found.push(Evidence::new("head", call, head));
        }
        found.push(Evidence::new("wire", format!("connection {nth}, to the server"), to_server));
        found.push(Evidence::new("answer", format!("connection {nth}, from the server"), to_client));
    }
    found
}

/// What the server says to whoever asks without logging in.
pub async fn open_doors(world: &World) -> Vec<Evidence> {
    let mut found = Vec::new();
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        let mut stream = TcpStream::connect(world.server.addr().expect("an address")).await.expect("a connection");
        let question = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await.expect("a question");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 "), "{path}: {}", answer.escape_ascii());
        found.push(Evidence::new("open door", path, answer));
    }
    found
}
