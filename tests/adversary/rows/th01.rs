//! TH01 (T-XPROTO): a key that is used in two protocols signs for one what counts in the other. Statements, logins and sealing have keys of their own;
//! every signature names its domain; the server chooses no byte of a statement.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::rpcs::{LogIn, Rpc as _};
use crate::scene::Scene;
use keyvawlt_ledger::sign::verify_raw;
use keyvawlt_ledger::{Domain, Signed};
use keyvawlt_proto::v1;
use prost::Message as _;

pub const ROW: Row = Row {
    id: "TH01",
    title: "Uses a signature made in one protocol in another",
    tries: &[Try::new("every signature that members made, under every other key and domain of theirs", Expected::Defeated(|| Box::pin(crossed())))],
};

const DOMAINS: [Domain; 6] =
    [Domain::OrgLink, Domain::Manifest, Domain::Bundle, Domain::InviteJoin, Domain::HealthReport, Domain::Account];

async fn crossed() {
    let scene = Scene::start().await;
    let ada = scene.ada.account.identity();
    let (sign, auth) = (ada.bundle().sign_pk, ada.bundle().auth_pk);
    assert_ne!(sign, auth);
    let calls = scene.server.calls();

    let mut statements = 0;
    for (domain, signed) in forge::batches(&calls).flat_map(|batch| of_batch(&batch)) {
        if signed.verify(&sign, domain).is_err() {
            continue;
        }
        statements += 1;
        assert!(signed.verify(&auth, domain).is_err(), "a statement counts as a login's");
        for other in DOMAINS.into_iter().filter(|other| *other != domain) {
            assert!(signed.verify(&sign, other).is_err(), "a statement of {domain:?} counts as one of {other:?}");
        }
    }
    assert!(statements > 3, "the control: Ada's statements are hers, {statements}");

    let mut logins = 0;
    for login in calls.iter().filter(|call| call.path == LogIn::PATH) {
        let assertion = v1::LogInRequest::decode(login.message.clone()).expect("a login").assertion;
        let (message, signature) = assertion.rsplit_once('.').expect("three parts");
        let signature = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).expect("base64");
        let signature: [u8; 64] = signature.try_into().expect("a signature");
        let slot = scene.ada.device.slot_key().login_key().verifying_key().to_bytes();
        logins += u32::from(verify_raw(&slot, message.as_bytes(), &signature).is_ok());
        for key in [sign, auth] {
            let signed = Signed::from_parts(message.as_bytes(), &signature).expect("bytes");
            assert!(DOMAINS.into_iter().all(|domain| signed.verify(&key, domain).is_err()), "a login counts as a statement");
        }
        assert!(verify_raw(&sign, message.as_bytes(), &signature).is_err(), "a login is signed with the key of statements");
    }
    assert!(logins > 0, "the control: Ada's logins are hers");
    scene.end().await;
}

fn of_batch(batch: &v1::Batch) -> Vec<(Domain, Signed)> {
    let read = |signed: &v1::SignedStatement| Signed::from_parts(&signed.payload, &signed.signature).expect("a statement");
    let links = batch.links.iter().map(|link| (Domain::OrgLink, read(link)));
    links.chain(batch.manifest_links.iter().map(|link| (Domain::Manifest, read(link)))).collect()
}
