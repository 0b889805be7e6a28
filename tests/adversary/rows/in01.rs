//! IN01: what an attacker shares with a victim is stored together with the victim's secrets, and sizes tell whether they are equal or alike.
//! Nothing is compressed, nothing is stored once for two, and sizes come in steps.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::scene::Scene;
use keyvawlt_client::SecretWrite;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "IN01",
    title: "Compares secrets by size, or finds equal ones",
    tries: &[Try::new("values and names of different length; the same value twice", Expected::Defeated(|| Box::pin(sizes())))],
};

async fn sizes() {
    let mut scene = Scene::start().await;
    let before = scene.server.calls().len();
    let production = scene.production;
    let values = [("a", "x".repeat(3)), ("equal/one", "y".repeat(120)), ("equal/other_and_longer_name", "y".repeat(120)), ("b", "z".repeat(600))];
    for (name, value) in &values {
        scene.ada.vault().write(&production, &[SecretWrite::new(*name, value.as_str())]).await.expect("a write");
    }
    let written: Vec<v1::Batch> = forge::batches(&scene.server.calls()[before..]).collect();
    let of_kind = |nth: usize, kind: v1::ObjectKind| {
        written[nth].objects.iter().find(|object| object.kind() == kind).expect("an object").data.clone()
    };
    let size = |nth, kind| of_kind(nth, kind).len();
    let (payload, name) = (v1::ObjectKind::Payload, v1::ObjectKind::Name);
    assert_eq!((size(0, payload), size(0, name)), (size(1, payload), size(1, name)), "short ones are all alike");
    assert!(size(3, payload) > size(1, payload), "the control: a much longer value is seen to be longer");
    for kind in [payload, v1::ObjectKind::Dek, name] {
        assert_ne!(of_kind(1, kind), of_kind(2, kind), "equal values are not equal where they are stored");
    }
    scene.end().await;
}
