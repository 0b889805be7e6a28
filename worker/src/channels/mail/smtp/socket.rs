//! The socket under a conversation. Nothing written to it waits for company (`TCP_NODELAY`): lettre's own sockets do wait, and as a mail and the
//! point that ends it are written apart, each mail would take the 40 ms or more after which its receiver acknowledges the first (Nagle's algorithm, RFC
//! 896, against delayed acknowledgements, RFC 1122, section 4.2.3.2).

use super::Security;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection on which TLS is spoken where it is spoken from the first byte.
pub(super) async fn open(host: &str, port: u16, security: &Security) -> io::Result<Box<dyn AsyncTokioStream>> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    Ok(match security {
        Security::Tls(connector, name) => Box::new(Wrapped(connector.connect(name.clone(), tcp).await?)),
        Security::None | Security::StartTls(_) => Box::new(tcp),
    })
}

/// TLS from the first byte, as lettre takes it.
#[derive(Debug)]
struct Wrapped(TlsStream<TcpStream>);

impl AsyncTokioStream for Wrapped {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
