//! TV50: a login assertion that a client made for one server is used again, there or at another. The client names the server by the address it
//! knows itself, and an assertion counts once.

use crate::attack::{Expected, Row, Try};
use crate::proxy::call;
use crate::rpcs::{GetServerInfo, LogIn};
use crate::scene::Scene;
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_proto::v1;
use tonic::{Code, Status};

pub const ROW: Row = Row {
    id: "TV50",
    title: "Uses a login assertion again",
    tries: &[
        Try::new("at the same server", Expected::Defeated(|| Box::pin(at_the_same()))),
        Try::new("at another server with the same accounts", Expected::Defeated(|| Box::pin(at_another()))),
    ],
};

async fn at_the_same() {
    let scene = Scene::start().await;
    let assertion = assertion(&scene, &scene.server.origin()).await;
    log_in(&scene, &assertion).await.expect("the control: once");
    assert_eq!(log_in(&scene, &assertion).await.expect_err("twice").code(), Code::Unauthenticated);
    scene.end().await;
}

async fn at_another() {
    let scene = Scene::start().await;
    let here = assertion(&scene, &scene.server.origin()).await;
    let elsewhere = assertion(&scene, "http://127.0.0.1:9").await;
    assert_eq!(log_in(&scene, &elsewhere).await.expect_err("it is for another server").code(), Code::Unauthenticated);
    log_in(&scene, &here).await.expect("the control: one for this server");
    scene.end().await;
}

/// What Bob's device signs for the server it knows as `origin`.
async fn assertion(scene: &Scene, origin: &str) -> String {
    let info = call::<GetServerInfo>(scene.honest(), None, &v1::GetServerInfoRequest {}).await.expect("a clock");
    let device = &scene.bob.device;
    let subject = Subject::Slot(device.account_id, device.slot_id);
    assertion::make(subject, origin, info.now_ms / 1000, [4; 16], &device.slot_key().login_key()).expect("an assertion")
}

async fn log_in(scene: &Scene, assertion: &str) -> Result<v1::LogInResponse, Status> {
    call::<LogIn>(scene.honest(), None, &v1::LogInRequest { assertion: assertion.to_owned() }).await
}
