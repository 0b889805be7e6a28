//! The two things that touch the network: asking for a name's addresses, and opening a connection. Tests bring their own, which record.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Lookups of the system that run at once, each in a thread that cannot be called back: half of the runtime's threads for blocking work, and
/// no fewer than probes in flight, so that name servers which never answer take nobody's turn.
const LOOKUPS: usize = 256;

/// Opens connections to addresses that were judged. It is given an address, so it has nothing to look up.
pub trait Dial: Debug + Send + Sync {
    /// Connects.
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// Asks for a name's addresses.
pub trait Resolve: Debug + Send + Sync {
    /// All addresses, in the order to try them. `NotFound`: there are none.
    fn resolve(&self, name: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>>;
}

/// TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        async move {
            let stream = TcpStream::connect(to).await?;
            // One small request: waiting for more to send with it only costs time.
            stream.set_nodelay(true)?;
            Ok(stream)
        }
        .boxed()
    }
}

/// The system's `getaddrinfo`: hosts file, name servers and whatever else the machine is set up to ask.
#[derive(Clone, Debug)]
pub struct SystemNames(Arc<Semaphore>);

impl Default for SystemNames {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolve for SystemNames {
    fn resolve(&self, name: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        async move {
            let permit = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
            let looked_up = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect());
                // Given back by the thread, not by whoever lost patience with it.
                drop(permit);
                found
            });
            looked_up.await.map_err(io::Error::other)?
        }
        .boxed()
    }
}
