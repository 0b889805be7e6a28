//! A name server of the tests' own on 127.0.0.1, which may answer differently each time it is asked, and a resolver that asks it.

use super::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

const A: u16 = 1;
const AAAA: u16 = 28;
const NO_SUCH_NAME: u8 = 3;
const HEADER: usize = 12;

/// What is answered to a name: the first list at the first time it is asked, and so on; the last for ever.
type Zone = HashMap<&'static str, Vec<Vec<IpAddr>>>;

pub(super) struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
pub(super) struct DnsClient {
    server: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(super) async fn start(zone: impl IntoIterator<Item = (&'static str, Vec<Vec<&'static str>>)>) -> Self {
        let read = |list: Vec<&str>| list.into_iter().map(|text| text.parse().expect("an address")).collect();
        let zone = zone.into_iter().map(|(name, turns)| (name, turns.into_iter().map(read).collect())).collect();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let mut task = JoinSet::new();
        task.spawn(serve(socket, zone));
        Self { address, asked: Arc::default(), _task: task }
    }

    pub(super) fn client(&self) -> DnsClient {
        DnsClient { server: self.address, asked: Arc::clone(&self.asked) }
    }

    /// What resolvers were asked for, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics while it asks").clone()
    }
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut turns: HashMap<String, usize> = HashMap::new();
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let query = &buffer[..length];
        let (name, end) = read_name(query, HEADER);
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        let turn = turns.entry(name.clone()).or_default();
        let answer = zone.get(name.as_str()).map(|lists| lists[(*turn).min(lists.len() - 1)].as_slice());
        // A client asks for both kinds each time, for AAAA last.
        *turn += usize::from(kind == AAAA);
        let _ = socket.send_to(&reply(&query[..end + 4], kind, answer), from).await;
    }
}

fn reply(query: &[u8], kind: u16, answer: Option<&[IpAddr]>) -> Vec<u8> {
    let fits = |address: &&IpAddr| address.is_ipv4() == (kind == A);
    let records: Vec<&IpAddr> = answer.unwrap_or_default().iter().filter(fits).collect();
    let mut reply = query.to_vec();
    reply[2] = 0x81;
    reply[3] = if answer.is_none() { NO_SUCH_NAME } else { 0 };
    reply[7] = u8::try_from(records.len()).expect("a short answer");
    for address in records {
        // The name is the question's; class IN; no time to live.
        reply.extend([0xc0, 0x0c]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0]);
        match address {
            IpAddr::V4(address) => reply.extend([0, 4].iter().chain(&address.octets())),
            IpAddr::V6(address) => reply.extend([0, 16].iter().chain(&address.octets())),
        }
    }
    reply
}

impl Resolve for DnsClient {
    fn resolve(&self, name: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        self.asked.lock().expect("no test panics while it asks").push(name.to_owned());
        let name = name.trim_end_matches('.').to_owned();
        async move {
            let mut found = self.ask(&name, A).await?;
            found.extend(self.ask(&name, AAAA).await?);
            Ok(found)
        }
        .boxed()
    }
}

impl DnsClient {
    async fn ask(&self, name: &str, kind: u16) -> io::Result<Vec<IpAddr>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).expect("a short label"));
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        socket.send_to(&query, self.server).await?;
        let mut buffer = [0; 512];
        let (length, _) = socket.recv_from(&mut buffer).await?;
        let answer = &buffer[..length];
        if answer[3] & 0x0f == NO_SUCH_NAME {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(records(&answer[query.len()..]))
    }
}

fn records(mut rest: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    while rest.len() > 12 {
        let length = usize::from(rest[11]);
        let data = &rest[12..12 + length];
        found.push(match length {
            4 => <[u8; 4]>::try_from(data).map(IpAddr::from).expect("four bytes"),
            _ => <[u8; 16]>::try_from(data).map(IpAddr::from).expect("sixteen bytes"),
        });
        rest = &rest[12 + length..];
    }
    found
}

fn read_name(message: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    while message[at] != 0 {
        let length = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..=at + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}
