//! 1P03: a vault whose key the server knows is put among the user's own. An environment exists only if a link of the chain creates it.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered};
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "1P03",
    title: "Puts an environment of its own among the user's",
    tries: &[Try::detected::<Tampered<Planted>>("an environment that no link creates", Code::UnknownNamespace)],
};

struct Planted;

impl Tamper for Planted {
    const NEW_MACHINE: bool = false;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        let mut planted = answer.namespaces.iter().find(|changes| *changes.ns_id == production.0).expect("news").clone();
        planted.ns_id = vec![0xee; 16].into();
        answer.namespaces.push(planted);
    }
}
