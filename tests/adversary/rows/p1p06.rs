//! 1P06: on a new machine, the wrapped key of an environment is one the server knows, so that all that is written from then on is readable.
//! A wrap counts only as the leaf of a set, or the single hash, that a link of the chain signs, and for the key the chain commits to.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_client::{Error, StateDir};
use keyvawlt_crypto::{Key, nk};
use keyvawlt_ledger::Code;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "1P06",
    title: "Swaps the wrapped key of an environment for one it knows, at the login of a new machine",
    tries: &[
        Try::detected::<KnownKey<OWN_COMMITMENT>>("a wrap of the server's key, with that key's commitment", Code::Wrap),
        Try::detected::<KnownKey<REAL_COMMITMENT>>("a wrap of the server's key, with the chain's commitment", Code::Wrap),
        Try::detected::<KnownKey<WITHHELD>>("no wrap at all", Code::Wrap),
    ],
};

const OWN_COMMITMENT: u8 = 1;
const REAL_COMMITMENT: u8 = 2;
const WITHHELD: u8 = 3;

struct KnownKey<const HOW: u8> {
    new_machine: StateDir,
}

impl<const HOW: u8> Attack for KnownKey<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { new_machine: scene.empty_state() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let people = [forge::keys_of(scene.ada.account.identity()), forge::keys_of(scene.bob.account.identity())];
        let production = scene.production;
        let known = Key::random(&mut forge::rng());
        let swap = move |delivered: &mut v1::DeliveredWrap| {
            let wrap = Wrap::from_bytes(&delivered.record).expect("a wrap");
            if wrap.ns_id != production {
                return true;
            }
            // The public half of the reader's keys is all that is used of them: everybody finds it on the chain.
            let reader = people.iter().find(|person| person.id() == wrap.recipient_id).expect("a reader");
            let commit = match HOW {
                OWN_COMMITMENT => nk::commit(&wrap.org_id, &wrap.ns_id, wrap.epoch, &known),
                _ => wrap.nk_commit,
            };
            delivered.record = forge::wrap_like(&wrap, &known, &commit, reader).to_bytes().into();
            HOW != WITHHELD
        };
        scene.server.answers::<ReadChanges>(audience, move |_, answer| answer.wraps.retain_mut(&swap));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_anew(&self.new_machine, &production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write_anew(&self.new_machine, &production).await
    }
}
