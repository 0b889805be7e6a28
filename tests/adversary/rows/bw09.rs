//! BW09: the keys of an organization are replaced just after it was created. Its id is the hash of its first link, and stays with its creator.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_client::{Error, StateDir};
use keyvawlt_client::ledger::chain::{Body, Link, org_id_of};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "BW09",
    title: "Replaces the keys of an organization that was just created",
    tries: &[
        Try::detected::<Shortened>("it shows the creator the first link only, to be continued otherwise", Code::Rollback),
        Try::detected::<Overwritten<false>>("its own first link under the same id, on the creator's next machine", Code::OrgId),
        Try::detected::<Overwritten<true>>("its own first link under that link's id, on the creator's next machine", Code::OrgId),
    ],
};

struct Shortened(Person);

impl Attack for Shortened {
    /// The account's list, and the creation itself: the lie follows it.
    const WRITES: usize = 2;

    async fn prepare(scene: &mut Scene) -> Self {
        Self(scene.stranger().await)
    }

    fn victim(&self, _: &Scene) -> Who {
        self.0.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadChanges>(audience, |request, answer| {
            answer.links.truncate(usize::from(request.from_seq == 0));
            (answer.namespaces, answer.wraps, answer.next_seq) = (vec![], vec![], 1);
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        self.0.account.found("Mine", &self.0.state).await.map(|_| ())
    }
}

/// `CONSISTENT`: the forged link names the organization that it makes.
struct Overwritten<const CONSISTENT: bool> {
    creator: Person,
    next_machine: StateDir,
}

impl<const CONSISTENT: bool> Attack for Overwritten<CONSISTENT> {
    async fn prepare(scene: &mut Scene) -> Self {
        let mut creator = scene.stranger().await;
        creator.account.found("Mine", &creator.state).await.expect("an organization");
        Self { creator, next_machine: scene.empty_state() }
    }

    fn victim(&self, _: &Scene) -> Who {
        self.creator.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadChanges>(audience, |request, answer| {
            if request.from_seq == 0 {
                overwrite(answer.links.first_mut().expect("a genesis"), CONSISTENT);
            }
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        let org = self.creator.account.organizations()[0];
        self.creator.account.open(org, &self.next_machine).await.map(|_| ())
    }
}

fn overwrite(signed: &mut v1::SignedStatement, consistent: bool) {
    let server = Identity::make(kind::PERSON, 1, &mut forge::rng());
    let mut link = Link::from_bytes(&signed.payload).expect("a link");
    let Ok(Body::Genesis(mut genesis)) = Body::from_value(link.kind, link.body.clone()) else { panic!("a genesis") };
    genesis.bundle = server.signed_bundle().clone();
    (link.author_id, link.author_key_id) = (server.id(), server.key_id());
    link.body = Body::Genesis(genesis.clone()).to_value();
    if consistent {
        link.org_id = org_id_of(&link.to_bytes()).expect("an id");
    }
    *signed = forge::signed_link(&server, link, &Body::Genesis(genesis));
}
