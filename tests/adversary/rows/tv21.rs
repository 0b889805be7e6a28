//! TV21: on a new machine, the server says that there is no account data, so that the client makes new keys. Login never creates keys.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadAccount;
use crate::scene::{PASSWORD, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV21",
    title: "Says at a login that there is no account data (also CS01)",
    tries: &[
        Try::detected::<NoAccount<BLOB>>("an empty account blob", Code::NoAccount),
        Try::detected::<NoAccount<KEY>>("an empty account key", Code::NoAccount),
        Try::detected::<NoAccount<MADE>>("a blob that the server made", Code::NoAccount),
        Try::detected::<NoAccount<PINS>>("no pins, although the blob names some", Code::NoAccount),
    ],
};

const BLOB: u8 = 1;
const KEY: u8 = 2;
const MADE: u8 = 3;
const PINS: u8 = 4;

struct NoAccount<const HOW: u8>;

impl<const HOW: u8> Attack for NoAccount<HOW> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadAccount>(audience, |_, answer| match HOW {
            BLOB => answer.blob.clear(),
            KEY => answer.sealed_account_key.clear(),
            PINS => answer.pins.clear(),
            _ => answer.blob = vec![6; answer.blob.len()].into(),
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.client().log_in(scene.bob.account.id(), &scene.bob.secret_key, PASSWORD, None).await.map(|_| ())
    }
}
