//! TV15: a member signs an encoding that programs read differently. One document has one encoding, and everybody accepts only that.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::Scene;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV15",
    title: "Accepts a second form of a statement, signed by a member",
    tries: &[
        Try::detected::<Forged<SecondForm<LONG>>>("a number in a longer form", Code::Canon),
        Try::detected::<Forged<SecondForm<DUPLICATE>>>("a key that comes twice", Code::Canon).and_command_line::<Forged<SecondForm<DUPLICATE>>>(),
        Try::detected::<Forged<SecondForm<TRAILING>>>("bytes after the end", Code::Canon),
    ],
};

const LONG: u8 = 1;
const DUPLICATE: u8 = 2;
const TRAILING: u8 = 3;

struct SecondForm<const HOW: u8>;

impl<const HOW: u8> Forgery for SecondForm<HOW> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let bob = scene.bob.account.identity();
        let mut payload = forge::checkpoint(bob, scene.chain()).to_bytes();
        // A map of ten, whose first entry says version 1.
        assert_eq!(payload[..3], [0xaa, 1, 1]);
        if forged {
            match HOW {
                LONG => drop(payload.splice(2..3, [0x18, 1])),
                DUPLICATE => drop(payload.splice(0..3, [0xab, 1, 1, 1, 1])),
                _ => payload.push(0),
            }
        }
        forge::statement(&bob.sign(Domain::OrgLink, payload))
    }
}
