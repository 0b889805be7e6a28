//! MG02: at a login, the server puts another sealed object in the place of the one that the client opens, and learns from what follows. Keys are
//! separate by label and context, nothing opens in another place, and nothing is sent after it.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadAccount;
use crate::scene::{PASSWORD, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "MG02",
    title: "Puts one sealed object in the place of another at a login",
    tries: &[
        Try::detected::<Misplaced<BLOB_AS_KEY>>("the account's blob as its key", Code::NoAccount),
        Try::detected::<Misplaced<PINS_AS_BLOB>>("the pins as the blob", Code::NoAccount),
        Try::detected::<Misplaced<KEY_AS_PINS>>("the account's key as the pins", Code::NoAccount),
    ],
};

const BLOB_AS_KEY: u8 = 1;
const PINS_AS_BLOB: u8 = 2;
const KEY_AS_PINS: u8 = 3;

struct Misplaced<const HOW: u8>;

impl<const HOW: u8> Attack for Misplaced<HOW> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadAccount>(audience, |_, answer: &mut v1::ReadAccountResponse| {
            assert!(!answer.pins.is_empty(), "there are pins");
            match HOW {
                BLOB_AS_KEY => answer.sealed_account_key = answer.blob.clone(),
                PINS_AS_BLOB => answer.blob = answer.pins.clone(),
                _ => answer.pins = answer.sealed_account_key.clone(),
            }
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.client().log_in(scene.bob.account.id(), &scene.bob.secret_key, PASSWORD, None).await.map(|_| ())
    }
}
