//! A member who works with the server. Carol may grant, and signs what she likes: the real server lets it pass, for it cannot open wraps.

use crate::attack::Attack;
use crate::forge;
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::rpcs::Commit;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_client::ledger::chain::{Body, permission, role};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::wrap::Wrap;
use std::sync::Arc;

/// All that there is to give.
pub const ALL: u8 = permission::READ | permission::WRITE | permission::MANAGE;

/// A wrap by which Carol lets Dave in, and which is not what it should be.
pub trait FalseGrant: 'static {
    /// Changes the wrap; the link that carries it is signed anew.
    fn falsify(wrap: &mut Wrap, cast: &Cast);
}

/// Whom a false wrap may name.
pub struct Cast {
    pub ada: Arc<Identity>,
    pub carol: Arc<Identity>,
    pub dave: Arc<Identity>,
}

/// Dave, who is given access with a false wrap.
pub struct Granted<F> {
    carol: Person,
    dave: Person,
    how: std::marker::PhantomData<F>,
}

impl<F: FalseGrant> Attack for Granted<F> {
    async fn prepare(scene: &mut Scene) -> Self {
        let carol = scene.newcomer(role::MEMBER, &[(scene.production, ALL)]).await;
        let dave = scene.newcomer(role::MEMBER, &[]).await;
        Self { carol, dave, how: std::marker::PhantomData }
    }

    fn victim(&self, _: &Scene) -> Who {
        self.dave.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let [ada, carol, dave] = [&scene.ada, &self.carol, &self.dave].map(|person| forge::keys_of(person.account.identity()));
        let cast = Cast { ada, carol, dave };
        scene.server.requests::<Commit>(Audience::Only(self.carol.who()), move |request| {
            forge::resign_last(&cast.carol, request.batch.as_mut().expect("a batch"), |body, wraps| {
                let Body::Access(access) = body else { return };
                F::falsify(&mut wraps[0], &cast);
                access.wrap = Some(wraps[0].hash());
            });
        });
        self.truth(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let dave = self.dave.account.identity().id();
        let write = permission::READ | permission::WRITE;
        self.carol.vault().grant(&dave, &scene.production, write, 0).await.expect("the server cannot tell");
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.dave.read_all(&scene.production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.dave.write(&scene.production, CANARY).await
    }
}
