//! A mail server on this machine, as bad as mail servers are: it can be away, slow, greylist, and refuse a recipient for ever. And it can kill
//! who hands over a mail in the moment in which it has taken it.
//!
//! It keeps every mail for which it became responsible, and from whom: programs log in by names of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Senders that connect at once.
const BACKLOG: u32 = 64;

/// What kind of day the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weather {
    /// It takes what comes.
    Fair,
    /// It refuses connections, and those there were are gone.
    Away,
    /// It thinks for so long about each recipient.
    Slow(Duration),
    /// It sends away each recipient's first mail: "come again".
    Grey,
}

/// A mail it took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The message id.
    pub id: String,
    pub to: String,
    /// The whole mail, its long lines put together again.
    pub text: String,
    /// Who was logged in.
    pub sender: String,
    pub at: Instant,
    /// Its sender was killed before it was told.
    pub unheard: bool,
}

/// Whom to kill at the next mail from there.
pub struct Trap {
    pub sender: String,
    pub pid: Pid,
    /// Before it hears that the mail was taken, or right after the words are sent.
    pub before_the_answer: bool,
}

/// How often it was as bad as that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    pub slow: u32,
    pub grey: u32,
    pub refused: u32,
}

/// Serves until it is dropped.
pub struct MailServer {
    addr: SocketAddr,
    /// Bound and never listening: the port stays ours while nobody listens.
    _seat: TcpSocket,
    desk: Arc<Mutex<Desk>>,
    serving: Option<JoinSet<()>>,
}

/// What a mail server takes, for whoever wants to look.
pub struct Register(Arc<Mutex<Desk>>);

impl Register {
    pub fn taken(&self) -> Vec<Taken> {
        self.0.lock().expect("no panic at the desk").taken.clone()
    }
}

struct Desk {
    weather: Weather,
    refused: BTreeSet<String>,
    /// Who was told to come again.
    greylist: BTreeSet<String>,
    trap: Option<Trap>,
    taken: Vec<Taken>,
    met: Met,
    /// The same when the weather turned.
    met_before: Met,
}

impl MailServer {
    pub fn open() -> Self {
        let seat = seat((Ipv4Addr::LOCALHOST, 0).into());
        let addr = seat.local_addr().expect("its address");
        let (refused, greylist) = (BTreeSet::new(), BTreeSet::new());
        let desk = Desk {
            weather: Weather::Away,
            refused,
            greylist,
            trap: None,
            taken: Vec::new(),
            met: Met::default(),
            met_before: Met::default(),
        };
        let mut server = Self { addr, _seat: seat, desk: Arc::new(Mutex::new(desk)), serving: None };
        server.turns(Weather::Fair);
        server
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.addr)
    }

    pub fn turns(&mut self, weather: Weather) {
        let mut desk = self.desk();
        (desk.weather, desk.greylist, desk.met_before) = (weather, BTreeSet::new(), desk.met);
        drop(desk);
        match (weather, &self.serving) {
            (Weather::Away, _) => self.serving = None,
            (_, Some(_)) => {}
            (_, None) => {
                let listener = seat(self.addr).listen(BACKLOG).expect("the port is ours");
                let mut serving = JoinSet::new();
                serving.spawn(serve(listener, Arc::clone(&self.desk)));
                self.serving = Some(serving);
            }
        }
    }

    /// From now on there is no such recipient.
    pub fn refuses(&self, address: &str) {
        self.desk().refused.insert(address.to_owned());
    }

    pub fn sets(&self, trap: Trap) {
        self.desk().trap = Some(trap);
    }

    /// Whether somebody has met the present weather; of a server that is away, senders know alone.
    pub fn is_met(&self) -> bool {
        let desk = self.desk();
        match desk.weather {
            Weather::Fair => true,
            Weather::Away => false,
            Weather::Slow(_) => desk.met.slow > desk.met_before.slow,
            Weather::Grey => desk.met.grey > desk.met_before.grey,
        }
    }

    /// All mails so far, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.register().taken()
    }

    /// To look at what was taken, for somebody who has not the server.
    pub fn register(&self) -> Register {
        Register(Arc::clone(&self.desk))
    }

    pub fn met(&self) -> Met {
        self.desk().met
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("no panic at the desk")
    }
}

fn seat(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).and_then(|()| socket.bind(addr)).expect("a port");
    socket
}

/// Its connections end with it.
async fn serve(listener: TcpListener, desk: Arc<Mutex<Desk>>) {
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let desk = Arc::clone(&desk);
        open.spawn(async move {
            // A sender that hangs up, or was killed, is what this is for.
            let _ = talk(stream, &desk).await;
        });
        while open.try_join_next().is_some() {}
    }
}

async fn talk(stream: TcpStream, desk: &Mutex<Desk>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await?;
    let (mut sender, mut to) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (verb, rest) = line.trim_end().split_once([' ', ':']).unwrap_or((line.trim_end(), ""));
        let answer = match verb {
            "EHLO" => "250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => {
                sender = user(rest);
                "235 welcome"
            }
            "RCPT" => {
                to = rest.chars().skip_while(|c| *c != '<').skip(1).take_while(|c| *c != '>').collect();
                judge(desk, &to).await
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let text = content(&mut stream).await?;
                let sprung = take(desk, &sender, &to, text);
                stream.write_all(b"250 taken\r\n").await?;
                if let Some(trap) = sprung.filter(|trap| !trap.before_the_answer) {
                    kill(&trap);
                }
                continue;
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// `PLAIN` and, in base64, nobody, the user and the password, with zeros between.
fn user(rest: &str) -> String {
    let words = STANDARD.decode(rest.trim_start_matches("PLAIN ")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1).map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default()
}

async fn judge(desk: &Mutex<Desk>, to: &str) -> &'static str {
    let weather = {
        let mut desk = desk.lock().expect("no panic at the desk");
        if desk.refused.contains(to) {
            desk.met.refused += 1;
            return "550 5.1.1 no such user here";
        }
        let weather = desk.weather;
        if weather == Weather::Grey && desk.greylist.insert(to.to_owned()) {
            desk.met.grey += 1;
            return "451 4.7.1 greylisted, come again";
        }
        desk.met.slow += u32::from(matches!(weather, Weather::Slow(_)));
        weather
    };
    if let Weather::Slow(wait) = weather {
        tokio::time::sleep(wait).await;
    }
    "250 ok"
}

/// To the line with a dot alone. A line that ends in an equals sign goes on in the next one.
async fn content(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_suffix("=\r\n").unwrap_or(&line));
    }
}

/// From here on the mail is this server's. Gives the trap that its sender ran into.
fn take(desk: &Mutex<Desk>, sender: &str, to: &str, text: String) -> Option<Trap> {
    let mut desk = desk.lock().expect("no panic at the desk");
    let sprung = desk.trap.take_if(|trap| trap.sender == sender);
    let unheard = sprung.as_ref().is_some_and(|trap| trap.before_the_answer);
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a message id").to_owned();
    desk.taken.push(Taken { id, to: to.to_owned(), text, sender: sender.to_owned(), at: Instant::now(), unheard });
    if let Some(trap) = sprung.as_ref().filter(|_| unheard) {
        kill(trap);
    }
    sprung
}

/// It is not reaped before whoever set the trap does so: the number names nobody else.
fn kill(trap: &Trap) {
    kill_process(trap.pid, Signal::KILL).expect("it was running");
}
