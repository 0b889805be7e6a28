//! TV48: a Secret Key is stolen, and so is the database: then passwords can be guessed. Every guess costs the account suite's Argon2id and one
//! signature check; without the Secret Key there is nothing to guess against.

use crate::attack::{Expected, Row, Try};
use crate::rpcs::{AddSlot, SignUp, Rpc as _};
use crate::scene::{PASSWORD, Scene};
use keyvawlt_crypto::account::{SecretKey, SlotKey, root_key};
use keyvawlt_proto::v1;
use prost::Message as _;
use std::time::{Duration, Instant};

pub const ROW: Row = Row {
    id: "TV48",
    title: "Guesses a password with the database and a stolen Secret Key",
    tries: &[Try::new("a right and a wrong guess; the same with another Secret Key", Expected::Reduced(|| Box::pin(guesses())))],
};

/// Far below what 64 MiB in three passes take on any machine, and far above a hash.
const LEAST: Duration = Duration::from_millis(10);

async fn guesses() {
    let scene = Scene::start().await;
    let account = scene.bob.account.id();
    let stored = login_keys(&scene);
    let guess = |password: &str, secret_key: &SecretKey| {
        let begun = Instant::now();
        let login = SlotKey::password(root_key(password, secret_key, &account)).login_key().verifying_key().to_bytes();
        (stored.contains(&login.to_vec()), begun.elapsed())
    };
    let (right, cost) = guess(PASSWORD, &scene.bob.secret_key);
    assert!(right, "the control: with both, the right guess is known to be right");
    assert!(cost > LEAST, "a guess costs {cost:?}");
    assert!(!guess("another password", &scene.bob.secret_key).0);
    assert!(!guess(PASSWORD, &SecretKey::random(&mut crate::forge::rng())).0, "without the Secret Key the right password tells nothing");
    scene.end().await;
}

/// The login keys that the server was ever given.
fn login_keys(scene: &Scene) -> Vec<Vec<u8>> {
    let calls = scene.server.calls();
    let of = |path: &'static str| calls.iter().filter(move |call| call.path == path);
    let first = of(SignUp::PATH).flat_map(|call| v1::SignUpRequest::decode(call.message.clone()).expect("a sign-up").slots);
    let more = of(AddSlot::PATH).filter_map(|call| v1::AddSlotRequest::decode(call.message.clone()).expect("a slot").slot);
    first.chain(more).map(|slot| slot.login_pk.to_vec()).collect()
}
