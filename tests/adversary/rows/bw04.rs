//! BW04 (the same as LP06): metadata of items is read or changed. Names and types are sealed with the value; what is told to the server in
//! clear (facts), and every version and flag, is named by the signed leaf.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered, of};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::{DELETED, ManifestLink};
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "BW04",
    title: "Changes metadata of items (also LP06, CS07, CS08)",
    tries: &[
        Try::detected::<Tampered<Renamed>>("two secrets exchange their names", Code::Root).and_command_line::<Tampered<Renamed>>(),
        Try::detected::<Tampered<Flagged>>("a secret is marked as deleted", Code::Sig),
        Try::detected::<Tampered<Dated>>("a write is dated otherwise", Code::Sig).and_command_line::<Tampered<Dated>>(),
    ],
};

struct Renamed;

impl Tamper for Renamed {
    const NEW_MACHINE: bool = true;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        let Some(changes) = of(production, answer) else { return };
        let mut names: Vec<_> = changes.objects.iter_mut().filter(|object| object.kind() == v1::ObjectKind::Name).collect();
        let [one, other, ..] = names.as_mut_slice() else { panic!("two secrets") };
        std::mem::swap(&mut one.data, &mut other.data);
    }
}

/// Changes a manifest link under its signature.
fn edit(changes: &mut v1::NamespaceChanges, change: impl FnOnce(&mut ManifestLink)) {
    let signed = changes.manifest_links.last_mut().expect("a write");
    let mut link = ManifestLink::from_bytes(&signed.payload).expect("a manifest link");
    change(&mut link);
    signed.payload = link.to_bytes().into();
}

struct Flagged;

impl Tamper for Flagged {
    const NEW_MACHINE: bool = false;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        edit(of(production, answer).expect("news"), |link| link.ops[0].flags |= DELETED);
    }
}

struct Dated;

impl Tamper for Dated {
    const NEW_MACHINE: bool = false;

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        edit(of(production, answer).expect("news"), |link| link.ts_ms += 1);
    }
}
