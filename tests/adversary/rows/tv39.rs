//! TV39: somebody who may grant gives one reader a key that the others do not have. The chain commits to one key, and every wrap and seal must
//! open to it. The links are properly signed by the granter, and the real server accepts them: it cannot open wraps.

use crate::attack::{Attack, Row, Try};
use crate::colluder::{ALL, Cast, FalseGrant, Granted};
use crate::forge;
use crate::proxy::{Audience, Who};
use crate::rpcs::Commit;
use crate::person::Person;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::ledger::chain::{Body, permission, role};
use keyvawlt_client::{Error, StateDir};
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_crypto::{Key, nk};
use keyvawlt_ledger::canon::Blob;
use keyvawlt_ledger::wrap::{self, Wrap};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV39",
    title: "Lets a granter give one reader another key than the others have (also TV11)",
    tries: &[
        Try::detected::<Granted<FalseWrap>>("a false key in the wrap of an access link", Code::NkCommit),
        Try::detected::<FalseEpochWrap>("a false key in one wrap of a new epoch", Code::NkCommit),
        Try::detected::<FalsePrevious>("a false key as the earlier one that a new epoch seals", Code::NkCommit),
    ],
};

/// Carol gives Dave access, with another key in it.
struct FalseWrap;

impl FalseGrant for FalseWrap {
    fn falsify(wrap: &mut Wrap, cast: &Cast) {
        *wrap = forge::wrap_like(wrap, &Key::random(&mut forge::rng()), &wrap.nk_commit.clone(), &cast.dave);
    }
}

/// Carol makes an epoch, and wraps another key for Bob.
struct FalseEpochWrap(Epoch);

/// Carol makes an epoch, and seals another key as the one before: who comes new to it opens nothing older.
struct FalsePrevious(Epoch);

/// A member whose access Carol takes, which makes a new epoch.
struct Epoch {
    carol: Person,
    dave: Person,
    new_machine: StateDir,
}

impl Epoch {
    async fn prepare(scene: &mut Scene) -> Self {
        let carol = scene.newcomer(role::MEMBER, &[(scene.production, ALL)]).await;
        let dave = scene.newcomer(role::MEMBER, &[(scene.production, permission::READ)]).await;
        Self { carol, dave, new_machine: scene.empty_state() }
    }

    async fn make(&mut self, scene: &Scene) {
        let dave = self.dave.account.identity().id();
        self.carol.vault().revoke(&dave, &scene.production).await.expect("the server cannot tell");
    }
}

impl Attack for FalseEpochWrap {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(Epoch::prepare(scene).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let (carol, bob) = (forge::keys_of(self.0.carol.account.identity()), forge::keys_of(scene.bob.account.identity()));
        scene.server.requests::<Commit>(Audience::Only(self.0.carol.who()), move |request| {
            forge::resign_last(&carol, request.batch.as_mut().expect("a batch"), |body, wraps| {
                let Body::NamespaceEpoch(epoch) = body else { return };
                let own = wraps.iter_mut().find(|wrap| wrap.recipient_id == bob.id()).expect("Bob's wrap");
                *own = forge::wrap_like(own, &Key::random(&mut forge::rng()), &own.nk_commit.clone(), &bob);
                epoch.wraps.root = wrap::root(wraps).expect("a root");
            });
        });
        self.0.make(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.0.make(scene).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().sync().await?;
        scene.bob.write(&production, CANARY).await
    }
}

impl Attack for FalsePrevious {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(Epoch::prepare(scene).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let carol = forge::keys_of(self.0.carol.account.identity());
        scene.server.requests::<Commit>(Audience::Only(self.0.carol.who()), move |request| {
            forge::resign_last(&carol, request.batch.as_mut().expect("a batch"), |body, wraps| {
                let Body::NamespaceEpoch(epoch) = body else { return };
                let own = wraps.iter().find(|wrap| wrap.recipient_id == carol.id()).expect("Carol's wrap");
                let new = unwrap_nk(own, &carol.id(), &carol.key_id(), carol.kem_seed()).expect("her key");
                let (old, rng) = (epoch.previous.epoch, &mut forge::rng());
                let sealed = nk::seal_previous(&new, &own.org_id, &own.ns_id, own.epoch, old, &Key::random(rng), rng);
                epoch.previous.sealed = Blob(sealed);
            });
        });
        self.0.make(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.0.make(scene).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_anew(&self.0.new_machine, &production).await
    }
}
