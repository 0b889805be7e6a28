//! TV47: the server relays the link between a new device and an enrolled one, and records it. What it relays is sealed to the new device's X-Wing
//! key, which the enrolled device holds against the words the new one shows; whoever answers in its place has other words.

use crate::attack::{Attack, Expected, Row, Try};
use crate::forge;
use crate::proxy::{Audience, Who};
use crate::rpcs::{AnswerLink, OfferLink, ReadAccount, ReadLinkAnswer, ReadLinkOffer, Rpc as _, UpdateAccount};
use crate::scene::Scene;
use bytes::Bytes;
use keyvawlt_client::{Error, LinkOffer, Linked};
use keyvawlt_crypto::link::LinkKeys;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::wrap::ENC_LEN;
use keyvawlt_proto::v1;
use prost::Message as _;

/// The ML-KEM-768 ciphertext, with which what X-Wing encapsulates begins (FIPS 203, table 3).
const ML_KEM_LEN: usize = 1088;

pub const ROW: Row = Row {
    id: "TV47",
    title: "Records the traffic of linking a device, for a later quantum computer, or comes between the two",
    tries: &[
        Try::detected::<OtherKey>("exchanges the key of the new device", Code::KeySubst),
        Try::detected_by_all::<Garbled>("changes what is sealed to the new device", Code::Aead),
        Try::detected::<OlderAccount>("delivers older account data to the new device", Code::Rollback),
        Try::new("answers with an account of its own", Expected::Visible(|| Box::pin(another_answers()))),
        Try::new("keeps what it relayed", Expected::Defeated(|| Box::pin(recorded()))),
    ],
};

struct OtherKey {
    offer: LinkOffer,
}

impl Attack for OtherKey {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { offer: scene.client().offer_link().await.expect("an offer") }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let own = LinkKeys::random(&mut forge::rng());
        let kem_pk = Bytes::copy_from_slice(own.kem_pk());
        scene.server.answers::<ReadLinkOffer>(audience, move |_, answer| answer.kem_pk = kem_pk.clone());
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.bob.account.link_device(&self.offer.code(), "").await
    }
}

struct Garbled {
    offer: LinkOffer,
}

impl Attack for Garbled {
    async fn prepare(scene: &mut Scene) -> Self {
        let offer = scene.client().offer_link().await.expect("an offer");
        scene.bob.account.link_device(&offer.code(), "").await.expect("a link");
        Self { offer }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadLinkAnswer>(audience, |_, answer| {
            let mut sealed = answer.sealed.to_vec();
            sealed[ENC_LEN] ^= 1;
            answer.sealed = sealed.into();
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        self.offer.answer().await.map(|linked| assert!(linked.is_some(), "there is an answer"))
    }
}

struct OlderAccount {
    linked: Linked,
    older: v1::UpdateAccountRequest,
}

impl Attack for OlderAccount {
    async fn prepare(scene: &mut Scene) -> Self {
        for name in ["Side", "Other side"] {
            let state = scene.empty_state();
            scene.bob.account.found(name, &state).await.expect("an organization of Bob's own");
        }
        let newest = scene.server.calls().into_iter().filter(|call| call.path == UpdateAccount::PATH);
        let newest = newest.map(|call| v1::UpdateAccountRequest::decode(call.message).expect("an update"));
        let mut with_pins: Vec<_> = newest.filter(|update| !update.pins.is_empty()).collect();
        with_pins.pop();
        let offer = scene.client().offer_link().await.expect("an offer");
        scene.bob.account.link_device(&offer.code(), "").await.expect("a link");
        let linked = offer.answer().await.expect("an answer").expect("one that opens");
        Self { linked, older: with_pins.pop().expect("earlier account data") }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let older = self.older.clone();
        scene.server.answers::<ReadAccount>(audience, move |_, answer| {
            (answer.blob, answer.pins, answer.generation) = (older.blob.clone(), older.pins.clone(), older.generation);
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        self.linked.unlock(None).await.map(|_| ())
    }
}

/// Whoever knows the code can answer, the server with an account of its own too: its words are others than those the person's device shows.
async fn another_answers() {
    let mut scene = Scene::start().await;
    let stranger = scene.stranger().await;
    let offer = scene.client().offer_link().await.expect("an offer");
    stranger.account.link_device(&offer.code(), "").await.expect("the server lets whom it likes answer");
    let late = scene.bob.account.link_device(&offer.code(), "").await.expect_err("the person's own device hears of it");
    assert!(matches!(late, Error::Conflict { .. }), "{late}");
    let shown = offer.answer().await.expect("an answer").expect("one that opens").words();
    assert_ne!(shown, scene.bob.account.identity().safety_words(), "the words that are compared are the stranger's");

    let again = scene.client().offer_link().await.expect("an offer");
    scene.bob.account.link_device(&again.code(), "").await.expect("the control");
    let shown = again.answer().await.expect("an answer").expect("one that opens").words();
    assert_eq!(shown, scene.bob.account.identity().safety_words());
    scene.end().await;
}

/// All that was relayed is a public key, and something sealed to it by both halves of X-Wing.
async fn recorded() {
    let scene = Scene::start().await;
    let offer = scene.client().offer_link().await.expect("an offer");
    scene.bob.account.link_device(&offer.code(), "").await.expect("a link");
    let linked = offer.answer().await.expect("an answer").expect("the control: it opens to the device");
    let calls = scene.server.calls();
    let heard = |path: &str| calls.iter().filter(|call| call.path == path).map(|call| call.message.clone()).collect::<Vec<_>>();
    let [offered, answered] = [OfferLink::PATH, AnswerLink::PATH].map(heard);
    let sealed = v1::AnswerLinkRequest::decode(answered[0].clone()).expect("an answer").sealed;
    let kem_pk = v1::OfferLinkRequest::decode(offered[0].clone()).expect("an offer").kem_pk;
    for secret in [linked.device().key.expose().as_slice(), linked.device().secret_key.expose().as_slice()] {
        assert!(!sealed.windows(secret.len()).any(|window| window == secret), "nothing lies in it in clear");
    }
    let own = LinkKeys::random(&mut forge::rng());
    let origin = scene.server.origin();
    own.open(&origin, &sealed).expect_err("it opens to no other key");
    // Both halves count: with the elliptic curve's alone, which a quantum computer may break, nothing opens.
    let device = LinkKeys::random(&mut forge::rng());
    let known = linked_to(&device, &origin, &scene);
    device.open(&origin, &known).expect("the control");
    for half in [0, ML_KEM_LEN] {
        let mut other = known.clone();
        other[half] ^= 1;
        device.open(&origin, &other).expect_err("the key comes from both halves");
    }
    assert_eq!((kem_pk.len(), ENC_LEN), (own.kem_pk().len(), ML_KEM_LEN + 32));
    scene.end().await;
}

/// Bob's device sealed to keys whose private half is known here.
fn linked_to(device: &LinkKeys, origin: &str, scene: &Scene) -> Vec<u8> {
    let mut key = scene.bob.device.clone();
    origin.clone_into(&mut key.origin);
    let linked = keyvawlt_crypto::link::LinkedDevice { device: key, key_id: scene.bob.account.identity().key_id(), generation: 1 };
    linked.seal(&device.id(), device.kem_pk(), &mut forge::rng()).expect("sealed")
}
