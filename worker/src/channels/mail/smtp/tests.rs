//! Against a real SMTP server, `tests/smtp_server.py`, which does what mail servers do.

#![expect(clippy::disallowed_methods, reason = "the variable that names the tests' Python")]

use crate::channels::Reception;
use crate::channels::mail::{MailTransport, Mailer, SmtpOptions};
use crate::words::samples::{self, NOW, UNSUBSCRIBE};
use serde_json::{Value, json};
use std::fs::File;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Longer than the server needs, on a busy machine, for anything but what it does slowly on purpose, which takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(4);

/// The least time after which Linux acknowledges what it does not answer.
const DELAYED: Duration = Duration::from_millis(40);
const FEW_MAILS: u32 = 50;

struct Server {
    process: Child,
    port: u16,
    /// Lines of its output that were read.
    read: usize,
    folder: tempfile::TempDir,
}

impl Server {
    /// `None`, said aloud, where there is no Python with a server.
    async fn start(mut options: Value) -> Option<Self> {
        let Ok(python) = std::env::var("KEYVAWLT_TEST_PYTHON") else {
            println!("skipped: KEYVAWLT_TEST_PYTHON names no Python with aiosmtpd");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        options["ca"] = folder.path().join("ca.pem").to_str().unwrap().into();
        let port = free_port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp_server.py");
        // A file: a pipe that nobody reads would stop the server.
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new(python);
        let process = command.arg(script).arg(port.to_string()).arg(options.to_string()).stdout(output).spawn().unwrap();
        let mut server = Self { process, port, read: 0, folder };
        while server.line().is_none_or(|line| line != port.to_string()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(server.process.try_wait().unwrap().is_none(), "the server did not start");
        }
        Some(server)
    }

    fn ca(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    fn mailer(&self, options: SmtpOptions) -> Mailer {
        self.mailer_at("smtp", options)
    }

    fn mailer_at(&self, scheme: &str, options: SmtpOptions) -> Mailer {
        let options = SmtpOptions { patience: Some(PATIENCE), ..options };
        let transport = MailTransport::smtp(&format!("{scheme}://127.0.0.1:{}", self.port), options).unwrap();
        Mailer::new(transport, "KeyVawlt <keyvawlt@example.org>").unwrap()
    }

    /// The next whole line it wrote.
    fn line(&mut self) -> Option<String> {
        let output = std::fs::read_to_string(self.folder.path().join("output")).unwrap();
        let line = output.split_inclusive('\n').nth(self.read)?.strip_suffix('\n')?.to_owned();
        self.read += 1;
        Some(line)
    }

    /// The next mail it took; it is written before it is acknowledged.
    fn mail(&mut self) -> Value {
        serde_json::from_str(&self.line().expect("a mail")).unwrap()
    }

    /// The next mails' recipients and connections.
    fn mails(&mut self, count: usize) -> Vec<(String, u64)> {
        let seen = (0..count).map(|_| self.mail());
        seen.map(|mail| (mail["to"][0].as_str().unwrap().to_owned(), mail["connection"].as_u64().unwrap())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn send(mailer: &Mailer, name: &str) -> Reception {
    let message = samples::messages().remove(0).1;
    mailer.send(&format!("{name}@example.com"), &format!("to.{name}"), &message, NOW).await
}

fn why(reception: Reception) -> (&'static str, String) {
    match reception {
        Reception::Taken => ("taken", String::new()),
        Reception::TakenPlainly { why } => ("plainly", why.to_owned()),
        Reception::Later { why, .. } => ("later", why),
        Reception::Refused { why } => ("refused", why),
        Reception::Closed { why } => ("closed", why),
    }
}

macro_rules! later {
    ($reception:expr, $words:expr) => {
        let (what, why) = why($reception);
        assert_eq!(what, "later", "{why}");
        assert!(why.contains($words), "{why}");
    };
}

macro_rules! refused {
    ($reception:expr, $words:expr) => {
        let (what, why) = why($reception);
        assert_eq!(what, "refused", "{why}");
        assert!(why.contains($words), "{why}");
    };
}

#[tokio::test]
async fn a_digest_arrives_whole_with_one_click_to_end_it() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    let digest = samples::messages().into_iter().find(|(name, _)| *name == "digest").unwrap().1;
    assert_eq!(mailer.send("ada@example.com", "notice.1", &digest, NOW).await, Reception::Taken);
    let mail = server.mail();
    let header = |name: &str| mail["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("list-unsubscribe"), format!("<{UNSUBSCRIBE}>"));
    assert_eq!(header("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    assert_eq!((header("auto-submitted").as_str(), header("message-id").as_str()), ("auto-generated", "<notice.1@example.org>"));
    assert_eq!((mail["subject"].as_str(), header("date").as_str()), (Some("Your secrets this week"), "Mon, 23 Nov 2026 09:00:00 +0000"));
    assert!(mail["parts"]["text/plain"].as_str().unwrap().contains("... and 7 more"));
    assert!(mail["parts"]["text/html"].as_str().unwrap().contains("… and 7 more"));
    assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    assert_eq!(server.mail()["headers"]["list-unsubscribe"], Value::Null, "a notice that is no digest");
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_again() {
    let transport = MailTransport::smtp(&format!("smtp://127.0.0.1:{}", free_port()), SmtpOptions::default()).unwrap();
    let mailer = Mailer::new(transport, "keyvawlt@example.org").unwrap();
    later!(send(&mailer, "ada").await, "connecting");
}

#[tokio::test]
async fn one_recipient_who_is_refused_takes_nobody_along() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    refused!(send(&mailer, "unknown").await, "5.1.1");
    refused!(send(&mailer, "full").await, "5.2.2");
    refused!(send(&mailer, "spam").await, "spam");
    later!(send(&mailer, "relayed").await, "5.7.1");
    later!(send(&mailer, "busy").await, "4.3.1");
    assert_eq!(send(&mailer, "bob").await, Reception::Taken);
    let ids = [("ada@example.com".to_owned(), 1), ("bob@example.com".to_owned(), 1)];
    assert_eq!(server.mails(2), ids, "over one connection");
}

#[tokio::test]
async fn a_greylisted_mail_goes_at_the_second_attempt() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    later!(send(&mailer, "grey").await, "451");
    assert_eq!(send(&mailer, "grey").await, Reception::Taken);
    assert_eq!(server.mails(1)[0].0, "grey@example.com");
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_middle_is_tried_again() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    later!(send(&mailer, "hangup").await, "421");
    assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    assert_eq!(server.mails(1), [("ada@example.com".to_owned(), 2)]);
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for_and_answers_nobody_else() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions { connections: Some(1), ..SmtpOptions::default() });
    assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    later!(send(&mailer, "slow").await, "no answer in time");
    // Its late "250" belongs to a connection that is gone: the next refusal is a refusal.
    refused!(send(&mailer, "unknown").await, "5.1.1");
    assert_eq!(send(&mailer, "bob").await, Reception::Taken);
    let seen = server.mails(2);
    assert_eq!((seen[0].0.as_str(), seen[1].0.as_str()), ("ada@example.com", "bob@example.com"));
}

#[tokio::test]
async fn a_mail_that_is_cut_off_leaves_no_reply_to_the_next() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions { connections: Some(1), ..SmtpOptions::default() });
    assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    let cut = tokio::time::timeout(PATIENCE / 16, send(&mailer, "slow")).await;
    assert!(cut.is_err(), "cut off while the server thinks about the recipient");
    refused!(send(&mailer, "unknown").await, "5.1.1");
    assert_eq!(send(&mailer, "bob").await, Reception::Taken);
    assert_eq!(server.mails(2)[1].0, "bob@example.com");
}

#[tokio::test]
async fn a_connection_is_used_again_until_either_side_has_enough() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    for _ in 0..101 {
        assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    }
    let connections: Vec<u64> = server.mails(101).into_iter().map(|(_, connection)| connection).collect();
    assert_eq!((connections[99], connections[100]), (1, 2), "a hundred mails each");
    assert_eq!(send(&mailer, "goodbye").await, Reception::Taken);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(send(&mailer, "ada").await, Reception::Taken, "although the kept connection was closed meanwhile");

    let Some(mut server) = Server::start(json!({ "enough": 3 })).await else { return };
    let mailer = server.mailer(SmtpOptions::default());
    for _ in 0..7 {
        assert_eq!(send(&mailer, "ada").await, Reception::Taken);
    }
    let connections: Vec<u64> = server.mails(7).into_iter().map(|(_, connection)| connection).collect();
    assert_eq!(connections, [1, 1, 1, 2, 2, 2, 3], "421 before a mail costs nothing but a connection");
}

#[tokio::test]
async fn no_mail_waits_for_an_acknowledgement() {
    for (tls, scheme) in [("none", "smtp"), ("starttls", "smtp"), ("wrapper", "smtps")] {
        let Some(server) = Server::start(json!({ "tls": tls })).await else { return };
        let ca = (tls != "none").then(|| server.ca());
        let mailer = server.mailer_at(scheme, SmtpOptions { ca, ..SmtpOptions::default() });
        assert_eq!(send(&mailer, "ada").await, Reception::Taken, "{tls}");
        let begun = Instant::now();
        for _ in 0..FEW_MAILS {
            assert_eq!(send(&mailer, "ada").await, Reception::Taken, "{tls}");
        }
        let each = begun.elapsed() / FEW_MAILS;
        assert!(each < DELAYED, "{tls}: {each:?} for each mail");
    }
}

#[tokio::test]
async fn many_mails_at_once_share_few_connections() {
    let Some(mut server) = Server::start(json!({})).await else { return };
    let mailer = server.mailer(SmtpOptions { connections: Some(3), ..SmtpOptions::default() });
    let sent = futures::future::join_all((0..60).map(|_| send(&mailer, "ada"))).await;
    assert!(sent.iter().all(|reception| *reception == Reception::Taken), "{sent:?}");
    assert!(server.mails(60).iter().all(|(_, connection)| *connection <= 3));
}

#[tokio::test]
async fn tls_is_required_and_its_certificate_checked() {
    for (tls, scheme) in [("starttls", "smtp"), ("wrapper", "smtps")] {
        let Some(mut server) = Server::start(json!({ "tls": tls })).await else { return };
        let trusting = server.mailer_at(scheme, SmtpOptions { ca: Some(server.ca()), ..SmtpOptions::default() });
        assert_eq!(send(&trusting, "ada").await, Reception::Taken, "{tls}");
        assert_eq!(server.mail()["encrypted"], true, "{tls}");
        let others = Server::start(json!({ "tls": tls })).await.unwrap().ca();
        let distrusting = server.mailer_at(scheme, SmtpOptions { ca: Some(others), ..SmtpOptions::default() });
        later!(send(&distrusting, "ada").await, "connecting");
    }
    let Some(clear) = Server::start(json!({})).await else { return };
    let ca = Server::start(json!({ "tls": "starttls" })).await.unwrap().ca();
    let careful = clear.mailer(SmtpOptions { ca: Some(ca), ..SmtpOptions::default() });
    later!(send(&careful, "ada").await, "STARTTLS");
}

#[tokio::test]
async fn a_log_in_that_fails_is_tried_again_for_somebody_will_correct_it() {
    let Some(mut server) = Server::start(json!({ "login": ["vault", "right"] })).await else { return };
    let login = |password: &str| Some(("vault".to_owned(), password.to_owned()));
    let wrong = server.mailer(SmtpOptions { login: login("wrong"), ..SmtpOptions::default() });
    later!(send(&wrong, "ada").await, "logging in");
    let none = server.mailer(SmtpOptions::default());
    later!(send(&none, "ada").await, "530");
    let right = server.mailer(SmtpOptions { login: login("right"), ..SmtpOptions::default() });
    assert_eq!(send(&right, "ada").await, Reception::Taken);
    assert_eq!(server.mails(1)[0].0, "ada@example.com");
}
