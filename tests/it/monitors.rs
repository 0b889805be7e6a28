//! A service fails, whoever depends on it is told, and told again when it is up; nobody else sees anything of it. The target is a small server of
//! the test's own, on this machine.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::monitors::{Monitor, MonitorState, MonitorTarget, Once, Schedule, StatusRange};
use keyvawlt_client::{Error, Vault};
use keyvawlt_domain::Clock;
use keyvawlt_worker::SentMail;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

on_each_store!(
    a_service_that_fails_is_told_of_once_and_again_when_it_is_up,
    nobody_hears_of_a_failure_in_a_maintenance,
    whoever_does_not_read_the_environment_sees_nothing,
    an_incident_outlasts_a_restart_of_the_server,
    a_service_is_watched_on_when_clocks_that_were_ahead_are_set_back,
);

/// Longer than any wait between two looks that are a minute apart.
const ROUND: Duration = Duration::from_secs(100);

async fn a_service_that_fails_is_told_of_once_and_again_when_it_is_up(world: World) {
    let (world, service) = with_service(world).await;
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&mut ada).await;
    let mut bob = world.resident("bob").await;
    world.admit(&mut vault, &mut bob, "Bob", &[]).await;
    watch(&vault, &production, &service).await;
    looked_at(&world).await;
    assert_eq!(state(&vault, &production).await, MonitorState::Up);

    service.answer(500);
    for _ in 0..2 {
        looked_at(&world).await;
        assert_eq!((state(&vault, &production).await, told(&world).len()), (MonitorState::Pending, 0), "once or twice may be nothing");
    }
    for _ in 0..3 {
        looked_at(&world).await;
    }
    assert_eq!(state(&vault, &production).await, MonitorState::Down);
    let mails = told(&world);
    let [mail] = mails.as_slice() else { panic!("one mail, not {}", mails.len()) };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ada@example.com", "Payments API is down"), "Bob does not read there");
    let incident = vault.incidents(&[production], None, true).await.unwrap().remove(0);
    for said in ["it answered 500", &service.url, "keyvawlt monitor ack"] {
        assert!(mail.text.contains(said), "{said} is missing: {}", mail.text);
    }

    // An hour later somebody is reminded, once; whoever takes it on is left in peace.
    world.pass(Duration::from_hours(1));
    looked_at(&world).await;
    looked_at(&world).await;
    assert!(told(&world)[1].subject.starts_with("Payments API is still down, for 1 hour"), "{}", told(&world)[1].subject);
    vault.acknowledge_incident(&incident).await.unwrap();

    service.answer(204);
    looked_at(&world).await;
    assert_eq!((state(&vault, &production).await, told(&world).len()), (MonitorState::Down, 2), "once may be luck");
    looked_at(&world).await;
    assert_eq!(state(&vault, &production).await, MonitorState::Up);
    let mails = told(&world);
    assert_eq!(mails.len(), 3);
    assert!(mails[2].subject.starts_with("Payments API is up again after 1 hour and "), "{}", mails[2].subject);
    let incident = vault.incidents(&[production], None, false).await.unwrap().remove(0);
    let kinds: Vec<String> = vault.timeline(&incident).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["opened", "reminded", "acknowledged", "resolved"]);
    assert!(incident.resolved_ms > incident.opened_ms);
    let share = monitor(&vault, &production).await.day.unwrap();
    assert!(share.up_ms > 0 && share.down_ms > 0, "{share:?}");
    world.stop().await;
}

async fn nobody_hears_of_a_failure_in_a_maintenance(world: World) {
    let (world, service) = with_service(world).await;
    let mut ada = world.resident("ada").await;
    let (vault, production) = shop(&mut ada).await;
    watch(&vault, &production, &service).await;
    let once = Once { from_ms: world.now_ms(), to_ms: world.now_ms() + 3_600_000 };
    vault.add_maintenance(Some(&production), None, "a new database", Schedule::Once(once)).await.unwrap();
    service.answer(503);
    for _ in 0..6 {
        looked_at(&world).await;
        assert_eq!(state(&vault, &production).await, MonitorState::Maintenance);
    }
    assert!(told(&world).is_empty() && vault.incidents(&[production], None, false).await.unwrap().is_empty());
    world.pass(Duration::from_hours(1));
    for _ in 0..3 {
        looked_at(&world).await;
    }
    assert_eq!((state(&vault, &production).await, told(&world).len()), (MonitorState::Down, 1), "it is over, and the service still away");
    world.stop().await;
}

async fn whoever_does_not_read_the_environment_sees_nothing(world: World) {
    let (world, service) = with_service(world).await;
    let (mut ada, mut eve) = (world.resident("ada").await, world.resident("eve").await);
    let (mut vault, production) = shop(&mut ada).await;
    let (others, elsewhere) = shop(&mut eve).await;
    let mut bob = world.resident("bob").await;
    let bobs = world.admit(&mut vault, &mut bob, "Bob", &[]).await;
    watch(&vault, &production, &service).await;
    assert!(matches!(bobs.monitors(&[production]).await, Err(Error::Forbidden)));
    assert!(bobs.monitors(&[]).await.unwrap().is_empty(), "the organization itself has none");
    assert!(matches!(others.monitors(&[production]).await, Err(Error::Forbidden)));
    assert!(others.monitors(&[elsewhere]).await.unwrap().is_empty());
    let known = monitor(&vault, &production).await;
    assert!(matches!(others.pause_monitor(&known).await, Err(Error::Forbidden)));
    assert!(matches!(bobs.delete_monitor(&known).await, Err(Error::Forbidden)));
    // What is the organization's is every member's to see, and no other's.
    vault.create_monitor(None, target("Status page", &service.url)).await.unwrap();
    assert_eq!((bobs.monitors(&[]).await.unwrap().len(), others.monitors(&[]).await.unwrap().len()), (1, 0));
    world.stop().await;
}

async fn a_service_is_watched_on_when_clocks_that_were_ahead_are_set_back(world: World) {
    let Clock::Fixed(now) = world.server_clock() else { panic!("a world's time stands still") };
    let (world, service) = with_service(world).await;
    let mut ada = world.resident("ada").await;
    let (vault, production) = shop(&mut ada).await;
    watch(&vault, &production, &service).await;
    looked_at(&world).await;
    let year_ms = u64::try_from(Duration::from_hours(365 * 24).as_millis()).unwrap();
    now.fetch_add(year_ms, Ordering::SeqCst);
    for _ in 0..3 {
        looked_at(&world).await;
        world.tick().await;
    }
    assert_eq!(state(&vault, &production).await, MonitorState::Up);

    now.fetch_sub(year_ms, Ordering::SeqCst);
    assert_eq!(state(&vault, &production).await, MonitorState::Stale, "with an access token of its own time");
    service.answer(500);
    world.tick().await;
    for _ in 0..4 {
        looked_at(&world).await;
    }
    assert_eq!(state(&vault, &production).await, MonitorState::Down);
    assert_eq!(told(&world).len(), 1);
    world.stop().await;
}

async fn an_incident_outlasts_a_restart_of_the_server(world: World) {
    let (world, service) = with_service(world).await;
    let mut ada = world.resident("ada").await;
    let (vault, production) = shop(&mut ada).await;
    watch(&vault, &production, &service).await;
    service.answer(500);
    for _ in 0..4 {
        looked_at(&world).await;
    }
    let before = vault.incidents(&[production], None, true).await.unwrap();
    let world = world.restart().await;
    looked_at(&world).await;
    service.answer(200);
    for _ in 0..2 {
        looked_at(&world).await;
    }
    let after = vault.incidents(&[production], None, false).await.unwrap();
    assert_eq!((before.len(), after.len(), &before[0].incident_id), (1, 1, &after[0].incident_id));
    assert_eq!(told(&world).len(), 2, "down, and up");
    world.stop().await;
}

/// A service on this machine, and what it answers.
pub struct Service {
    pub url: String,
    status: Arc<AtomicU16>,
    _serving: JoinSet<()>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/health", listener.local_addr().expect("an address"));
        let status = Arc::new(AtomicU16::new(204));
        let says = Arc::clone(&status);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = format!("HTTP/1.1 {} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", says.load(Ordering::Relaxed));
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, status, _serving: serving }
    }

    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn place(&self) -> String {
        self.url.trim_start_matches("http://").trim_end_matches("/health").to_owned()
    }
}

/// A server that may go to the service, and nowhere else on this machine.
pub async fn with_service(world: World) -> (World, Service) {
    let service = Service::start().await;
    let place = service.place();
    let world = world.restart_with(|config| config.worker.outbound.allow = vec![place]).await;
    (world, service)
}

async fn shop(person: &mut Person) -> (Vault, NsId) {
    let mut vault = person.account.found("Corner Shop", &person.state).await.unwrap();
    vault.create_project("webshop", &[("production", 3)]).await.unwrap();
    let production = vault.environment("webshop", "production").unwrap().ns_id;
    (vault, production)
}

pub fn target(name: &str, url: &str) -> MonitorTarget {
    let statuses = vec![StatusRange { from: 200, to: 299 }];
    MonitorTarget { name: name.to_owned(), url: url.to_owned(), statuses, ..MonitorTarget::default() }
}

async fn watch(vault: &Vault, production: &NsId, service: &Service) {
    vault.create_monitor(Some(production), target("Payments API", &service.url)).await.unwrap();
}

/// Time passes until everything is due, is looked at, and whoever is to hear has heard.
pub async fn looked_at(world: &World) {
    world.pass(ROUND);
    world.drain().await;
}

async fn monitor(vault: &Vault, production: &NsId) -> Monitor {
    vault.monitors(&[*production]).await.unwrap().remove(0)
}

async fn state(vault: &Vault, production: &NsId) -> MonitorState {
    monitor(vault, production).await.state()
}

/// The mails about services.
fn told(world: &World) -> Vec<SentMail> {
    world.mails().into_iter().filter(|mail| !mail.subject.starts_with("Confirm")).collect()
}
