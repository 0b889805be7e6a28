//! TV36: the server never sends a mail, or sends a false one. Mails carry nothing that gives access, and what is due is computed by every client
//! from facts that their owner's signature covers: `keyvawlt status` shows it whatever the server does.

use crate::attack::{Expected, Row, Try};
use crate::black_box::{Machine, text};
use crate::scene::{CANARY, DAY_MS, Scene};
use keyvawlt_client::{FactsInput, SecretWrite};

pub const ROW: Row = Row {
    id: "TV36",
    title: "Never sends the mail that something expires",
    tries: &[Try::new("a secret that expires tomorrow, and no mail", Expected::Visible(|| Box::pin(silent())))],
};

async fn silent() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let bob = Machine::of(&mut scene);
    let before = text(&bob.run(&["status"]).await.stdout);
    assert!(!before.contains("due/soon"), "the control: nothing is due yet: {before}");
    let now = scene.ada.vault().now_ms();
    let mut write = SecretWrite::new("due/soon", CANARY);
    write.facts = Some(FactsInput { expires_ms: Some(now + DAY_MS), ..FactsInput::default() });
    scene.ada.vault().write(&production, &[write]).await.expect("a secret");
    let shown = text(&bob.run(&["status"]).await.stdout);
    assert!(shown.contains("due/soon") && shown.contains("expires"), "{shown}");
    scene.end().await;
}
