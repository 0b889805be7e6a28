//! The wire between clients and a server that comes and goes: it can keep answers back, so that changes are made which nobody hears of.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes forwarded at once.
const BUFFER: usize = 16 * 1024;

/// What the wire does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything to the server at this address.
    Carries(SocketAddr),
    /// Carries calls there, and keeps the answers back. What was open cannot be healed: cut comes next.
    KeepsAnswers(SocketAddr),
    /// Nothing lives on it.
    Cut,
}

/// The clients' end, whose address stays.
pub struct Clients {
    pub addr: SocketAddr,
    wire: watch::Sender<Wire>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Clients {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("its address");
        let (wire, seen) = watch::channel(Wire::Cut);
        let connections: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let mut accepting = JoinSet::new();
        let held = Arc::clone(&connections);
        accepting.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                held.lock().expect("no panic").spawn(carry(client, seen.clone()));
            }
        });
        Self { addr, wire, connections, _accepting: accepting }
    }

    pub fn now(&self, wire: Wire) {
        self.wire.send_replace(wire);
        let mut connections = self.connections.lock().expect("no panic");
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(client: TcpStream, mut wire: watch::Receiver<Wire>) {
    let (Wire::Carries(server) | Wire::KeepsAnswers(server)) = *wire.borrow() else { return };
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).expect("a TCP option");
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let seen = wire.clone();
    tokio::select! {
        () = forward(from_client, to_server, || true) => {}
        () = forward(from_server, to_client, || matches!(*seen.borrow(), Wire::Carries(_))) => {}
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passes: impl Fn() -> bool) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if passes() && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
