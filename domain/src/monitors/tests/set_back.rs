//! The clock was a year ahead for an hour, and is set back.

use super::*;
use crate::clock::Clock;
use crate::{Store, set_back};
use world::ROUND_MS;

const YEAR: u64 = 365 * 24 * HOUR;

async fn recover(store: &Store) -> u64 {
    let tx = store.write().await.unwrap();
    let called_back = set_back::recover(&tx).await.unwrap();
    tx.commit().await.unwrap();
    called_back
}

/// Looks for an hour at what a worker saw while its clock was ahead.
async fn an_hour_ahead(world: &World<'_>, clock: &Clock) {
    let now = clock.now_ms();
    clock.set_ms(now + YEAR);
    while clock.now_ms() < now + YEAR + HOUR {
        world.look(Ok(())).await;
    }
    clock.set_ms(now + HOUR);
}

#[tokio::test]
async fn monitors_are_looked_at_again_at_once_and_in_their_rhythm() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let mut ids = vec![];
        for n in 0..5 {
            ids.push(world.add(&format!("api {n}"), &format!("https://api{n}.example.com/")).await);
        }
        world.look(Ok(())).await;
        an_hour_ahead(&world, store.clock()).await;

        let monitor = world.monitor(ids[0]).await;
        assert_eq!(monitor.standing.state, State::Stale, "nothing fresh is known");
        assert!(monitor.uptime.month.up_ms < 5 * MINUTE, "what was seen ahead counts for no time that has been");
        assert_eq!((recover(store).await, recover(store).await), (5, 0));
        let claimed = world.claim("one", 10).await;
        assert_eq!((claimed.len(), world.claim("other", 10).await.len()), (5, 0), "each once");
        for due in &claimed {
            world.record(due, Ok(())).await;
        }
        assert_eq!((world.state(ids[0]).await, world.claim("one", 10).await.len(), recover(store).await), (State::Up, 0, 0));
        store.clock().advance_ms(ROUND_MS);
        assert_eq!(world.claim("one", 10).await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn what_somebody_took_then_and_never_wrote_down_is_taken_again() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        world.add("api", "https://api.example.com/").await;
        let now = store.clock().now_ms();
        store.clock().set_ms(now + YEAR);
        let lost = world.claim("killed", 10).await;
        store.clock().set_ms(now + MINUTE);
        let taken = world.claim("other", 10).await;
        assert_eq!((lost.len(), taken.len(), world.claim("third", 10).await.len()), (1, 1, 0));
        world.record(&lost[0], Err("late")).await;
        world.record(&taken[0], Ok(())).await;
        assert_eq!(world.state(taken[0].monitor).await, State::Up);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_a_little_off_changes_nothing() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        world.look(Ok(())).await;
        let claimed = {
            store.clock().advance_ms(ROUND_MS);
            world.claim("one", 1).await
        };
        store.clock().set_ms(store.clock().now_ms() - 5 * MINUTE);
        assert_eq!((recover(store).await, world.claim("other", 1).await.len()), (0, 0));
        world.record(&claimed[0], Ok(())).await;
        assert_eq!((recover(store).await, world.state(api).await), (0, State::Up));
    })
    .await;
}

#[tokio::test]
async fn an_incident_that_opened_then_is_still_spoken_of_and_no_monitor_flaps_for_it() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        let now = store.clock().now_ms();
        store.clock().set_ms(now + YEAR);
        for outcome in [Err("down"), Err("down"), Err("down"), Ok(()), Ok(()), Err("down"), Err("down"), Err("down")] {
            world.look(outcome).await;
        }
        store.clock().set_ms(now + HOUR);
        recover(store).await;
        world.look(Err("down")).await;
        world.look(Err("down")).await;
        let open = world.incidents(true).await;
        let reminded = world.timeline(open[0].id).await.events.into_iter().filter(|event| event.line == Line::Reminded).count();
        assert_eq!((open.len(), reminded), (1, 1), "once");
        world.look(Ok(())).await;
        world.look(Ok(())).await;
        assert_eq!(world.state(api).await, State::Up, "its changes were not within this half hour");
    })
    .await;
}
