//! TV56: somebody who manages a guarded folder renames it, so that names of the environment would belong to it. What a folder is called is for
//! those who manage and write in what is around it.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, NamespaceSet, Questions as _, permission, role};
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV56",
    title: "Accepts another name for a guarded folder from somebody who manages only the folder",
    tries: &[
        Try::detected::<Forged<Renames<NAMES>>>("he gives it another name", Code::Authority),
        Try::detected::<Forged<Renames<ARCHIVED>>>("he archives it, so that its names fall back to the environment", Code::Authority),
    ],
};

const NAMES: u8 = 1;
const ARCHIVED: u8 = 2;

/// Carol has every right in the folder.
struct Renames<const HOW: u8> {
    carol: Person,
    ns_id: NsId,
}

impl<const HOW: u8> Forgery for Renames<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        let ns_id = scene.ada.vault().guard(&production, "aws/").await.expect("a guarded folder").folder.ns_id;
        let all = permission::READ | permission::WRITE | permission::MANAGE;
        Self { carol: scene.newcomer(role::MEMBER, &[(ns_id, all)]).await, ns_id }
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let names = scene.chain().head().ns(&self.ns_id).expect("the folder").names;
        let (names, archived) = if HOW == NAMES { (Some(names), None) } else { (None, Some(true)) };
        let body = Body::NamespaceSet(NamespaceSet { ns_id: self.ns_id, archived, names, class: None });
        let author = if forged { &self.carol } else { &scene.ada };
        forge::link(author.account.identity(), scene.chain(), &body)
    }
}
