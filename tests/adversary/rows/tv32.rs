//! TV32: facts are forged, so that no alert is due, or a false one is. They are read in clear, and named by the signed leaf.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered, of};
use crate::scene::{CANARY, CANARY_NAME, DAY_MS, Scene};
use keyvawlt_client::ledger::chain::Questions as _;
use keyvawlt_client::{FactsInput, SecretWrite};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV32",
    title: "Serves forged facts: a later end, another label",
    tries: &[
        Try::detected::<Tampered<Fact<LATER>>>("a later end", Code::Root),
        Try::detected::<Tampered<Fact<OTHER_LABEL>>>("another label", Code::Root),
    ],
};

const LATER: bool = true;
const OTHER_LABEL: bool = false;

struct Fact<const LATER: bool>;

impl<const LATER: bool> Tamper for Fact<LATER> {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let ends = scene.chain().head().chain().expect("a chain").last_ts_ms + 7 * DAY_MS;
        let facts = FactsInput { expires_ms: Some(ends), label: Some("Stripe live".to_owned()), ..FactsInput::default() };
        let mut write = SecretWrite::new(CANARY_NAME, CANARY);
        write.facts = Some(facts);
        let production = scene.production;
        scene.ada.vault().write(&production, &[write]).await.expect("a secret that ends");
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        let objects = &mut of(production, answer).expect("news").objects;
        let object = objects.iter_mut().find(|object| object.kind() == v1::ObjectKind::Facts).expect("facts");
        let mut facts = Facts::from_bytes(&object.data).expect("facts");
        if LATER {
            facts.expires_ms = facts.expires_ms.map(|ends| ends + 300 * DAY_MS);
        } else {
            facts.label = Some("nothing to see".to_owned());
        }
        object.data = facts.to_bytes().into();
    }
}
