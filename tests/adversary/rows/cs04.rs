//! CS04: the secret of a shared link reaches the server. An invite's secret travels outside it, in whatever form.

use crate::attack::{Expected, Row, Try};
use crate::scene::{DAY_MS, Scene, contains};
use keyvawlt_client::NewInvite;
use keyvawlt_client::ledger::chain::role;

pub const ROW: Row = Row {
    id: "CS04",
    title: "Learns the secret of a link by which something is shared",
    tries: &[Try::new("an invite is made and used", Expected::Defeated(|| Box::pin(invite())))],
};

async fn invite() {
    let mut scene = Scene::start().await;
    let new = NewInvite {
        name: "Carol".to_owned(),
        role: role::MEMBER,
        access: vec![],
        ttl_ms: DAY_MS,
        member_expires_ms: 0,
        carry_keys: false,
    };
    let code = scene.ada.vault().invite(&new).await.expect("an invite");
    let mut carol = scene.stranger().await;
    carol.account.join(&code, &carol.state).await.expect("a join");
    let sent = |bytes: &[u8]| scene.server.calls().iter().any(|call| contains(&call.message, bytes));
    assert!(sent(&code.invite_id.0), "the control: what is sent is found");
    let text = code.encode().expect("a code");
    for secret in [&code.secret[..], hex::encode(&code.secret[..]).as_bytes(), text.as_bytes(), &text.as_bytes()[text.len() / 2..]] {
        assert!(!sent(secret), "the server has heard the invite's secret");
    }
    scene.end().await;
}
