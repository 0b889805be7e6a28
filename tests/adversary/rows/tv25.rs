//! TV25: tokens with `alg: none`, another algorithm, another key by `kid` or `jwk`. There is one algorithm, and keys come from the server's own
//! fixed set.

use crate::attack::{Expected, Row, Try};
use crate::proxy::call;
use crate::rpcs::ReadAccount;
use crate::scene::Scene;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyvawlt_ledger::assertion::ACCESS_TYP;
use keyvawlt_ledger::jwt;
use keyvawlt_proto::v1;
use serde_json::{Value, json};
use tonic::{Code, Status};

pub const ROW: Row = Row {
    id: "TV25",
    title: "Somebody forges access tokens at the API",
    tries: &[Try::new("alg none, HS256, another subject, another key under the same kid, a key in the header", Expected::Defeated(|| Box::pin(forged_tokens())))],
};

async fn forged_tokens() {
    let scene = Scene::start().await;
    let token = scene.server.token_of(scene.bob.who()).expect("Bob has logged in");
    read(&scene, &token).await.expect("the control: the token itself");
    let claims: Value = jwt::unverified_claims(&token).expect("claims");
    let kid = jwt::kid(&token).expect("a key");
    let signature = token.rsplit('.').next().expect("a signature");
    let mut others = claims.clone();
    others["sub"] = json!(format!("slot:{}:{}", scene.ada.device.account_id, scene.ada.device.slot_id));
    let own_key = scene.bob.account.identity().auth_key();
    let own_jwk = URL_SAFE_NO_PAD.encode(own_key.verifying_key().as_bytes());
    let own = jwt::sign(ACCESS_TYP, Some(&kid), &claims, own_key).expect("a token");
    let own_signature = own.rsplit('.').next().expect("a signature").to_owned();
    let forged = [
        token_of(&json!({ "alg": "none", "typ": ACCESS_TYP, "kid": kid }), &claims, ""),
        token_of(&json!({ "alg": "none", "typ": ACCESS_TYP, "kid": kid }), &claims, signature),
        token_of(&json!({ "alg": "HS256", "typ": ACCESS_TYP, "kid": kid }), &claims, signature),
        token_of(&json!({ "alg": "EdDSA", "typ": ACCESS_TYP, "kid": kid }), &others, signature),
        token_of(
            &json!({ "alg": "EdDSA", "typ": ACCESS_TYP, "kid": kid, "jwk": { "kty": "OKP", "crv": "Ed25519", "x": own_jwk } }),
            &claims,
            &own_signature,
        ),
        own,
    ];
    for forged in forged {
        assert_eq!(read(&scene, &forged).await.expect_err(&forged).code(), Code::Unauthenticated, "{forged}");
    }
    scene.end().await;
}

fn token_of(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

async fn read(scene: &Scene, token: &str) -> Result<v1::ReadAccountResponse, Status> {
    call::<ReadAccount>(scene.honest(), Some(token), &v1::ReadAccountRequest {}).await
}
