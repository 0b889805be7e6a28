//! TV51: a reader of the manifest guesses the facts of secrets from their hashes. Facts carry a salt of their own.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::{FactsInput, SecretWrite};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;

pub const ROW: Row = Row {
    id: "TV51",
    title: "Guesses facts from their hashes",
    tries: &[Try::new("two secrets with the same facts", Expected::Defeated(|| Box::pin(same_facts())))],
};

async fn same_facts() {
    let mut scene = Scene::start().await;
    let before = scene.server.calls().len();
    let facts = FactsInput { label: Some("Stripe live".to_owned()), ..FactsInput::default() };
    let write = |name: &str| SecretWrite { facts: Some(facts.clone()), ..SecretWrite::new(name, CANARY) };
    let production = scene.production;
    scene.ada.vault().write(&production, &[write("one"), write("other")]).await.expect("two secrets");
    let batch = forge::batches(&scene.server.calls()[before..]).next().expect("a write");
    let link = ManifestLink::from_bytes(&batch.manifest_links[0].payload).expect("a manifest link");
    let [one, other] = link.ops.as_slice() else { panic!("two leaves") };
    assert_ne!(one.facts_hash, other.facts_hash);
    scene.end().await;
}
