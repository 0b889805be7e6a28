//! TV06: production and another environment exchange what they hold. The namespace is in every manifest, context and commitment.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered, of};
use crate::scene::{CANARY, Scene};
use keyvawlt_client::SecretWrite;
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV06",
    title: "Exchanges what production and staging hold",
    tries: &[
        Try::detected::<Tampered<Exchange<MANIFESTS>>>("whole environments", Code::UnknownNamespace),
        Try::detected::<Tampered<Exchange<OBJECTS>>>("sealed values", Code::Root),
        Try::detected::<Tampered<Exchange<WRAPS>>>("wrapped keys, relabelled", Code::Wrap),
    ],
};

const MANIFESTS: u8 = 1;
const OBJECTS: u8 = 2;
const WRAPS: u8 = 3;

struct Exchange<const WHAT: u8>;

impl<const WHAT: u8> Tamper for Exchange<WHAT> {
    const NEW_MACHINE: bool = true;

    async fn news(scene: &mut Scene) {
        let staging = scene.ada.vault().create_environment("agents", "staging", 2).await.expect("an environment");
        let secret = [SecretWrite::new("staging/key", CANARY)];
        scene.ada.vault().write(&staging, &secret).await.expect("a secret");
        let bob = scene.bob.account.identity().id();
        scene.ada.vault().grant(&bob, &staging, permission::READ, 0).await.expect("access");
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        match WHAT {
            MANIFESTS | OBJECTS => {
                let own = answer.namespaces.iter().position(|changes| *changes.ns_id == production.0);
                // The directory, which every member reads, has more links than a staging just made.
                let staging = answer.namespaces.iter().position(|changes| changes.mseq == 1);
                let (Some(own), Some(staging)) = (own, staging) else { return };
                if WHAT == MANIFESTS {
                    let name = answer.namespaces[own].ns_id.clone();
                    answer.namespaces[own].ns_id = std::mem::replace(&mut answer.namespaces[staging].ns_id, name);
                } else {
                    let objects = answer.namespaces[staging].objects.clone();
                    swap_values(of(production, answer).expect("found"), &objects);
                }
            }
            _ => {
                let of_staging = answer.wraps.iter().position(|wrap| is_of_another(production, wrap));
                let of_production = answer.wraps.iter().position(|wrap| !is_of_another(production, wrap));
                let (Some(other), Some(own)) = (of_staging, of_production) else { return };
                let mut wrap = Wrap::from_bytes(&answer.wraps[other].record).expect("a wrap");
                wrap.ns_id = *production;
                answer.wraps[own].record = wrap.to_bytes().into();
            }
        }
    }
}

fn is_of_another(production: &NsId, wrap: &v1::DeliveredWrap) -> bool {
    Wrap::from_bytes(&wrap.record).expect("a wrap").ns_id != *production
}

fn swap_values(changes: &mut v1::NamespaceChanges, others: &[v1::SecretObject]) {
    for kind in [v1::ObjectKind::Payload, v1::ObjectKind::Dek] {
        let value = changes.objects.iter_mut().find(|object| object.kind() == kind).expect("a value");
        value.data = others.iter().find(|object| object.kind() == kind).expect("a value").data.clone();
    }
}
