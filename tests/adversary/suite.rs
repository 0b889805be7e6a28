//! The suite itself: it fails for a client that falls for a lie, that writes after it, or that lets a canary or a key out.

use crate::attack::{Attack, Telling, play};
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::scene::{CANARY, CANARY_NAME, Scene};
use keyvawlt_client::{Error, FactsInput, SecretWrite};
use keyvawlt_ledger::{Code, Fault};

const CREDULOUS: u8 = 1;
const BUSY: u8 = 2;
const TALKATIVE: u8 = 3;
const CARELESS: u8 = 4;

/// A client with one fault.
struct Faulty<const HOW: u8>;

impl<const HOW: u8> Attack for Faulty<HOW> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, _: &mut Scene, _: Audience) {}

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        match HOW {
            CREDULOUS => return scene.bob.read_all(&production).await,
            BUSY => scene.bob.write(&production, CANARY).await?,
            TALKATIVE => tell_label(&mut scene.bob, &production, CANARY).await?,
            _ => {
                let seed = scene.bob.account.identity().seed().clone();
                let label = hex::encode(seed.expose());
                tell_label(&mut scene.bob, &production, &label).await?;
            }
        }
        Err(Error::Verification(Fault::new(Code::Root, "a detection that comes too late").into()))
    }
}

/// Tells the server something in clear.
async fn tell_label(person: &mut Person, production: &keyvawlt_ledger::NsId, label: &str) -> Result<(), Error> {
    let mut write = SecretWrite::new(CANARY_NAME, CANARY);
    write.facts = Some(FactsInput { label: Some(label.to_owned()), ..FactsInput::default() });
    person.vault().write(production, &[write]).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "THE ATTACK SUCCEEDS")]
async fn a_client_that_goes_on_fails_its_row() {
    play::<Faulty<CREDULOUS>>(Telling::Everybody(Code::Root)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "must stop with E_ROLLBACK")]
async fn a_client_that_stops_for_another_reason_fails_its_row() {
    play::<Faulty<BUSY>>(Telling::Everybody(Code::Rollback)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "the client wrote after the lie")]
async fn a_client_that_writes_after_the_lie_fails_its_row() {
    play::<Faulty<BUSY>>(Telling::Everybody(Code::Root)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "was sent to the server")]
async fn a_client_that_tells_a_canary_fails_its_row() {
    play::<Blabbing<TALKATIVE>>(Telling::Nobody).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "a key was sent to the server")]
async fn a_client_that_tells_a_key_fails_its_row() {
    play::<Blabbing<CARELESS>>(Telling::Nobody).await;
}

/// The same without a lie: what clients send is watched in the control too.
struct Blabbing<const HOW: u8>(Faulty<HOW>);

impl<const HOW: u8> Attack for Blabbing<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(Faulty::prepare(scene).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        self.0.victim(scene)
    }

    async fn lie(&mut self, _: &mut Scene, _: Audience) {}

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        match self.0.act(scene).await {
            Err(Error::Verification(_)) => Ok(()),
            other => other,
        }
    }
}
