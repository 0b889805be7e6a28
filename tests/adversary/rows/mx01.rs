//! MX01: a homeserver adds members and devices, and lets one kind of identifier pass for another. Membership is signed; an author is an identity
//! together with its keys; identifiers have a type and a length.

use super::lp01::Own;
use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "MX01",
    title: "Adds members, or lets one identifier pass for another",
    tries: &[
        Try::detected::<Forged<Own<{ role::MEMBER }, true>>>("a member of the server's, in the owner's name", Code::Sig)
            .and_command_line::<Forged<Own<{ role::MEMBER }, true>>>(),
        Try::detected::<Forged<Confused<KEY>>>("one member's id with another's keys", Code::Authority),
        Try::detected::<Forged<Confused<IDENTITY>>>("a namespace's id as a member's", Code::Authority),
    ],
};

const KEY: bool = true;
const IDENTITY: bool = false;

struct Confused<const KEY: bool>;

impl<const KEY: bool> Forgery for Confused<KEY> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let (ada, bob) = (scene.ada.account.identity(), scene.bob.account.identity());
        let mut link = forge::checkpoint(bob, scene.chain());
        if forged && KEY {
            link.author_id = ada.id();
        } else if forged {
            link.author_id.0 = scene.production.0;
        }
        forge::statement(&bob.sign(Domain::OrgLink, link.to_bytes()))
    }
}
