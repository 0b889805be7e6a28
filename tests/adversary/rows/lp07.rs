//! LP07 (the same as DL02, 1P05, CS02): the server serves its own public key for a recipient. A member's keys come from the signed chain only,
//! bound by the invite that travelled outside the server.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Tamper, Tampered};
use keyvawlt_client::ledger::chain::{Body, Link};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "LP07",
    title: "Serves its own public key for a recipient (also DL02, 1P05, CS02)",
    tries: &[
        Try::detected::<Tampered<OwnKey<BUNDLE>>>("another bundle in the member's join", Code::KeySubst).and_command_line::<Tampered<OwnKey<BUNDLE>>>(),
        Try::detected::<Tampered<OwnKey<JOIN>>>("a join by the server's own identity, under the same invite", Code::Sig),
    ],
};

const BUNDLE: bool = false;
const JOIN: bool = true;

struct OwnKey<const JOIN: bool>;

impl<const JOIN: bool> Tamper for OwnKey<JOIN> {
    const NEW_MACHINE: bool = true;

    fn tamper(_: &NsId, answer: &mut v1::ReadChangesResponse) {
        let server = Identity::make(kind::PERSON, 1, &mut forge::rng());
        for signed in &mut answer.links {
            let mut link = Link::from_bytes(&signed.payload).expect("a link");
            let Ok(Body::MemberJoin(mut join)) = Body::from_value(link.kind, link.body.clone()) else { continue };
            join.bundle = server.signed_bundle().clone();
            if JOIN {
                (link.author_id, link.author_key_id) = (server.id(), server.key_id());
            }
            *signed = forge::signed_link(&server, link, &Body::MemberJoin(join));
        }
    }
}
