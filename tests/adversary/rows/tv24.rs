//! TV24: somebody on the way steals an access token, or the assertion behind it. It is good for ten minutes of calls, which deliver ciphertext;
//! what changes anything must be signed besides, and an assertion is taken once.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::proxy::call;
use crate::rpcs::{Commit, LogIn, ReadChanges, Rpc as _};
use crate::scene::{CANARY, CANARY_NAME, OTHER_NAME, Scene, contains};
use keyvawlt_client::ledger::chain::{Access, Body, permission};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::jwt;
use keyvawlt_proto::v1;
use prost::Message as _;
use serde_json::Value;
use tonic::Code;

pub const ROW: Row = Row {
    id: "TV24",
    title: "Lets somebody steal an access token on the way",
    tries: &[Try::new("reading, writing, and logging in again with what was stolen", Expected::Reduced(|| Box::pin(stolen())))],
};

/// The longest life of a token, seconds.
const LIFE_S: u64 = 600;

async fn stolen() {
    let scene = Scene::start().await;
    let (token, org_id) = (scene.server.token_of(scene.bob.who()).expect("Bob has logged in"), scene.chain().tip().org_id);
    let claims: Value = jwt::unverified_claims(&token).expect("claims");
    let life = claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(end, start)| end - start);
    assert!(life.is_some_and(|life| life <= LIFE_S), "{claims}");

    // Reading gives what the server has anyway.
    let heads = vec![v1::ManifestHead { ns_id: scene.production.0.to_vec().into(), mseq: 0 }];
    let question = v1::ReadChangesRequest { org_id: org_id.0.to_vec().into(), from_seq: 0, namespaces: heads, all_wraps: true };
    let answer = call::<ReadChanges>(scene.honest(), Some(&token), &question).await.expect("the control: the token is good");
    assert!(!answer.namespaces.is_empty() && !answer.wraps.is_empty(), "there is something to read");
    let bytes = answer.encode_to_vec();
    for canary in [CANARY, CANARY_NAME, OTHER_NAME] {
        assert!(!contains(&bytes, canary.as_bytes()), "{canary} can be read with a token alone");
    }

    // Writing needs Bob's signature.
    let thief = Identity::make(kind::PERSON, 1, &mut forge::rng());
    let body = Access {
        ns_id: scene.production,
        identity_id: scene.bob.account.identity().id(),
        permissions: permission::READ,
        expires_ms: 0,
        wrap: None,
        fences: vec![],
        abandon: false,
    };
    let mut link = forge::unsigned(scene.bob.account.identity(), scene.chain(), &Body::Access(body.clone()));
    link.ts_ms += 1;
    let batch = v1::Batch { links: vec![forge::signed_link(&thief, link, &Body::Access(body))], ..v1::Batch::default() };
    let request = v1::CommitRequest { org_id: org_id.0.to_vec().into(), batch: Some(batch), request_id: vec![7; 16].into(), bring_back: false };
    let refused = call::<Commit>(scene.honest(), Some(&token), &request).await.expect_err("a change that Bob did not sign");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("signature"), "it is the signature that is missing: {refused}");

    // What Bob logged in with is used up.
    let logins = scene.server.calls().into_iter().filter(|call| call.path == LogIn::PATH);
    let logins: Vec<_> = logins.map(|call| v1::LogInRequest::decode(call.message).expect("a login")).collect();
    for login in logins.iter().rev().take(2) {
        let refused = call::<LogIn>(scene.honest(), None, login).await.expect_err("an assertion is taken once");
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    scene.end().await;
}
