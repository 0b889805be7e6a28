//! TV30: the server watches which secret a program uses, by what is asked, when and how large. An environment is fetched whole, so that no call
//! tells which secret was read; sizes come in steps (IN01). That an environment was read, and when, is seen.

use crate::attack::{Expected, Row, Try};
use crate::scene::{CANARY_NAME, OTHER_NAME, Scene};

pub const ROW: Row = Row {
    id: "TV30",
    title: "Watches which secret is used",
    tries: &[Try::new("two programs, each using another secret of an environment", Expected::Reduced(|| Box::pin(watched())))],
};

async fn watched() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let mut heard = Vec::new();
    for name in [CANARY_NAME, OTHER_NAME] {
        let state = scene.empty_state();
        let before = scene.server.calls().len();
        let account = scene.client().unlock_device(&scene.bob.device, None).await.expect("a login");
        let vault = account.open(account.organizations()[0], &state).await.expect("the organization");
        let opened = scene.server.calls().len();
        vault.read(&production, name).expect("the secret");
        let calls = &scene.server.calls()[before..];
        assert_eq!(opened, before + calls.len(), "using a secret is no call");
        let shape: Vec<(String, usize)> = calls.iter().map(|call| (call.path.clone(), call.message.len())).collect();
        assert!(shape.iter().any(|(path, _)| path.ends_with("ReadChanges")), "the control: that something was read is seen");
        heard.push(shape);
    }
    assert_eq!(heard[0], heard[1], "the calls for one secret are those for another");
    scene.end().await;
}
