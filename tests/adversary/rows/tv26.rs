//! TV26: statements are dated otherwise than they were made, to be judged under rights that have ended or not begun. Time never goes back, and
//! never runs ahead of the verifier's clock by more than ten minutes.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery, ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::limits::MAX_SKEW_MS;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV26",
    title: "Accepts statements that are back-dated or dated ahead",
    tries: &[
        Try::detected::<Forged<Link<BACK>>>("a link dated before the last one", Code::Clock),
        Try::detected::<Forged<Link<AHEAD>>>("a link dated ahead of every clock", Code::Clock),
        Try::detected::<Written<Write<BACK>>>("a write dated before its anchor", Code::Clock),
        Try::detected::<Written<Write<AHEAD>>>("a write dated ahead of every clock", Code::Clock),
    ],
};

const BACK: bool = false;
const AHEAD: bool = true;

fn misdated(ts_ms: u64, ahead: bool) -> u64 {
    if ahead { ts_ms + 2 * MAX_SKEW_MS } else { 1 }
}

struct Link<const AHEAD: bool>;

impl<const AHEAD: bool> Forgery for Link<AHEAD> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let bob = scene.bob.account.identity();
        let mut link = forge::checkpoint(bob, scene.chain());
        if forged {
            link.ts_ms = misdated(link.ts_ms, AHEAD);
        }
        forge::statement(&bob.sign(Domain::OrgLink, link.to_bytes()))
    }
}

struct Write<const AHEAD: bool>;

impl<const AHEAD: bool> ForgedWrite for Write<AHEAD> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        link.ts_ms = misdated(link.ts_ms, AHEAD);
        forge::keys_of(scene.ada.account.identity())
    }
}
