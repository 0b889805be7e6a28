//! A stand-in for providers: answers by the key it is shown, and counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Listens on loopback. Accepts every key until told otherwise.
pub struct Provider {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Mood {
    /// By key: status and body.
    answers: BTreeMap<String, (u16, String)>,
    everybody: Option<u16>,
    asked: usize,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mood = Arc::new(Mutex::new(Mood::default()));
        let mut tasks = JoinSet::new();
        let serving = Arc::clone(&mood);
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &serving).await;
            }
        });
        Self { address, mood, _tasks: tasks }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers so about this key.
    pub fn answer(&self, key: &str, status: u16, body: &str) {
        self.mood.lock().expect("a mood").answers.insert(key.to_owned(), (status, body.to_owned()));
    }

    /// Answers so about every key.
    pub fn refuse_everybody(&self, status: u16) {
        self.mood.lock().expect("a mood").everybody = Some(status);
    }

    pub fn refuse_nobody(&self) {
        self.mood.lock().expect("a mood").everybody = None;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.mood.lock().expect("a mood").asked
    }
}

async fn serve(stream: TcpStream, mood: &Mutex<Mood>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match stream.read_line(&mut head).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
    let answer = {
        let mut mood = mood.lock().expect("a mood");
        mood.asked += 1;
        let known = mood.answers.iter().find(|(key, _)| head.contains(key.as_str())).map(|(_, answer)| answer.clone());
        let (status, body) = mood.everybody.map(|status| (status, "{}".to_owned())).or(known).unwrap_or((200, "{}".to_owned()));
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    // Whoever does not read the answer hears nothing.
    let _ = stream.get_mut().write_all(answer.as_bytes()).await;
}
