//! TV46: a member vouches for a false state, so that clients which start cold take it over. The hash is verified by everybody who applies it.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, Checkpoint, View as _};
use keyvawlt_ledger::{Code, Hash};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV46",
    title: "Accepts a member's checkpoint of a false state",
    tries: &[Try::detected::<Forged<FalseState>>("another state hash, properly signed", Code::State).and_command_line::<Forged<FalseState>>()],
};

struct FalseState;

impl Forgery for FalseState {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let state_hash = if forged { Hash([1; 32]) } else { scene.chain().head().state_hash() };
        let body = Body::Checkpoint(Checkpoint { state_hash: Some(state_hash) });
        forge::link(scene.bob.account.identity(), scene.chain(), &body)
    }
}
