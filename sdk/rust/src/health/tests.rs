//! The catalogue over the wire: a stand-in on this machine answers what the fixtures say, and nothing else is ever dialled.

use super::{Dial, Prober};
use keyvawlt_catalogue::{Catalogue, Outcome};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(Deserialize)]
struct Fixture {
    key: String,
    answers: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: String,
    outcome: Outcome,
    #[serde(default)]
    expires_ms: Option<u64>,
}

/// Answers one request after the other with what it was told, and keeps what it was asked.
struct StandIn {
    origin: String,
    next: Arc<Mutex<Vec<u8>>>,
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let (next, heard) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (answers, hears) = (Arc::clone(&next), Arc::clone(&heard));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut some = [0; 4096];
                while !is_whole(&request) {
                    match stream.read(&mut some).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&some[..read]),
                        _ => break,
                    }
                }
                hears.lock().expect("ears").push(String::from_utf8_lossy(&request).into_owned());
                let answer = answers.lock().expect("an answer").clone();
                // A client that has read enough hangs up.
                let _ = stream.write_all(&answer).await;
            }
        });
        Self { origin, next, heard, _tasks: tasks }
    }

    fn will_say(&self, status: u16, headers: &[(String, String)], body: &[u8]) {
        let mut answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
        for (name, value) in headers {
            answer.extend([name, ": ", value, "\r\n"]);
        }
        answer.push_str("\r\n");
        *self.next.lock().expect("an answer") = [answer.as_bytes(), body].concat();
    }

    fn take_heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().expect("ears"))
    }
}

/// Head and body have arrived.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

fn fixture(id: &str) -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalogue/fixtures").join(format!("{id}.json"));
    serde_json::from_slice(&fs::read(path).expect("a fixture")).expect("a fixture")
}

fn prober() -> (Prober, Arc<Mutex<Vec<String>>>) {
    let refused = Arc::<Mutex<Vec<String>>>::default();
    (Prober::new(Dial::LoopbackOnly(Arc::clone(&refused))).expect("a prober"), refused)
}

#[tokio::test]
async fn every_answer_of_every_provider_is_understood_over_the_wire() {
    let stand_in = StandIn::start().await;
    let (mut prober, refused) = prober();
    let catalogue = Catalogue::builtin().unwrap();
    let mut answers = 0;
    for provider in catalogue.providers().iter().filter(|provider| provider.probe.is_some()) {
        prober.place(&provider.id, &stand_in.origin).unwrap();
        let fixture = fixture(&provider.id);
        for told in fixture.answers {
            stand_in.will_say(told.status, &told.headers, told.body.as_bytes());
            let judged = prober.check(provider, &fixture.key).await.unwrap();
            assert_eq!((judged.outcome, judged.expires_ms), (told.outcome, told.expires_ms), "{} {}", provider.id, told.status);
            let heard = stand_in.take_heard();
            assert_eq!(heard.len(), 1, "{}: one call, and no redirect is followed", provider.id);
            let probe = provider.probe.as_ref().unwrap();
            assert!(heard[0].starts_with(probe.method.as_str()), "{}", provider.id);
            let in_clear = heard[0].matches(&fixture.key).count();
            assert_eq!(in_clear, usize::from(probe.basic.is_none()), "{}: the key goes once", provider.id);
            answers += 1;
        }
    }
    assert!(answers > 300, "{answers}");
    assert_eq!(*refused.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_stand_in_every_provider_would_be_dialled_where_the_catalogue_says() {
    let (prober, refused) = prober();
    let catalogue = Catalogue::builtin().unwrap();
    let mut expected = Vec::new();
    for provider in catalogue.providers().iter().filter(|provider| !provider.hosts.is_empty()) {
        let judged = prober.check(provider, &fixture(&provider.id).key).await.unwrap();
        assert_eq!(judged.outcome, Outcome::NetworkError, "{}", provider.id);
        expected.push(provider.hosts[0].clone());
    }
    assert_eq!(*refused.lock().unwrap(), expected, "written down, not dialled");
}

#[tokio::test]
async fn an_endless_or_broken_answer_decides_nothing() {
    let stand_in = StandIn::start().await;
    let (mut prober, _) = prober();
    prober.place("slack", &stand_in.origin).unwrap();
    let catalogue = Catalogue::builtin().unwrap();
    let (slack, key) = (catalogue.named("slack").unwrap(), fixture("slack").key);
    let long = format!("{{\"ok\":true,\"padding\":\"{}\"}}", "x".repeat(70_000));
    stand_in.will_say(200, &[], long.as_bytes());
    assert_eq!(prober.check(slack, &key).await.unwrap().outcome, Outcome::ProviderError, "more than 64 KiB is not read");
    for broken in [&b""[..], b"HTTP/1.1 200 X\r\n", b"nonsense\r\n\r\n", b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n"] {
        *stand_in.next.lock().unwrap() = broken.to_vec();
        let outcome = prober.check(slack, &key).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::NetworkError | Outcome::ProviderError), "{broken:?}: {outcome:?}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    prober.place("slack", &format!("http://{nobody}")).unwrap();
    assert_eq!(prober.check(slack, &key).await.unwrap().outcome, Outcome::NetworkError);
}

#[test]
fn a_key_goes_to_nobody_but_its_provider() {
    let (mut prober, _) = prober();
    let stripe = fixture("stripe").key;
    assert_eq!(prober.provider_of(None, &stripe).unwrap().id, "stripe");
    assert_eq!(prober.provider_of(Some("Stripe"), &stripe).unwrap().id, "stripe");
    assert_eq!(prober.provider_of(Some("a provider nobody knows"), &stripe).unwrap().id, "stripe");
    assert!(prober.provider_of(Some("openai"), &stripe).unwrap_err().0.contains("looks like one of Stripe"));
    assert_eq!(prober.provider_of(Some("mistral"), "no form at all").unwrap().id, "mistral");
    assert!(prober.provider_of(None, "no form at all").unwrap_err().0.contains("nobody says"));
    assert!(prober.provider_of(Some("strype"), "no form at all").unwrap_err().0.contains("no provider strype is known"));
    for (provider, origin) in [("nobody", "https://x.example"), ("gitlab", "http://gitlab.example"), ("gitlab", "gitlab.example")] {
        assert!(prober.place(provider, origin).is_err(), "{provider} {origin}");
    }
}
