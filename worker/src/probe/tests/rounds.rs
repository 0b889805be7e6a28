//! The round over a store: who is looked at, how often, and what stopping leaves behind.

use super::*;
use crate::{Execution, MailTransport, Mailer, Outbox, Queue, Worker, WorkerParts};
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_schema::monitor::{self, Entity};
use sea_orm::ActiveValue::Set;
use sea_orm::{Database, DatabaseConnection, EntityTrait as _};
use site::{answers, silence};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const NOW: u64 = 1_795_424_400_000;
const MINUTE_MS: u64 = 60_000;

/// A store with monitors, and workers on it.
struct Tower {
    store: Store,
    rows: DatabaseConnection,
    tasks: TaskTracker,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Tower {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("vault.db").display());
        let store = Store::open(&url, Clock::fixed(NOW), Random::System).await.expect("a store");
        // Past the permits: who may make a monitor is not the question here.
        let rows = Database::connect(&url).await.expect("the same store");
        Self { store, rows, tasks: TaskTracker::new(), stop: CancellationToken::new(), _folder: folder }
    }

    async fn add(&self, count: usize, org: u8, url: &str) {
        let rules = Rules { timeout_ms: 1_500, ..rules() };
        let rows = (0..count).map(|n| monitor::ActiveModel {
            org_id: Set(vec![org; 32]),
            monitor_id: Set(Random::System.bytes::<16>().to_vec()),
            ns_id: Set(vec![]),
            name: Set(format!("{org} {url} {n}")),
            url: Set(url.to_owned()),
            host: Set("here".to_owned()),
            rules: Set(serde_json::to_string(&rules).expect("rules")),
            interval: Set(60_000),
            state: Set(0),
            since: Set(0),
            memory: Set("{\"failures\":0,\"successes\":0,\"changes\":[],\"latencies\":[],\"slow\":0,\"quick\":0}".to_owned()),
            incident_id: Set(None),
            next_at: Set(i64::try_from(NOW + 1).ok()),
            lease_until: Set(None),
            leased_by: Set(None),
            round: Set(0),
            checked_at: Set(None),
            passed: Set(None),
            latency: Set(None),
            problem: Set(None),
            certificate_ends_at: Set(None),
            revision: Set(0),
            created_at: Set(0),
        });
        Entity::insert_many(rows).exec_without_returning(&self.rows).await.expect("rows");
    }

    fn worker(&self, name: &str, allow: &[String], probes: usize) -> Worker {
        let mailer = Mailer::new(MailTransport::Memory(Outbox::default()), "KeyVawlt <keyvawlt@localhost>").expect("a mailer");
        let outbound = outbound(allow, RootCertStore::empty());
        let parts = WorkerParts { store: self.store.clone(), mailer, outbound, public_origin: None, name: name.to_owned() };
        Worker::start(parts, &Execution { concurrency: 1, probes, queue: Queue::Memory }, &self.tasks, &self.stop)
    }

    async fn all(&self) -> Vec<monitor::Model> {
        Entity::find().all(&self.rows).await.expect("rows")
    }

    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test]
async fn two_workers_look_at_each_once() {
    let tower = Tower::new().await;
    let site = Site::start(answers("200 OK", "")).await;
    tower.add(60, 1, &site.url("/")).await;
    tower.add(60, 2, &site.url("/")).await;
    let workers = ["one", "two"].map(|name| tower.worker(name, &[site.listed()], 64));
    tower.store.clock().advance_ms(MINUTE_MS);
    for worker in &workers {
        worker.drain().await.unwrap();
    }
    assert_eq!(site.requests().len(), 120, "each once");
    let looks: u64 = workers.iter().map(|worker| worker.lag().looks).sum();
    assert_eq!(looks, 120);
    for row in tower.all().await {
        assert_eq!((row.passed, row.state, row.lease_until), (Some(true), 1, None));
        assert!(row.next_at.unwrap() > i64::try_from(NOW + MINUTE_MS).unwrap(), "the next look has its time");
    }
    tower.stop().await;
}

#[tokio::test]
async fn slow_targets_do_not_delay_the_others() {
    let tower = Tower::new().await;
    let slow = Site::start(silence()).await;
    let fast = Site::start(answers("200 OK", "")).await;
    // The slow come first, and are more than there are places.
    tower.add(200, 1, &format!("http://slow.internal:{}/", slow.port())).await;
    tower.add(20, 1, &fast.url("/")).await;
    tower.add(20, 2, &fast.url("/")).await;
    let listed = [format!("slow.internal:{}", slow.port()), fast.listed()];
    tower.worker("one", &listed, 64);
    let began = Instant::now();
    tower.store.clock().advance_ms(MINUTE_MS);
    asked(&fast, 40).await;
    assert!(began.elapsed() < Duration::from_millis(1_400), "within less than a slow look's time: {:?}", began.elapsed());
    assert!(slow.requests().len() <= 16, "a host is asked by few at once: {}", slow.requests().len());
    tower.stop().await;
    let rows = tower.all().await;
    assert!(rows.iter().all(|row| row.lease_until.is_none()), "everything was written down, left out, or given back");
    let ended = rows.iter().filter(|row| row.passed == Some(false)).count();
    assert!(ended >= 16, "what ran when it stopped came to its end: {ended}");
}

#[tokio::test]
async fn a_worker_that_dies_leaves_its_looks_to_the_next() {
    let tower = Tower::new().await;
    let site = Site::start(answers("200 OK", "")).await;
    tower.add(5, 1, &site.url("/")).await;
    tower.store.clock().advance_ms(MINUTE_MS);
    let tx = tower.store.write().await.unwrap();
    assert_eq!(keyvawlt_domain::monitors::claim_due(&tx, "dead", 10).await.unwrap().len(), 5);
    tx.commit().await.unwrap();
    let worker = tower.worker("one", &[site.listed()], 64);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(site.requests().len(), 0, "the lease holds");
    tower.store.clock().advance_ms(MINUTE_MS);
    worker.drain().await.unwrap();
    assert_eq!(site.requests().len(), 5);
    tower.stop().await;
}

/// Waits until a target was asked so often.
async fn asked(site: &Site, times: usize) {
    while site.requests().len() < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
