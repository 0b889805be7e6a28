//! Servers, workers and a Redis killed with -9 while secrets are written that are about to end, and while the mail server is away, slow, greylists
//! and refuses one recipient for ever: of each write that was acknowledged one mail tells each of the others.
//!
//! Some workers are killed by the mail server, in the moment in which it has taken a mail and before they hear of it: that mail comes again, under
//! the same message id, and no other does.
//!
//! `KEYVAWLT_TEST_KILLS=200` makes a longer run of each; what it did is printed.

mod scene;
mod told;

use super::{kills_asked_for, seed};
use crate::world::{Engine, RedisServer, Register, Weather};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{Error, FactsInput, SecretWrite, Vault};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use scene::{Scene, Strike};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use told::Told;

/// On each ground; twenty in all.
const KILLS: u32 = 5;
/// A person gets 120 messages an hour from one organization as they come: a longer run has more of these.
const KILLS_OF_AN_ORGANIZATION: u32 = 50;
/// How long what was started lives before the next kill, at most: about as long as a message gathers here, so that kills meet every step.
const LIFE_MS: u64 = 1_500;
/// Of one write after the other.
const PAUSE_BETWEEN_WRITES: Duration = Duration::from_millis(1_400);
/// A mail shows twenty secrets and counts the rest. When somebody has not heard of so many, because his message met one bad day after the other,
/// the writer waits.
const UNHEARD: usize = 15;
/// Ends between two thresholds of alerts: one is due at once, and no other for long.
const ENDS_IN: Duration = Duration::from_hours(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_with_ids_in_memory() {
    Box::pin(play(Ground { engine: Engine::Sqlite, redis: None, workers: 0 })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_with_ids_in_redis() {
    let Some(redis) = RedisServer::start() else { return };
    Box::pin(play(Ground { engine: Engine::Sqlite, redis: Some(redis), workers: 0 })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_with_two_workers_and_ids_in_memory() {
    if !Engine::Postgres.is_left_out() {
        Box::pin(play(Ground { engine: Engine::Postgres, redis: None, workers: 2 })).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_with_two_workers_and_ids_in_redis() {
    let Some(redis) = RedisServer::start() else { return };
    if !Engine::Postgres.is_left_out() {
        Box::pin(play(Ground { engine: Engine::Postgres, redis: Some(redis), workers: 2 })).await;
    }
}

/// What everything stands on.
struct Ground {
    engine: Engine,
    redis: Option<RedisServer>,
    /// None: one process is everything.
    workers: usize,
}

#[expect(clippy::print_stderr, reason = "the counts of a recorded run, past a runner that hides what passing tests print")]
async fn play(ground: Ground) {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut scene = Scene::start(ground).await;
    let kills = kills_asked_for(KILLS);
    let places = scene.settle(1 + kills / KILLS_OF_AN_ORGANIZATION).await;
    let enough = CancellationToken::new();
    let writer = write_on(places, scene.mail.register(), &enough);
    let striking = async {
        let mut killed: BTreeMap<Strike, u32> = BTreeMap::new();
        let mut bag: Vec<Strike> = Vec::new();
        for nth in 0..kills {
            let weather = weather(nth, &mut rng);
            scene.mail.turns(weather);
            tokio::time::sleep(Duration::from_millis(rng.random_range(50..LIFE_MS))).await;
            if bag.is_empty() {
                bag = scene.strikes();
                bag.shuffle(&mut rng);
                bag.push(Strike::Unheard);
            }
            let strike = bag.pop().expect("it was filled");
            if strike.is_trap() {
                scene.meets(weather).await;
                scene.mail.turns(Weather::Fair);
                scene.strike(strike, &mut rng).await;
            } else {
                scene.strike(strike, &mut rng).await;
                scene.meets(weather).await;
            }
            *killed.entry(strike).or_default() += 1;
        }
        scene.mail.turns(Weather::Fair);
        enough.cancel();
        killed
    };
    let (written, killed) = tokio::join!(writer, striking);
    scene.hear_of_all(&written.acknowledged).await;
    let told = scene.told();
    let counts = told.check(&written, &scene.ended());
    for (vault, _) in &written.places {
        scene.check_record(vault).await;
    }
    eprintln!("killed {killed:?}; the mail server: {}; {counts}", scene.weather_met());
    scene.end().await;
}

/// Each kind in turn.
fn weather(nth: u32, rng: &mut StdRng) -> Weather {
    match nth % 5 {
        1 => Weather::Grey,
        // Some of it lasts longer than the worker's patience.
        2 => Weather::Slow(Duration::from_millis(rng.random_range(500..2 * scene::PATIENCE_MS))),
        3 => Weather::Away,
        _ => Weather::Fair,
    }
}

/// What the writer was told.
struct Written {
    places: Vec<(Vault, NsId)>,
    acknowledged: BTreeSet<String>,
    /// Sent, and nothing heard.
    lost: BTreeSet<String>,
}

/// In one place after the other.
async fn write_on(mut places: Vec<(Vault, NsId)>, register: Register, enough: &CancellationToken) -> Written {
    let (mut acknowledged, mut lost) = (BTreeSet::new(), BTreeSet::new());
    for n in 0_usize.. {
        while !enough.is_cancelled() && Told::of(register.taken()).unheard_at_most(&acknowledged) >= UNHEARD {
            tokio::time::sleep(PAUSE_BETWEEN_WRITES).await;
        }
        if enough.is_cancelled() {
            break;
        }
        let label = format!("{n:06}");
        let expires_ms = Scene::now_ms() + u64::try_from(ENDS_IN.as_millis()).expect("a short time");
        let facts = FactsInput { expires_ms: Some(expires_ms), label: Some(format!("key-{label}")), ..FactsInput::default() };
        let write = SecretWrite { facts: Some(facts), ..SecretWrite::new(format!("keys/{n}"), "value") };
        let nth = n % places.len();
        let (vault, environment) = &mut places[nth];
        match vault.write(environment, &[write]).await {
            Ok(_) => drop(acknowledged.insert(label)),
            Err(Error::Unreachable { .. }) => drop(lost.insert(label)),
            Err(error) => panic!("write {n}: {error}"),
        }
        tokio::time::sleep(PAUSE_BETWEEN_WRITES).await;
    }
    Written { places, acknowledged, lost }
}
