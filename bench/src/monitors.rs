//! How late a worker looks at many monitors: rows spread over their interval, targets on this machine only, a worker as the server starts it.
//! Bounded in time and number; nothing but 127.0.0.0/8 is dialled.

use anyhow::Result;
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_schema::monitor;
use keyvawlt_worker::outbound::OutboundSettings;
use keyvawlt_worker::probe::LagSeen;
use keyvawlt_worker::{DEFAULT_PROBES, Execution, MailTransport, Mailer, Outbox, Queue, Worker, WorkerParts};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait as _;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Asked for so long: each monitor twice.
const WATCHED: Duration = Duration::from_mins(2);
/// The interval that the design's number is about.
const INTERVAL_MS: u64 = 60_000;
/// Hosts that monitors are spread over, each an address of this machine.
const HOSTS: u8 = 50;
/// Organizations that own them: each at most what one may have.
const ORGS: u8 = 10;
/// Rows in one statement, well below what SQLite takes.
const CHUNK: usize = 500;
const RULES: &str = r#"{"method":"GET","statuses":[[200,299]],"headers":[],"body":null,"timeout_ms":10000,"slow_ms":null}"#;
const MEMORY: &str = r#"{"failures":0,"successes":0,"changes":[],"latencies":[],"slow":0,"quick":0}"#;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// What was measured.
pub struct Watched {
    pub monitors: usize,
    pub interval_ms: u64,
    /// Hosts of which nothing ever answers.
    pub silent: u8,
    pub lag: LagSeen,
    pub took: Duration,
}

impl Watched {
    pub fn per_second(&self) -> f64 {
        self.lag.looks as f64 / self.took.as_secs_f64()
    }
}

/// Watches so many monitors, spread over hosts of which some are silent.
pub async fn measure(monitors: usize, silent: u8) -> Result<Watched> {
    let mut targets = JoinSet::new();
    let mut urls = Vec::new();
    for host in 1..=HOSTS {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 1, host), 0)).await?;
        urls.push(format!("http://{}/health", listener.local_addr()?));
        targets.spawn(answer(listener, host > silent));
    }
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("vault.db").display());
    let store = Store::open(&url, Clock::System, Random::System).await?;
    seed(&url, &store, monitors, &urls).await?;

    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let parts = WorkerParts {
        store: store.clone(),
        mailer: Mailer::new(MailTransport::Memory(Outbox::default()), "KeyVawlt <keyvawlt@localhost>")?,
        outbound: OutboundSettings { public: false, allow: vec!["127.0.0.0/8".to_owned()], ca_file: None }.outbound()?,
        public_origin: None,
        name: "bench".to_owned(),
    };
    let execution = Execution { concurrency: 1, probes: DEFAULT_PROBES, queue: Queue::Memory };
    let began = Instant::now();
    let worker = Worker::start(parts, &execution, &tasks, &stop);
    tokio::time::sleep(WATCHED).await;
    let (lag, took) = (worker.lag(), began.elapsed());
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(Watched { monitors, interval_ms: INTERVAL_MS, silent, lag, took })
}

/// Answers each connection once, or never.
async fn answer(listener: TcpListener, answers: bool) {
    let mut open = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        while open.try_join_next().is_some() {}
        open.spawn(async move {
            let mut head = [0; 1_024];
            if stream.read(&mut head).await.is_ok() && answers {
                let _ = stream.write_all(ANSWER).await;
            } else {
                let _ = stream.read(&mut head).await;
            }
        });
    }
}

/// Rows as they are in the middle of their lives: due at any moment of the next interval.
async fn seed(url: &str, store: &Store, monitors: usize, urls: &[String]) -> Result<()> {
    let rows = sea_orm::Database::connect(url).await?;
    let (random, now_ms) = (store.random(), store.clock().now_ms());
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let all: Vec<_> = (0..monitors)
        .map(|n| monitor::ActiveModel {
            org_id: Set(vec![u8::try_from(n % usize::from(ORGS)).unwrap_or(0); 32]),
            monitor_id: Set(random.bytes::<16>().to_vec()),
            ns_id: Set(vec![]),
            name: Set(format!("monitor {n}")),
            url: Set(urls[n % urls.len()].clone()),
            host: Set(format!("127.0.1.{}", n % urls.len() + 1)),
            rules: Set(RULES.to_owned()),
            interval: Set(column(INTERVAL_MS)),
            state: Set(0),
            since: Set(column(now_ms)),
            memory: Set(MEMORY.to_owned()),
            incident_id: Set(None),
            next_at: Set(Some(column(now_ms + random.below(INTERVAL_MS)))),
            lease_until: Set(None),
            leased_by: Set(None),
            round: Set(0),
            checked_at: Set(None),
            passed: Set(None),
            latency: Set(None),
            problem: Set(None),
            certificate_ends_at: Set(None),
            revision: Set(0),
            created_at: Set(column(now_ms)),
        })
        .collect();
    for chunk in all.chunks(CHUNK) {
        monitor::Entity::insert_many(chunk.to_vec()).exec_without_returning(&rows).await?;
    }
    Ok(())
}
