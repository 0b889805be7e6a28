//! Certificates that end: whoever reads the monitor's environment hears of each threshold once, as long as the certificate is the one seen last.

use super::super::*;
use super::world::*;
use crate::Store;
use crate::authorize::authorize;
use crate::monitors::{self, Method, MonitorId, Outcome, ProbeResult, Rules, Statuses, Target};
use crate::scratch::{NOW, on_each_engine};

/// Longer than any wait between looks that are a minute apart.
const ROUND_MS: u64 = 100_000;

async fn watch(store: &Store) -> MonitorId {
    let rules = Rules {
        method: Method::Get,
        statuses: vec![Statuses(200, 299)],
        headers: vec![],
        body: None,
        timeout_ms: monitors::DEFAULT_TIMEOUT_MS,
        slow_ms: None,
    };
    let what = Target {
        name: "checkout".to_owned(),
        url: "https://shop.example.com/".to_owned(),
        rules,
        interval_ms: monitors::DEFAULT_INTERVAL_MS,
    };
    let tx = store.write().await.unwrap();
    let permit = authorize(&tx, As(READER).caller(), monitors::Change { org: ORG, ns: Some(CHILD), what }).await.unwrap();
    let monitor = monitors::create_monitor(&permit).await.unwrap();
    drop(permit);
    tx.commit().await.unwrap();
    monitor
}

/// One look that sees a certificate.
async fn look(store: &Store, ends_ms: u64) {
    store.clock().advance_ms(ROUND_MS);
    let tx = store.write().await.unwrap();
    for due in monitors::claim_due(&tx, "worker", 10).await.unwrap() {
        let (org, monitor, round, outcome) = (due.org, due.monitor, due.round, Outcome::Passed);
        let result = ProbeResult { org, monitor, round, outcome, latency_ms: 40, certificate_ends_ms: Some(ends_ms) };
        monitors::record(&tx, &[result]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Who was told of what since the last time, and how many days before.
async fn heard(store: &Store) -> Vec<(String, Vec<Item>)> {
    let mut heard = Vec::new();
    for id in messages_after_a_scan(store).await {
        heard.push(delivered(store, id).await);
    }
    heard
}

#[tokio::test]
async fn a_certificate_that_ends_is_told_once_for_each_threshold() {
    on_each_engine(async |store| {
        team(store, NOW + 300 * DAY_MS).await;
        let monitor = watch(store).await;
        look(store, NOW + 60 * DAY_MS).await;
        assert_eq!(heard(store).await, [], "two months are long");

        let ends_ms = store.clock().now_ms() + 13 * DAY_MS;
        look(store, ends_ms).await;
        look(store, ends_ms).await;
        let [(to, items)] = &heard(store).await[..] else { panic!("one message") };
        assert_eq!(to, READERS, "who reads the environment, and nobody else");
        let [Item::Certificate(told)] = &items[..] else { panic!("one notice: {items:?}") };
        assert_eq!((told.monitor, told.name.as_str(), told.ends_ms, told.ns), (monitor, "checkout", ends_ms, Some(CHILD)));

        store.clock().advance_ms(7 * DAY_MS);
        look(store, ends_ms).await;
        assert_eq!(heard(store).await.len(), 1, "a week before, again");

        store.clock().advance_ms(4 * DAY_MS);
        look(store, ends_ms).await;
        look(store, ends_ms + 300 * DAY_MS).await;
        let renewed: Vec<Item> = heard(store).await.into_iter().flat_map(|(_, items)| items).collect();
        assert_eq!(renewed, [], "renewed before anybody was told");
    })
    .await;
}
