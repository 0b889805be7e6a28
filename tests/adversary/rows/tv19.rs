//! TV19: the code of an invite falls into the server's hands, because somebody mailed it. The thief enters in the newcomer's place, once. It reads
//! no environment: access is given after words were compared, and the words are the thief's; the newcomer's own code is then used up.

use crate::attack::{Expected, Row, Try};
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Questions as _, permission, role};
use keyvawlt_client::{Error, NewInvite};

pub const ROW: Row = Row {
    id: "TV19",
    title: "Gets hold of an invite's code, and enters in the newcomer's place",
    tries: &[Try::new("a code that gives access to production", Expected::Visible(|| Box::pin(stolen())))],
};

async fn stolen() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let access = vec![(production, permission::READ, 0)];
    let new = NewInvite { name: "Carol".to_owned(), role: role::MEMBER, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
    let code = scene.ada.vault().invite(&new).await.expect("an invite");
    let mut thief = scene.stranger().await;
    let mut carol = scene.stranger().await;
    let vault = thief.account.join(&code, &thief.state).await.expect("whoever has the code enters");
    thief.vault = Some(vault);
    assert!(thief.read_all(&production).await.is_err(), "nothing of an environment is given by the code alone");

    let refused = carol.account.join(&code, &carol.state).await.expect_err("the newcomer sees that the code was used");
    assert!(matches!(&refused, Error::Unauthenticated { .. }), "a used code logs in nobody: {refused}");
    scene.ada.vault().sync().await.expect("the join verifies");
    let id = thief.account.identity().id();
    let shown = scene.ada.vault().members().expect("members").into_iter().find(|member| member.id == id).expect("somebody entered");
    assert_ne!(shown.words, carol.account.identity().safety_words(), "the words that Ada compares are not Carol's");
    assert_eq!(shown.words, thief.account.identity().safety_words());
    let now = scene.ada.vault().now_ms();
    assert_eq!(scene.chain().head().permissions(&production, &id, now), 0, "and until then nothing is given");
    scene.end().await;
}
