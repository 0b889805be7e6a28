//! How late a worker looks at many monitors: rows spread over their interval, targets on this machine only, a worker as the server starts it.
//! Bounded in time and number; nothing but 127.0.0.0/8 is dialled.

use anyhow::{Result, ensure};
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_schema::monitor;
use keyvawlt_worker::outbound::OutboundSettings;
use keyvawlt_worker::probe::LagSeen;
use keyvawlt_worker::{DEFAULT_PROBES, Execution, MailTransport, Mailer, Outbox, Queue, Worker, WorkerParts};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
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
    /// The first looks at monitors whose hosts answer, as they arrived there.
    pub answered: Lateness,
    pub took: Duration,
}

/// How much later than due.
pub struct Lateness {
    pub p50_ms: u64,
    pub p99_ms: u64,
    pub max_ms: u64,
}

impl Lateness {
    fn of(mut late_ms: Vec<u64>) -> Self {
        late_ms.sort_unstable();
        let at = |share: usize| late_ms.get((late_ms.len() * share).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100) }
    }
}

/// When each monitor's first look arrived, by its number.
type Arrivals = Arc<Mutex<Vec<Option<u64>>>>;

impl Watched {
    pub fn per_second(&self) -> f64 {
        self.lag.looks as f64 / self.took.as_secs_f64()
    }
}

/// Watches so many monitors, spread over hosts of which some are silent.
pub async fn measure(monitors: usize, silent: u8) -> Result<Watched> {
    let mut targets = JoinSet::new();
    let mut urls = Vec::new();
    let arrivals = Arrivals::new(Mutex::new(vec![None; monitors]));
    for host in 1..=HOSTS {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 1, host), 0)).await?;
        urls.push(format!("http://{}/health/", listener.local_addr()?));
        targets.spawn(answer(listener, (host > silent).then(|| Arc::clone(&arrivals))));
    }
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("vault.db").display());
    let store = Store::open(&url, Clock::System, Random::System).await?;
    let due = seed(&url, &store, monitors, &urls).await?;

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
    let arrivals = arrivals.lock().expect("no panic").clone();
    // Of hosts that answer, each monitor was to be looked at once by now.
    let missing = (0..monitors).filter(|n| n % urls.len() >= usize::from(silent) && arrivals[*n].is_none()).count();
    ensure!(missing == 0, "{missing} monitors of hosts that answer were not looked at");
    let answered = Lateness::of(arrivals.iter().zip(due).filter_map(|(at, due)| Some((*at)?.saturating_sub(due))).collect());
    Ok(Watched { monitors, interval_ms: INTERVAL_MS, silent, lag, answered, took })
}

/// Answers each connection once, and notes which monitor came first when; or never answers.
async fn answer(listener: TcpListener, arrivals: Option<Arrivals>) {
    let mut open = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        while open.try_join_next().is_some() {}
        let arrivals = arrivals.clone();
        open.spawn(async move {
            let mut head = [0; 1_024];
            let Ok(length) = stream.read(&mut head).await else { return };
            let Some(arrivals) = arrivals else {
                let _ = stream.read(&mut head).await;
                return;
            };
            if let Some(n) = number(&head[..length]) {
                arrivals.lock().expect("no panic")[n].get_or_insert(Clock::System.now_ms());
            }
            let _ = stream.write_all(ANSWER).await;
        });
    }
}

/// The monitor that a request names in its path.
fn number(head: &[u8]) -> Option<usize> {
    let path = head.strip_prefix(b"GET /health/")?;
    let digits = path.iter().position(|byte| !byte.is_ascii_digit())?;
    str::from_utf8(&path[..digits]).ok()?.parse().ok()
}

/// Rows as they are in the middle of their lives: due at any moment of the next interval; says when each is.
async fn seed(url: &str, store: &Store, monitors: usize, urls: &[String]) -> Result<Vec<u64>> {
    let rows = sea_orm::Database::connect(url).await?;
    let (random, now_ms) = (store.random(), store.clock().now_ms());
    let column = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let due: Vec<u64> = (0..monitors).map(|_| now_ms + random.below(INTERVAL_MS)).collect();
    let all: Vec<_> = (0..monitors)
        .map(|n| monitor::ActiveModel {
            org_id: Set(vec![u8::try_from(n % usize::from(ORGS)).unwrap_or(0); 32]),
            monitor_id: Set(random.bytes::<16>().to_vec()),
            ns_id: Set(vec![]),
            name: Set(format!("monitor {n}")),
            url: Set(format!("{}{n}", urls[n % urls.len()])),
            host: Set(format!("127.0.1.{}", n % urls.len() + 1)),
            rules: Set(RULES.to_owned()),
            interval: Set(column(INTERVAL_MS)),
            state: Set(0),
            since: Set(column(now_ms)),
            memory: Set(MEMORY.to_owned()),
            incident_id: Set(None),
            next_at: Set(Some(column(due[n]))),
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
    Ok(due)
}
