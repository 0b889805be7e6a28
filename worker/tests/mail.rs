//! Mails from the change that causes them to the one who reads them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ed25519_dalek::SigningKey;
use keyvawlt_domain::accounts::{self, NewAccount, Slot, SlotKind};
use keyvawlt_domain::jobs::{AccountId, IdentityId};
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_ledger::account::Claim;
use keyvawlt_ledger::bundle::{Bundle, key_id, kind};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Domain, Signed, SlotId};
use keyvawlt_worker::outbound::OutboundSettings;
use keyvawlt_worker::{Execution, MailTransport, Mailer, Outbox, Queue, SmtpOptions, Worker, WorkerParts};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// 23 November 2026, 09:00 UTC.
const NOW: u64 = 1_795_424_400_000;
const ORIGIN: &str = "http://127.0.0.1:8420";
const ID: AccountId = AccountId([1; 16]);
const FROM: &str = "KeyVawlt <keyvawlt@example.org>";

struct Office {
    store: Store,
    worker: Worker,
    tasks: TaskTracker,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Office {
    async fn open(transport: MailTransport) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("vault.db").display());
        let store = Store::open(&url, Clock::fixed(NOW), Random::System).await.unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mailer = Mailer::new(transport, FROM).unwrap();
        let outbound = OutboundSettings { public: false, ..OutboundSettings::default() }.outbound().unwrap();
        let parts = WorkerParts { store: store.clone(), mailer, outbound, public_origin: None, name: "office".to_owned() };
        let worker = Worker::start(parts, &Execution { concurrency: 2, probes: 1, queue: Queue::Memory }, &tasks, &stop);
        Self { store, worker, tasks, stop, _folder: folder }
    }

    async fn sign_up(&self) {
        let sign = SigningKey::from_bytes(&[10; 32]);
        let bundle = Bundle {
            v: 1,
            suite: 1,
            identity_id: IdentityId([3; 16]),
            kind: kind::PERSON,
            sign_pk: sign.verifying_key().to_bytes(),
            auth_pk: SigningKey::from_bytes(&[11; 32]).verifying_key().to_bytes(),
            kem_pk: [9; 1216],
            generation: 1,
            created_ms: NOW,
        };
        let bundle = Signed::make(&sign, Domain::Bundle, bundle.to_bytes());
        let claim = Claim { account_id: ID, key_id: key_id(bundle.payload()), origin: ORIGIN.to_owned() };
        let slot = Slot {
            id: SlotId([2; 16]),
            kind: SlotKind::Password,
            login_pk: SigningKey::from_bytes(&[12; 32]).verifying_key().to_bytes(),
            sealed_ak: vec![0; 112],
            label: String::new(),
        };
        let new = NewAccount {
            account_id: ID,
            email: "ada@example.com".to_owned(),
            bundle,
            claim: Signed::make(&sign, Domain::Account, claim.to_bytes()),
            slots: vec![slot],
            blob: vec![7; 300],
            generation: 1,
            request_id: [4; 16],
        };
        let tx = self.store.write().await.unwrap();
        accounts::sign_up(&tx, new, &[ORIGIN.to_owned()]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn is_verified_by(&self, text: &str) {
        let code = text.lines().find(|line| line.trim().len() == 9 && line.contains('-')).unwrap();
        accounts::verify_email(&self.store, &ID, code).await.unwrap();
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn whoever_signs_up_gets_one_code_that_proves_the_address() {
    let outbox = Outbox::default();
    let office = Office::open(MailTransport::Memory(outbox.clone())).await;
    office.sign_up().await;
    let counts = office.worker.drain().await.unwrap();
    assert_eq!(counts, keyvawlt_domain::jobs::Counts::default());
    let mails = outbox.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "ada@example.com");
    office.is_verified_by(&mails[0].text).await;
    office.close().await;
}

#[tokio::test]
async fn a_mail_lies_in_the_outbox_folder_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::open(MailTransport::file(&folder.path().join("outbox")).unwrap()).await;
    office.sign_up().await;
    office.worker.drain().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path().join("outbox")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].extension().unwrap(), "eml");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("To: ada@example.com") && text.contains("multipart/alternative"), "{text}");
    office.close().await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_delays_a_mail_and_loses_none() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let office = Office::open(MailTransport::smtp(&format!("smtp://{nobody}"), SmtpOptions::default()).unwrap()).await;
    office.sign_up().await;
    let counts = office.worker.drain().await.unwrap();
    assert_eq!((counts.later, counts.given_up), (1, 0));
    office.close().await;
}

struct SmtpServer {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl SmtpServer {
    fn start(python: &str, port: u16) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp_server.py");
        let mut process = Command::new(python).arg(script).arg(port.to_string()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the variable that names the tests' Python")]
async fn a_real_smtp_server_receives_the_mail() {
    let Ok(python) = std::env::var("KEYVAWLT_TEST_PYTHON") else {
        println!("skipped: KEYVAWLT_TEST_PYTHON names no Python with aiosmtpd");
        return;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = SmtpServer::start(&python, port);
    assert_eq!(server.line(), port.to_string());
    let transport = MailTransport::smtp(&format!("smtp://127.0.0.1:{port}"), SmtpOptions::default()).unwrap();
    let office = Office::open(transport).await;
    office.sign_up().await;
    assert_eq!(office.worker.drain().await.unwrap(), keyvawlt_domain::jobs::Counts::default());
    let mail: serde_json::Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!(mail["to"], serde_json::json!(["ada@example.com"]));
    assert_eq!(mail["from"], "keyvawlt@example.org");
    assert_eq!(mail["subject"], "Confirm your e-mail address for KeyVawlt");
    assert!(mail["id"].as_str().unwrap().ends_with("@example.org>"));
    assert!(mail["parts"]["text/html"].as_str().unwrap().contains("<html"));
    office.is_verified_by(mail["parts"]["text/plain"].as_str().unwrap()).await;
    office.close().await;
}
