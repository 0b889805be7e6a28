//! A mail server that takes everything and keeps nothing but a count: as fast as a mail server can be, so that what is measured is who sends.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longer lines are nobody's mail.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A running sink; it ends with this value.
pub struct Sink {
    pub address: SocketAddr,
    counts: Arc<Counts>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    mails: AtomicU64,
    bytes: AtomicU64,
    connections: AtomicU64,
}

impl Sink {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, counts) = (listener.local_addr()?, Arc::<Counts>::default());
        let (mut task, counting) = (JoinSet::new(), Arc::clone(&counts));
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counting.connections.fetch_add(1, Ordering::Relaxed);
                let counting = Arc::clone(&counting);
                open.spawn(async move {
                    // A sender that hangs up is nothing to report.
                    let _ = talk(stream, &counting).await;
                });
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, counts, _task: task })
    }

    /// Mails taken so far.
    pub fn mails(&self) -> u64 {
        self.counts.mails.load(Ordering::Relaxed)
    }

    /// Bytes of mail taken so far.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }
}

async fn talk(stream: TcpStream, counts: &Counts) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 || line.len() > MAX_LINE_BYTES {
            return Ok(());
        }
        let answer: &[u8] = match line.get(..4).map(<[u8]>::to_ascii_uppercase).as_deref() {
            Some(b"EHLO" | b"HELO") => b"250-sink\r\n250 8BITMIME\r\n",
            Some(b"DATA") => {
                stream.write_all(b"354 go on\r\n").await?;
                take(&mut stream, counts).await?;
                b"250 taken\r\n"
            }
            Some(b"QUIT") => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// Reads a mail to the line with a dot alone.
async fn take(stream: &mut BufReader<TcpStream>, counts: &Counts) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = stream.read_until(b'\n', &mut line).await?;
        anyhow::ensure!((1..=MAX_LINE_BYTES).contains(&read), "the mail breaks off");
        if line == b".\r\n" {
            counts.mails.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        counts.bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
}
