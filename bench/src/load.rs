//! Load: so many callers at once, each with one call open at a time, for a bounded time and number of calls.

use crate::manifest::Manifest;
use crate::program::{Server, own_cpu};
use crate::scene::{Agent, SECRETS};
use anyhow::{Result, ensure};
use keyvawlt_proto::v1::account_service_client::AccountServiceClient;
use keyvawlt_proto::v1::namespace_service_client::NamespaceServiceClient;
use keyvawlt_proto::v1::organization_service_client::OrganizationServiceClient;
use keyvawlt_proto::{CLIENT_HEADER, MAX_MESSAGE, v1};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// One round of one kind of call.
const ROUND: Duration = Duration::from_millis(1500);
/// And never more calls than this.
const MAX_CALLS: u64 = 40_000;
/// Writes are signed before the round; more are not made in one.
const MAX_WRITES: u64 = 3_000;
/// Callers that share a connection; one connection carries what one core can do.
const CALLERS_PER_CONNECTION: usize = 8;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Health: the least that a call can cost.
    NoOp,
    /// "What changed?": nothing.
    Warm,
    /// Everything, imported by one link.
    Full,
    /// Everything, written by a hundred links.
    FullGrown,
    /// An environment that the server does not remember from an earlier read.
    Anew,
    /// A new version of a secret.
    Write,
    /// An assertion for an access token.
    LogIn,
}

impl Kind {
    pub const ALL: [Kind; 7] = [Kind::NoOp, Kind::Warm, Kind::Full, Kind::FullGrown, Kind::Anew, Kind::Write, Kind::LogIn];

    pub fn name(self) -> &'static str {
        match self {
            Kind::NoOp => "no-op (health check)",
            Kind::Warm => "warm read: nothing changed",
            Kind::Full => "full read, 100 secrets of one import",
            Kind::FullGrown => "full read, 100 secrets of 100 writes",
            Kind::Anew => "100 secrets that the server has to look up anew",
            Kind::Write => "write",
            Kind::LogIn => "log-in",
        }
    }
}

/// What callers share.
pub struct Calls {
    imported: Agent,
    grown: Agent,
    many: Agent,
    token: AsciiMetadataValue,
    grown_token: AsciiMetadataValue,
    many_token: AsciiMetadataValue,
    writer_token: AsciiMetadataValue,
    /// Which of the many environments is read next.
    next: AtomicUsize,
}

/// One caller, with its own namespace to write in.
pub struct Caller {
    manifest: Manifest,
    writes: VecDeque<v1::CommitRequest>,
}

/// What a round measured.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub latencies: Vec<Duration>,
    pub took: Duration,
    pub server_cpu: Duration,
    pub own_cpu: Duration,
}

impl Calls {
    /// Logs the agents in.
    pub async fn prepare(imported: Agent, grown: Agent, many: Agent, writer: &Agent) -> Result<Self> {
        let channel = connect(&imported.origin).await?;
        let (token, grown_token) = (log_in(&channel, &imported).await?, log_in(&channel, &grown).await?);
        let (many_token, writer_token) = (log_in(&channel, &many).await?, log_in(&channel, writer).await?);
        Ok(Self { imported, grown, many, token, grown_token, many_token, writer_token, next: AtomicUsize::new(0) })
    }

    async fn once(&self, kind: Kind, channel: &Channel, caller: &mut Caller) -> Result<()> {
        match kind {
            Kind::NoOp => {
                HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await?;
            }
            Kind::Warm => {
                let answer = read(channel, self.imported.warm_question()?, &self.token).await?;
                ensure!(answer.links.is_empty() && answer.namespaces.is_empty() && answer.wraps.is_empty(), "something changed");
            }
            Kind::Full => complete(&read(channel, self.imported.full_question()?, &self.token).await?, true)?,
            Kind::FullGrown => complete(&read(channel, self.grown.full_question()?, &self.grown_token).await?, true)?,
            Kind::Anew => {
                let question = self.many.question_about(self.next.fetch_add(1, Ordering::Relaxed))?;
                complete(&read(channel, question, &self.many_token).await?, false)?;
            }
            Kind::Write => {
                let Some(write) = caller.writes.pop_front() else { return Ok(()) };
                let mut organizations = OrganizationServiceClient::new(channel.clone());
                organizations.commit(as_caller(write, &self.writer_token)).await?;
            }
            Kind::LogIn => {
                log_in(channel, &self.imported).await?;
            }
        }
        Ok(())
    }
}

/// Callers, one for each namespace.
pub fn callers(manifests: Vec<Manifest>) -> Vec<Caller> {
    manifests.into_iter().map(|manifest| Caller { manifest, writes: VecDeque::new() }).collect()
}

/// One round by the first `concurrency` callers.
pub async fn round(server: &Server, calls: &Arc<Calls>, kind: Kind, concurrency: usize, callers: &mut Vec<Caller>) -> Result<Round> {
    let mut channels = Vec::new();
    for _ in 0..concurrency.div_ceil(CALLERS_PER_CONNECTION) {
        channels.push(connect(&server.origin).await?);
    }
    let others = callers.split_off(concurrency);
    let most = if kind == Kind::Write { MAX_WRITES } else { MAX_CALLS };
    if kind == Kind::Write {
        for caller in callers.iter_mut() {
            caller.sign(most / concurrency as u64)?;
        }
    }
    let left = Arc::new(AtomicU64::new(most / concurrency as u64 * concurrency as u64));
    let (cpu, own, began) = (server.cpu()?, own_cpu()?, Instant::now());
    let mut working = JoinSet::new();
    for (n, caller) in callers.drain(..).enumerate() {
        let channel = channels[n % channels.len()].clone();
        working.spawn(work(Arc::clone(calls), kind, channel, caller, Arc::clone(&left), began + ROUND));
    }
    let mut measured = Round::default();
    while let Some(done) = working.join_next().await {
        let (caller, latencies) = done??;
        callers.push(caller);
        measured.latencies.extend(latencies);
    }
    (measured.took, measured.server_cpu, measured.own_cpu) =
        (began.elapsed(), server.cpu()?.saturating_sub(cpu), own_cpu()?.saturating_sub(own));
    callers.extend(others);
    Ok(measured)
}

async fn work(
    calls: Arc<Calls>,
    kind: Kind,
    channel: Channel,
    mut caller: Caller,
    left: Arc<AtomicU64>,
    until: Instant,
) -> Result<(Caller, Vec<Duration>)> {
    let mut latencies = Vec::new();
    let take = |left: u64| left.checked_sub(1);
    while Instant::now() < until && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        if kind == Kind::Write && caller.writes.is_empty() {
            break;
        }
        let began = Instant::now();
        calls.once(kind, &channel, &mut caller).await?;
        latencies.push(began.elapsed());
    }
    Ok((caller, latencies))
}

impl Caller {
    fn sign(&mut self, count: u64) -> Result<()> {
        while (self.writes.len() as u64) < count {
            self.writes.push_back(self.manifest.write()?);
        }
        Ok(())
    }
}

impl Round {
    pub fn add(&mut self, other: Round) {
        self.latencies.extend(other.latencies);
        self.took += other.took;
        self.server_cpu += other.server_cpu;
        self.own_cpu += other.own_cpu;
    }

    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that so many in a hundred calls do not exceed.
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.latencies.sort_unstable();
        let index = self.latencies.len() * percent / 100;
        self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    pub fn server_cpu_per_call(&self) -> Duration {
        self.server_cpu.div_f64(self.latencies.len().max(1) as f64)
    }

    pub fn own_cpu_per_call(&self) -> Duration {
        self.own_cpu.div_f64(self.latencies.len().max(1) as f64)
    }
}

pub async fn connect(origin: &str) -> Result<Channel> {
    Ok(Channel::from_shared(origin.to_owned())?.tcp_nodelay(true).connect().await?)
}

async fn read(channel: &Channel, question: v1::ReadChangesRequest, token: &AsciiMetadataValue) -> Result<v1::ReadChangesResponse> {
    let mut namespaces = NamespaceServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
    Ok(namespaces.read_changes(as_caller(question, token)).await?.into_inner())
}

fn complete(answer: &v1::ReadChangesResponse, with_chain: bool) -> Result<()> {
    let objects: usize = answer.namespaces.iter().map(|news| news.objects.len()).sum();
    let chain = answer.links.is_empty() != with_chain && (answer.wraps.len() == 1 || !with_chain);
    ensure!(objects == SECRETS * 4 && chain && !answer.more, "the answer is not everything");
    Ok(())
}

pub async fn log_in(channel: &Channel, agent: &Agent) -> Result<AsciiMetadataValue> {
    let request = with_version(v1::LogInRequest { assertion: agent.assertion()? });
    let answer = AccountServiceClient::new(channel.clone()).log_in(request).await?.into_inner();
    Ok(format!("Bearer {}", answer.access_token).parse()?)
}

pub fn as_caller<T>(message: T, token: &AsciiMetadataValue) -> Request<T> {
    let mut request = with_version(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

fn with_version<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(CLIENT_HEADER, AsciiMetadataValue::from_static("bench/0; protocol=1"));
    request
}
