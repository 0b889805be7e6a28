//! Moves that many attacks share: rewriting what is delivered, and showing statements that the real server never got.
//!
//! A row says only what it changes. The victim is always Bob; the control of a forgery is the same statement, shown the same way, as somebody
//! who may would sign it.

use crate::attack::Attack;
use crate::forge;
use crate::proxy::{Audience, LyingServer, Who};
use crate::rpcs::ReadChanges;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::{Error, SecretWrite, StateDir};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::NsId;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_proto::v1;
use std::sync::Arc;

/// Rewrites what the server delivers to a reader.
pub trait Tamper: 'static {
    /// Whether the reader remembers nothing; else he has seen all but `news`.
    const NEW_MACHINE: bool;

    /// What there is to deliver to a reader who has seen everything so far.
    async fn news(scene: &mut Scene) {
        let production = scene.production;
        scene.ada.write(&production, CANARY).await.expect("a newer version");
    }

    /// The lie.
    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse);
}

/// A reader of tampered answers.
pub struct Tampered<T> {
    new_machine: StateDir,
    how: std::marker::PhantomData<T>,
}

impl<T: Tamper> Attack for Tampered<T> {
    async fn prepare(scene: &mut Scene) -> Self {
        T::news(scene).await;
        Self { new_machine: scene.empty_state(), how: std::marker::PhantomData }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let production = scene.production;
        scene.server.answers::<ReadChanges>(audience, move |_, answer| T::tamper(&production, answer));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        if T::NEW_MACHINE { scene.bob.read_anew(&self.new_machine, &production).await } else { scene.bob.read_all(&production).await }
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        if T::NEW_MACHINE { scene.bob.write_anew(&self.new_machine, &production).await } else { scene.bob.write(&production, CANARY).await }
    }
}

/// What an answer says of one namespace.
pub fn of<'a>(ns_id: &NsId, answer: &'a mut v1::ReadChangesResponse) -> Option<&'a mut v1::NamespaceChanges> {
    answer.namespaces.iter_mut().find(|changes| *changes.ns_id == ns_id.0)
}

/// A link that somebody signs beyond his rights, and the server accepts.
pub trait Forgery: Sized + 'static {
    /// Who is there.
    async fn prepare(scene: &mut Scene) -> Self;

    /// The chain's next link: the forged one, or for the control one of its kind that follows the rules.
    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement;
}

/// A client that is shown a forged link.
pub struct Forged<F>(F);

impl<F: Forgery> Forged<F> {
    fn show(&self, scene: &Scene, audience: Audience, forged: bool) {
        let seq = scene.chain().tip().next_seq();
        show_link(&scene.server, audience, seq, self.0.link(scene, forged));
    }
}

impl<F: Forgery> Attack for Forged<F> {
    async fn prepare(scene: &mut Scene) -> Self {
        let forgery = F::prepare(scene).await;
        scene.ada.vault().sync().await.expect("Ada sees all links");
        Self(forgery)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        self.show(scene, audience, true);
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.show(scene, Audience::Everybody, false);
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.bob.vault().sync().await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await
    }
}

/// Shows a link after those the real server has.
pub fn show_link(server: &LyingServer, audience: Audience, seq: u64, link: v1::SignedStatement) {
    server.answers::<ReadChanges>(audience, move |request, answer| {
        if request.from_seq <= seq {
            answer.links.push(link.clone());
        }
        answer.next_seq = answer.next_seq.max(seq + 1);
    });
}

/// A change of a write that Ada made out of the real server's sight.
pub trait ForgedWrite: Sized + 'static {
    /// The secret that Ada writes.
    const NAME: &'static str = "unseen/secret";

    /// Who is there.
    async fn prepare(scene: &mut Scene) -> Self;

    /// What happens after Ada's write, for everybody to see.
    async fn afterwards(&mut self, _scene: &mut Scene) {}

    /// Changes the link, and says who signs it then.
    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity>;

    /// Changes what is signed already, or the objects that come with it.
    fn corrupt(&self, _scene: &Scene, _signed: &mut v1::SignedStatement, _objects: &mut [v1::SecretObject]) {}
}

/// A client that is shown a forged write.
pub struct Written<F> {
    forgery: F,
    write: v1::Batch,
}

impl<F: ForgedWrite> Written<F> {
    fn show(&self, scene: &Scene, audience: Audience, forged: bool) {
        let mut signed = self.write.manifest_links[0].clone();
        let mut objects = self.write.objects.clone();
        let mut link = ManifestLink::from_bytes(&signed.payload).expect("a manifest link");
        let (ns_id, mseq) = (link.ns_id, link.mseq);
        if forged {
            let author = self.forgery.forge(scene, &mut link);
            signed = forge::write(&author, &link);
            self.forgery.corrupt(scene, &mut signed, &mut objects);
        }
        let news = v1::NamespaceChanges { ns_id: ns_id.0.to_vec().into(), manifest_links: vec![signed], objects, mseq };
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            let Some(held) = request.namespaces.iter().find(|held| held.ns_id == news.ns_id) else { return };
            answer.namespaces.retain(|changes| changes.ns_id != news.ns_id);
            if held.mseq < mseq {
                answer.namespaces.push(news.clone());
            }
        });
    }
}

impl<F: ForgedWrite> Attack for Written<F> {
    async fn prepare(scene: &mut Scene) -> Self {
        let mut forgery = F::prepare(scene).await;
        let production = scene.production;
        scene.bob.read_all(&production).await.expect("Bob has seen everything");
        let state = scene.empty_state();
        let (backup, calls) = (scene.backup().await, scene.server.calls().len());
        scene.divert(Audience::Only(scene.ada.who()), &backup).await;
        let org = scene.ada.account.organizations()[0];
        let mut vault = scene.ada.account.open(org, &state).await.expect("Ada's other machine");
        let write = [SecretWrite::new(F::NAME, CANARY)];
        vault.write(&production, &write).await.expect("a write out of sight");
        scene.server.repent();
        let write = forge::batches(&scene.server.calls()[calls..]).next().expect("the write");
        forgery.afterwards(scene).await;
        Self { forgery, write }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        self.show(scene, audience, true);
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.show(scene, Audience::Everybody, false);
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_all(&production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await
    }
}
