//! LP05: ciphertexts are malleable. Here every object is named by a hash that is signed, and sealed with authentication below that.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered, of};
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "LP05",
    title: "Flips bits of what is stored",
    tries: &[
        Try::detected::<Tampered<Flip<VALUE>>>("in a sealed value", Code::Root).and_command_line::<Tampered<Flip<VALUE>>>(),
        Try::detected::<Tampered<Flip<KEY>>>("in the sealed key of a value", Code::Root),
        Try::detected::<Tampered<Flip<WRAP>>>("in a wrapped key", Code::Wrap).and_command_line::<Tampered<Flip<WRAP>>>(),
        Try::detected::<Tampered<Flip<WRITE>>>("in the signature of a write", Code::Sig),
        Try::detected::<Tampered<Flip<LINK>>>("in the signature of a link", Code::Sig),
    ],
};

const VALUE: u8 = 1;
const KEY: u8 = 2;
const WRAP: u8 = 3;
const WRITE: u8 = 4;
const LINK: u8 = 5;

struct Flip<const WHERE: u8>;

impl<const WHERE: u8> Tamper for Flip<WHERE> {
    const NEW_MACHINE: bool = true;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        match WHERE {
            VALUE => flip_object(production, answer, v1::ObjectKind::Payload),
            KEY => flip_object(production, answer, v1::ObjectKind::Dek),
            WRAP => answer.wraps.iter_mut().for_each(|wrap| flip_last(&mut wrap.record)),
            WRITE => {
                if let Some(changes) = of(production, answer) {
                    flip_last(&mut changes.manifest_links[0].signature);
                }
            }
            _ => answer.links.iter_mut().for_each(|link| flip_last(&mut link.signature)),
        }
    }
}

fn flip_object(production: &NsId, answer: &mut v1::ReadChangesResponse, kind: v1::ObjectKind) {
    let Some(changes) = of(production, answer) else { return };
    flip_last(&mut changes.objects.iter_mut().find(|object| object.kind() == kind).expect("an object").data);
}

/// The lowest bit of the last byte but one: in a signature, the scalar stays reduced.
fn flip_last(bytes: &mut bytes::Bytes) {
    let mut flipped = bytes.to_vec();
    let last = flipped.len() - 2;
    flipped[last] ^= 1;
    *bytes = flipped.into();
}
