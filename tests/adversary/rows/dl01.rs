//! DL01 and 1P02: what was written is dropped, reordered or duplicated. Histories are hashed from link to link, and every leaf's objects must
//! be there.

use crate::attack::{Attack, Row, Try};
use crate::moves::{Tamper, Tampered, of};
use crate::proxy::{Audience, Who};
use crate::rpcs::Commit;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "DL01",
    title: "Drops, reorders or duplicates what was written (also 1P02)",
    tries: &[
        Try::detected::<Tampered<Writes<DROP>>>("a write is left out", Code::Rollback).and_command_line::<Tampered<Writes<DROP>>>(),
        Try::detected::<Tampered<Writes<REORDER>>>("two writes change places", Code::Rollback),
        Try::detected::<Tampered<Writes<DUPLICATE>>>("a write comes twice", Code::Rollback),
        Try::detected::<Tampered<Writes<HALF>>>("the newest write is left out, and the answer said to be whole", Code::Rollback),
        Try::detected::<Tampered<Links<DROP>>>("a link of the organization's chain is left out", Code::Rollback).and_command_line::<Tampered<Links<DROP>>>(),
        Try::detected::<Tampered<Links<REORDER>>>("two links of the organization's chain change places", Code::Rollback),
        Try::detected::<Tampered<Links<DUPLICATE>>>("a link of the organization's chain comes twice", Code::Rollback),
        Try::detected::<Tampered<Links<HALF>>>("the chain's newest link is left out, and the answer said to be whole", Code::Rollback),
        Try::detected::<Tampered<DroppedObject>>("one value is left out, on a new machine", Code::Root),
        Try::detected::<Acknowledged>("a write is acknowledged and dropped", Code::Rollback),
    ],
};

const DROP: u8 = 1;
const REORDER: u8 = 2;
const DUPLICATE: u8 = 3;
const HALF: u8 = 4;

fn disturb(how: u8, statements: &mut Vec<v1::SignedStatement>) {
    assert!(statements.len() > 1, "there is something to disturb");
    match how {
        DROP => drop(statements.remove(0)),
        REORDER => statements.swap(0, 1),
        HALF => drop(statements.pop()),
        _ => statements.insert(0, statements[0].clone()),
    }
}

struct Writes<const HOW: u8>;

impl<const HOW: u8> Tamper for Writes<HOW> {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        for _ in 0..2 {
            scene.ada.write(&production, CANARY).await.expect("a newer version");
        }
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        disturb(HOW, &mut of(production, answer).expect("news").manifest_links);
    }
}

struct Links<const HOW: u8>;

impl<const HOW: u8> Tamper for Links<HOW> {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        for name in ["staging", "preview"] {
            scene.ada.vault().create_environment("agents", name, 2).await.expect("an environment");
        }
    }

    fn tamper(_: &NsId, answer: &mut v1::ReadChangesResponse) {
        disturb(HOW, &mut answer.links);
    }
}

struct DroppedObject;

impl Tamper for DroppedObject {
    const NEW_MACHINE: bool = true;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        if let Some(changes) = of(production, answer) {
            let payload = changes.objects.iter().position(|object| object.kind() == v1::ObjectKind::Payload).expect("a value");
            changes.objects.remove(payload);
        }
    }
}

/// The writer himself finds out, at the next look.
struct Acknowledged;

impl Attack for Acknowledged {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.swallow::<Commit>(audience);
        self.truth(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await.expect("the server says that it is written");
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_all(&production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await
    }
}
