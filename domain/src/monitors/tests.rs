//! Monitors on both stores, with a clock that tests move.

mod people;
mod set_back;
mod world;

use super::*;
use crate::Error;
use crate::scratch::on_each_engine;
use world::{MINUTE, World};

const HOUR: u64 = 60 * MINUTE;

#[tokio::test]
async fn an_incident_opens_after_three_failures_and_ends_after_two_successes() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        world.look(Ok(())).await;
        assert_eq!(world.state(api).await, State::Up);
        for _ in 0..2 {
            world.look(Err("it answered 500")).await;
            assert_eq!(world.state(api).await, State::Pending);
        }
        world.look(Err("it answered 500")).await;
        assert_eq!(world.state(api).await, State::Down);
        // A worker starts anew in the middle: everything it needs is in the rows.
        world.look(Err("it answered 502")).await;
        world.look(Ok(())).await;
        assert_eq!(world.state(api).await, State::Down);
        world.look(Ok(())).await;
        let monitor = world.monitor(api).await;
        assert_eq!((monitor.standing.state, monitor.standing.incident, monitor.standing.problem), (State::Up, None, None));
        let [incident] = &world.incidents(false).await[..] else { panic!("one incident") };
        assert_eq!((incident.cause.as_str(), incident.flapping), ("it answered 500", false));
        assert!(incident.resolved_ms.unwrap() > incident.opened_ms);
        let lines: Vec<Line> = world.timeline(incident.id).await.events.into_iter().map(|event| event.line).collect();
        assert_eq!(lines, [Line::Opened, Line::Otherwise, Line::Resolved]);
        assert!(world.incidents(true).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_two_workers_one_gets_a_look_and_a_late_result_is_dropped() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        store.clock().advance_ms(MINUTE);
        let slow = world.claim("slow", 10).await;
        assert_eq!((slow.len(), slow[0].monitor, world.claim("other", 10).await.len()), (1, api, 0));
        store.clock().advance_ms(LEASE_MS);
        let taken = world.claim("other", 10).await;
        assert_eq!(taken.len(), 1);
        world.record(&slow[0], Err("late")).await;
        assert_eq!(world.state(api).await, State::Unknown);
        world.record(&taken[0], Ok(())).await;
        world.record(&taken[0], Err("twice")).await;
        assert_eq!(world.state(api).await, State::Up);
        assert_eq!(world.monitor(api).await.uptime.day.down_ms, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_is_due_for_the_next() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        world.add("api", "https://api.example.com/").await;
        store.clock().advance_ms(MINUTE);
        let claimed = world.claim("leaving", 10).await;
        let tx = store.write().await.unwrap();
        give_back(&tx, &claimed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(world.claim("staying", 10).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_out_is_due_an_interval_later() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        world.add("api", "https://api.example.com/").await;
        let count = async || {
            let tx = store.read().await.unwrap();
            let count = count_due(&tx).await.unwrap();
            tx.commit().await.unwrap();
            count
        };
        assert_eq!(count().await, 0);
        store.clock().advance_ms(MINUTE);
        let claimed = world.claim("busy", 10).await;
        assert_eq!((claimed.len(), count().await), (1, 1));
        let leave = async || {
            let tx = store.write().await.unwrap();
            leave_out(&tx, &claimed).await.unwrap();
            tx.commit().await.unwrap();
        };
        leave().await;
        assert_eq!((count().await, world.claim("busy", 10).await.len()), (0, 0));
        store.clock().advance_ms(MINUTE);
        assert_eq!(world.claim("other", 10).await.len(), 1);
        leave().await;
        assert_eq!(count().await, 1, "a claim of an earlier round leaves nothing out");
    })
    .await;
}

#[tokio::test]
async fn the_longest_overdue_come_first_and_no_more_than_asked_for() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        for n in 0..5 {
            world.add(&format!("api {n}"), &format!("https://api{n}.example.com/")).await;
            store.clock().advance_ms(MINUTE);
        }
        let first = world.claim("one", 2).await;
        let rest = world.claim("one", 10).await;
        assert_eq!((first.len(), rest.len()), (2, 3));
        let dues: Vec<u64> = first.iter().chain(&rest).map(|due| due.due_ms).collect();
        assert!(dues.is_sorted());
    })
    .await;
}

#[tokio::test]
async fn a_monitor_that_nobody_looks_at_is_stale_and_was_neither_up_nor_down() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        world.look(Ok(())).await;
        store.clock().advance_ms(6 * HOUR);
        let monitor = world.monitor(api).await;
        assert_eq!((monitor.standing.state, monitor.uptime.day.down_ms), (State::Stale, 0));
        assert!(monitor.uptime.day.up_ms < 5 * MINUTE);
        world.look(Err("refused")).await;
        assert_eq!(world.state(api).await, State::Pending);
        let known = world.monitor(api).await.uptime.day;
        assert!(known.up_ms < 5 * MINUTE && known.down_ms == 0);
    })
    .await;
}

#[tokio::test]
async fn uptime_is_what_looks_stood_for() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        world.look(Ok(())).await;
        let begun = store.clock().now_ms();
        for round in 0..120 {
            world.look(if (60..75).contains(&round) { Err("down") } else { Ok(()) }).await;
        }
        let monitor = world.monitor(api).await;
        let Share { up_ms, down_ms, latency_ms } = monitor.uptime.day;
        assert_eq!(up_ms + down_ms, store.clock().now_ms() - begun);
        assert_eq!(down_ms, 15 * world::ROUND_MS);
        assert_eq!(latency_ms, 40);
        assert_eq!((monitor.uptime.week, monitor.uptime.month), (monitor.uptime.day, monitor.uptime.day));
        // Two days later the day is empty, the week is not; after five weeks nothing is counted, and after more than a year nothing is kept.
        let later = async |days: u64| {
            store.clock().advance_ms(days * 24 * HOUR);
            let tx = store.write().await.unwrap();
            prune(&tx).await.unwrap();
            tx.commit().await.unwrap();
            let uptime = world.monitor(api).await.uptime;
            [uptime.day, uptime.week, uptime.month].map(|share| share.down_ms > 0)
        };
        assert_eq!(later(2).await, [false, true, true]);
        assert_eq!(later(7).await, [false, false, true]);
        assert_eq!(later(30).await, [false, false, false]);
        later(370).await;
        assert!(world.uptime_rows().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn in_a_maintenance_nothing_counts_and_no_incident_opens() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let (api, other) = (world.add("api", "https://api.example.com/").await, world.add("other", "https://b.example.com/").await);
        world.look(Ok(())).await;
        for _ in 0..3 {
            world.look(Err("down")).await;
        }
        assert_eq!(world.state(api).await, State::Down);
        let now = store.clock().now_ms();
        let once = Schedule::Once { from_ms: now, to_ms: now + HOUR };
        let id = world.maintenance(Some(api), once).await;
        world.look(Err("down")).await;
        let before = world.monitor(api).await;
        assert_eq!((before.standing.state, before.standing.incident, world.state(other).await), (State::Maintenance, None, State::Down));
        for _ in 0..10 {
            world.look(Err("down")).await;
        }
        assert_eq!(world.monitor(api).await.uptime.day.down_ms, before.uptime.day.down_ms);
        assert!(world.monitor(other).await.uptime.day.down_ms > before.uptime.day.down_ms);
        assert_eq!(world.maintenances().await.len(), 1);
        store.clock().advance_ms(HOUR);
        assert!(world.maintenances().await.is_empty());
        world.look(Err("down")).await;
        assert_eq!(world.state(api).await, State::Pending);
        world.end_maintenance(id).await.unwrap();
        assert!(matches!(world.end_maintenance(id).await, Err(Error::Forbidden)));
    })
    .await;
}

#[tokio::test]
async fn what_fails_together_at_one_host_has_one_leader() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        for n in 0..3 {
            world.add(&format!("path {n}"), &format!("https://api.example.com/{n}")).await;
        }
        world.add("elsewhere", "https://else.example.com/").await;
        for _ in 0..3 {
            world.look(Err("down")).await;
        }
        let open = world.incidents(true).await;
        let mut leaders: Vec<IncidentId> = open.iter().map(|incident| incident.leader).collect();
        leaders.sort_unstable();
        leaders.dedup();
        assert_eq!((open.len(), leaders.len()), (4, 2));
    })
    .await;
}

#[tokio::test]
async fn a_pause_ends_the_incident_and_a_result_under_way_changes_nothing() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        for _ in 0..3 {
            world.look(Err("down")).await;
        }
        store.clock().advance_ms(MINUTE);
        let under_way = world.claim("one", 1).await;
        world.pause(api).await;
        world.record(&under_way[0], Ok(())).await;
        assert_eq!(world.state(api).await, State::Paused);
        assert!(world.incidents(true).await.is_empty());
        store.clock().advance_ms(24 * HOUR);
        assert!(world.claim("one", 10).await.is_empty());
        assert_eq!(world.state(api).await, State::Paused);
        world.resume(api).await;
        world.look(Ok(())).await;
        assert_eq!(world.state(api).await, State::Up);
    })
    .await;
}

#[tokio::test]
async fn a_changed_monitor_starts_anew_and_an_old_revision_is_refused() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        for _ in 0..3 {
            world.look(Err("down")).await;
        }
        world.update(api, 1, "https://new.example.com/").await.unwrap();
        let monitor = world.monitor(api).await;
        assert_eq!((monitor.standing.state, monitor.revision, monitor.standing.incident), (State::Unknown, 2, None));
        assert_eq!(monitor.target.url, "https://new.example.com/");
        assert!(matches!(world.update(api, 1, "https://x.example/").await, Err(Error::Conflict { current: Some(2), .. })));
        assert!(matches!(world.update(api, 2, "gopher://x.example/").await, Err(Error::Invalid { field: "url", .. })));
    })
    .await;
}

#[tokio::test]
async fn a_removed_monitor_leaves_nothing() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        for _ in 0..4 {
            world.look(Err("down")).await;
        }
        let now = store.clock().now_ms();
        world.maintenance(Some(api), Schedule::Once { from_ms: now, to_ms: now + HOUR }).await;
        world.remove(api).await;
        assert!(world.incidents(false).await.is_empty() && world.maintenances().await.is_empty());
        assert!(world.uptime_rows().await.is_empty() && world.claim("one", 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn names_are_one_of_a_kind_in_their_place_and_lists_come_in_pages() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        for n in 0..5 {
            world.add(&format!("api {n}"), "https://api.example.com/").await;
            store.clock().advance_ms(1);
        }
        assert!(matches!(world.try_add("api 3", "https://api.example.com/").await, Err(Error::Invalid { field: "name", .. })));
        let (first, next) = world.list(3, None).await;
        let (rest, end) = world.list(3, next).await;
        let names: Vec<String> = first.into_iter().chain(rest).map(|monitor| monitor.target.name).collect();
        assert_eq!(names, ["api 0", "api 1", "api 2", "api 3", "api 4"]);
        assert_eq!(end, None);
    })
    .await;
}
