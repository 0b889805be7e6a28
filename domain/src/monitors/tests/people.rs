//! Who may do what with monitors.

use super::super::*;
use super::world::{ADMIN, READER, STRANGER, WRITER, World, target};
use crate::Error;
use crate::scratch::on_each_engine;

#[tokio::test]
async fn writers_change_and_readers_see_what_belongs_to_an_environment() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let api = world.add("api", "https://api.example.com/").await;
        for who in [READER, ADMIN, STRANGER] {
            assert!(matches!(world.change(who, target("x", "https://x.example/"), create_monitor).await, Err(Error::Forbidden)));
            assert!(matches!(world.change(who, PauseMonitor(api), pause_monitor).await, Err(Error::Forbidden)));
        }
        for who in [ADMIN, STRANGER] {
            assert!(matches!(world.read(who, api, get_monitor).await, Err(Error::Forbidden)));
        }
        assert_eq!(world.read(WRITER, api, get_monitor).await.unwrap().target.name, "api");
        assert_eq!(world.read(READER, api, get_monitor).await.unwrap().ns, Some(super::world::NS));
    })
    .await;
}

#[tokio::test]
async fn the_organizations_own_are_the_admins_to_change_and_everybodys_to_see() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        let make = || target("status page", "https://status.example.com/");
        assert!(matches!(world.change_at(WRITER, None, make(), create_monitor).await, Err(Error::Forbidden)));
        let id = world.change_at(ADMIN, None, make(), create_monitor).await.unwrap();
        assert_eq!(world.read(READER, id, get_monitor).await.unwrap().ns, None);
        // It is not the environment's: whoever writes there does not change it.
        assert!(matches!(world.change(WRITER, DeleteMonitor(id), delete_monitor).await, Err(Error::Forbidden)));
        world.change_at(ADMIN, None, DeleteMonitor(id), delete_monitor).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_takes_an_incident_on_is_named_and_the_second_changes_nothing() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        world.add("api", "https://api.example.com/").await;
        for _ in 0..3 {
            world.look(Err("down")).await;
        }
        let id = world.incidents(true).await[0].id;
        assert!(matches!(world.change(READER, id, acknowledge).await, Err(Error::Forbidden)));
        world.change(WRITER, id, acknowledge).await.unwrap();
        world.change(WRITER, id, acknowledge).await.unwrap();
        let Timeline { incident, events } = world.timeline(id).await;
        assert_eq!(incident.acknowledged.map(|(_, who)| who), Some(WRITER));
        assert_eq!(events.iter().filter(|event| event.line == Line::Acknowledged).count(), 1);
        for _ in 0..2 {
            world.look(Ok(())).await;
        }
        assert!(matches!(world.change(WRITER, id, acknowledge).await, Err(Error::Conflict { .. })));
    })
    .await;
}

#[tokio::test]
async fn an_organization_has_so_many_monitors_and_no_more() {
    on_each_engine(async |store| {
        let world = World::new(store).await;
        for n in 0..MAX_MONITORS {
            world.add(&format!("api {n}"), "https://api.example.com/").await;
        }
        assert!(matches!(world.try_add("one more", "https://api.example.com/").await, Err(Error::TooLarge { limit: MAX_MONITORS, .. })));
    })
    .await;
}
