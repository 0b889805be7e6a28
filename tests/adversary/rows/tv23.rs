//! TV23: the server puts what it likes into an access token: another subject, a role, an organization. A token is for the server that made it; no
//! client reads a decision from one.

use crate::attack::{Expected, Row, Try};
use crate::proxy::Audience;
use crate::scene::{CANARY, DAY_MS, Scene};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{Error, NewInvite};
use keyvawlt_ledger::{Code, jwt};
use serde_json::{Value, json};

pub const ROW: Row = Row {
    id: "TV23",
    title: "Puts roles and names into the access tokens that it gives",
    tries: &[Try::new("a member's token says that he is the owner", Expected::Defeated(|| Box::pin(claims())))],
};

async fn claims() {
    let mut scene = Scene::start().await;
    let owner = format!("slot:{}:{}", scene.ada.device.account_id, scene.ada.device.slot_id);
    scene.server.replaces_tokens(Audience::Only(scene.bob.who()), move |token| {
        let mut claims: Value = jwt::unverified_claims(token).expect("claims");
        claims["role"] = json!("owner");
        claims["roles"] = json!(["owner", "admin"]);
        claims["sub"] = json!(owner);
        let parts: Vec<&str> = token.split('.').collect();
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
    });
    let device = scene.client().unlock_device(&scene.bob.device, None).await.expect("a login");
    let state = scene.empty_state();
    let mut vault = device.open(device.organizations()[0], &state).await.expect("the organization");
    assert_eq!(device.identity().id(), scene.bob.account.identity().id(), "he is who his own keys say");
    assert_eq!(vault.membership().map(|member| member.role), Some(role::MEMBER), "he is what the chain says");
    let secrets = vault.read_all(&scene.production).expect("his own secrets");
    assert!(secrets.iter().any(|secret| *secret.value == *CANARY.as_bytes()), "the control: with that token he goes on");
    let invite = NewInvite { name: "x".to_owned(), role: role::ADMIN, access: vec![], ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
    let before = scene.server.writes();
    assert!(matches!(vault.invite(&invite).await, Err(Error::Refused(fault)) if fault.code == Code::Authority));
    assert_eq!(scene.server.writes(), before, "nothing that only an owner may was sent");
    scene.end().await;
}
