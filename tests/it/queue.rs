//! The queue keeps its word wherever ids wait: the same stories in this process' memory and in a Redis.
//!
//! Jobs here are codes for accounts that do not exist: whoever runs one finds nothing to do.

use crate::world::{Engine, RedisServer, World, redis_place};
use keyvawlt_client::{FactsInput, SecretWrite};
use keyvawlt_domain::jobs::desk::{self, Listed, State};
use keyvawlt_domain::jobs::{self, AccountId, Job};
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_server::config::Role;
use keyvawlt_server::{Running, Server};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// As long as a worker that says nothing keeps a job, and a little longer.
const LEASE: Duration = Duration::from_millis(jobs::LEASE_MS + 1_000);
const HOUR: Duration = Duration::from_hours(1);

/// `on_each_queue!(story)` makes the tests `story::in_memory` and `story::in_redis` of `async fn story(World)`.
macro_rules! on_each_queue {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            use crate::world::{Engine, World, redis_place};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                super::$story(World::start().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_redis() {
                if let Some(place) = redis_place() {
                    super::$story(World::with(Engine::Sqlite, |config| config.worker.queue = place).await).await;
                }
            }
        }
    )+};
}

on_each_queue!(
    every_job_is_run_once,
    two_workers_run_each_job_once,
    a_job_that_failed_is_run_when_its_time_has_come,
    what_a_dead_worker_left_is_run_again,
    a_stop_gives_back_what_does_not_end,
    a_clock_that_jumps_loses_nothing_and_repeats_nothing,
    a_clock_that_jumps_tells_of_each_end_once,
);

async fn every_job_is_run_once(world: World) {
    let store = second_store(&world).await;
    write_jobs(&store, 300).await;
    write_jobs(&store, 300).await;
    world.drain().await;
    assert_run_once(&store, 300).await;
    world.stop().await;
}

async fn two_workers_run_each_job_once(world: World) {
    let second = second_worker(&world).await;
    let store = second_store(&world).await;
    write_jobs(&store, 300).await;
    let (one, other) = (world.server.worker().unwrap(), second.worker().unwrap());
    let (drained, too) = tokio::join!(one.drain(), other.drain());
    drained.and(too).unwrap();
    assert_run_once(&store, 300).await;
    assert!(second.stop().await);
    world.stop().await;
}

async fn a_job_that_failed_is_run_when_its_time_has_come(world: World) {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = world.restart_with(|config| config.worker.mail = Some(format!("smtp://{nobody}"))).await;
    world.newcomer("ada").await;
    world.drain().await;
    let store = second_store(&world).await;
    let waiting = every_job(&store).await;
    assert!(matches!(waiting[..], [Listed { state: State::Queued, failures: 1, attempts: 1, .. }]), "{waiting:?}");
    world.drain().await;
    assert_eq!(every_job(&store).await, waiting, "not before its time");
    let world = world.restart_with(|config| config.worker.mail = Some("memory:".to_owned())).await;
    world.pass(HOUR);
    world.drain().await;
    assert_eq!(world.mails_to("ada@example.com").len(), 1);
    world.stop().await;
}

async fn what_a_dead_worker_left_is_run_again(world: World) {
    let store = second_store(&world).await;
    write_jobs(&store, 3).await;
    let tx = store.write().await.unwrap();
    for id in jobs::due(&tx, 3).await.unwrap() {
        jobs::claim(&tx, id, "a worker that dies now").await.unwrap().expect("a claim");
    }
    tx.commit().await.unwrap();
    world.pass(LEASE);
    world.drain().await;
    let jobs = every_job(&store).await;
    assert!(jobs.iter().all(|job| (job.state, job.attempts) == (State::Done, 2)), "{jobs:?}");
    world.stop().await;
}

async fn a_stop_gives_back_what_does_not_end(world: World) {
    // Takes connections, and says nothing on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let world = world.restart_with(|config| config.worker.mail = Some(url)).await;
    let store = second_store(&world).await;
    world.newcomer("ada").await;
    while every_job(&store).await[0].state != State::Running {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Restarting fails when the server does not end in time.
    let world = world.restart_with(|config| config.role = Role::Api).await;
    let job = every_job(&store).await.remove(0);
    assert_eq!((job.state, job.failures, job.crashes, job.leased_by), (State::Queued, 0, 0, None));
    let world = world
        .restart_with(|config| {
            config.role = Role::All;
            config.worker.mail = Some("memory:".to_owned());
        })
        .await;
    world.drain().await;
    assert_eq!(world.mails_to("ada@example.com").len(), 1);
    // One that never failed may wait, and this one is done.
    world.stop().await;
}

async fn a_clock_that_jumps_loses_nothing_and_repeats_nothing(world: World) {
    let Clock::Fixed(now) = world.server_clock() else { panic!("a world's time stands still") };
    let hour = u64::try_from(HOUR.as_millis()).unwrap();
    let store = second_store(&world).await;
    write_jobs(&store, 50).await;
    now.fetch_sub(hour, Ordering::SeqCst);
    world.drain().await;
    write_jobs(&store, 70).await;
    world.drain().await;
    let done = every_job(&store).await.iter().filter(|job| job.state == State::Done).count();
    assert!(done >= 20, "{done}: what is written now is due now");
    now.fetch_add(30 * 24 * hour, Ordering::SeqCst);
    world.drain().await;
    // As long after as ended jobs are kept: some have been forgotten by the hourly cleaning, and none is left or was run twice.
    let jobs = every_job(&store).await;
    assert!(jobs.iter().all(|job| (job.state, job.attempts) == (State::Done, 1)), "{jobs:?}");
    world.stop().await;
}

async fn a_clock_that_jumps_tells_of_each_end_once(world: World) {
    let Clock::Fixed(now) = world.server_clock() else { panic!("a world's time stands still") };
    let hour = u64::try_from(HOUR.as_millis()).unwrap();
    let mut ada = world.resident("ada").await;
    let second = second_worker(&world).await;
    let mut vault = ada.account.found("Acme", &ada.state).await.unwrap();
    let production = vault.create_project("agents", &[("production", 3)]).await.unwrap()[0];
    for nth in 0..3 {
        let facts = FactsInput { expires_ms: Some(world.now_ms() + 60 * hour), label: Some(format!("key-{nth}")), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), ..SecretWrite::new(format!("keys/{nth}"), "value") };
        vault.write(&production, &[write]).await.unwrap();
    }
    world.drain().await;
    let told = || {
        let mails = [world.mails(), second.outbox().expect("an outbox").lock().expect("no panic").clone()].concat();
        (0..3).map(|nth| mails.iter().filter(|mail| mail.text.contains(&format!("key-{nth} "))).count()).collect::<Vec<_>>()
    };
    // The message waits for company. Set back, the clock makes it wait for longer, and a day's ticks come again.
    for (jump, times) in [(-1, [0; 3]), (2, [1; 3]), (-24, [1; 3]), (25, [1; 3]), (72, [2; 3]), (-72, [2; 3]), (74, [2; 3])] {
        now.fetch_add(hour.wrapping_mul(i64::from(jump).cast_unsigned()), Ordering::SeqCst);
        world.tick().await;
        assert_eq!(told(), times, "after {jump} hours");
    }
    assert!(second.stop().await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_few_ids_and_the_table_holds_the_rest() {
    let Some(place) = redis_place() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let world = World::with(Engine::Sqlite, |config| {
        config.worker.queue.clone_from(&place);
        config.worker.mail = Some(url);
        config.worker.concurrency = 1;
    })
    .await;
    // The only hand is busy with a mail that does not go.
    world.newcomer("ada").await;
    let store = second_store(&world).await;
    while every_job(&store).await[0].state != State::Running {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    write_jobs(&store, 500).await;
    let (url, name) = place.split_once('#').unwrap();
    let mut redis = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut most = 0;
    for _ in 0..40 {
        let mut counts = redis::pipe();
        counts.llen(format!("{name}:jobs:active")).zcard(format!("{name}:jobs:scheduled")).hlen(format!("{name}:jobs:data"));
        let (active, coming, kept): (u64, u64, u64) = counts.query_async(&mut redis).await.unwrap();
        most = most.max(active + coming);
        assert!(kept <= 64 + 2, "{kept}: those, the one that runs, and one in the hand");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((1..=64).contains(&most), "{most}");
    let world = world.restart_with(|config| config.worker.mail = Some("memory:".to_owned())).await;
    world.drain().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_or_killed_or_away_loses_nothing() {
    let Some(mut redis) = RedisServer::start() else { return };
    let world = World::with(Engine::Sqlite, |config| config.worker.queue = redis.url()).await;
    let store = second_store(&world).await;
    write_jobs(&store, 400).await;
    let mut emptied = redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut emptied).await.unwrap();
    }
    world.drain().await;
    assert_run_once(&store, 400).await;

    write_jobs(&store, 800).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    redis.kill();
    let nobody_knows = every_job(&store).await.iter().filter(|job| job.state == State::Queued).count();
    // Longer than everybody's patience.
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.restart();
    world.drain().await;
    assert_run_once(&store, 800).await;
    println!("{nobody_knows} jobs waited while Redis was away");

    redis.kill();
    let world = world.restart().await;
    write_jobs(&store, 801).await;
    redis.restart();
    world.drain().await;
    assert_run_once(&store, 801).await;
    world.stop().await;
}

/// The world's store, past its server.
async fn second_store(world: &World) -> Store {
    Store::open(&world.database.url, world.server_clock(), Random::System).await.unwrap()
}

async fn second_worker(world: &World) -> Running {
    let mut config = world.config.clone();
    config.role = Role::Worker;
    Server::start(&config, world.server_clock()).await.unwrap()
}

/// As many as asked for in all, each once: their keys say so.
async fn write_jobs(store: &Store, count: u64) {
    let tx = store.write().await.unwrap();
    for nth in 0..count {
        let nobody = Job::EmailCode { account: AccountId([9; 16]) };
        jobs::enqueue(&tx, &nobody, tx.now_ms(), Some(format!("nth@{nth}"))).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn every_job(store: &Store) -> Vec<Listed> {
    let tx = store.read().await.unwrap();
    let all = desk::list(&tx, None, None, 10_000).await.unwrap();
    tx.commit().await.unwrap();
    all.into_iter().filter(|job| job.kind == "email_code").collect()
}

async fn assert_run_once(store: &Store, count: usize) {
    let jobs = every_job(store).await;
    assert_eq!(jobs.len(), count);
    let odd: Vec<&Listed> = jobs.iter().filter(|job| (job.state, job.attempts) != (State::Done, 1)).collect();
    assert!(odd.is_empty(), "{odd:?}");
}
