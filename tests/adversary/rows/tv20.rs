//! TV20 and TV43 share this: joins by invites that nobody may use any more. An invite is used once, and counts only while its inviter is there
//! and could still give it.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Body, MemberJoin, Questions as _, WrapRef, role};
use keyvawlt_client::{InviteCode, NewInvite, Vault};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Code, Hash};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV20",
    title: "Accepts a join by an invite that is used up",
    tries: &[
        Try::detected::<Forged<Join<USED>>>("an invite that somebody has used", Code::Invite).and_command_line::<Forged<Join<USED>>>(),
        Try::detected::<Forged<Join<REVOKED>>>("an invite that was revoked", Code::Invite),
    ],
};

pub const USED: u8 = 1;
pub const REVOKED: u8 = 2;
pub const LEFT_OPEN: u8 = 3;

pub struct Join<const HOW: u8> {
    dead: InviteCode,
    open: InviteCode,
}

impl<const HOW: u8> Forgery for Join<HOW> {
    async fn prepare(scene: &mut Scene) -> Self {
        let dead = match HOW {
            USED => {
                let code = invite(scene.ada.vault()).await;
                let mut newcomer = scene.stranger().await;
                newcomer.account.join(&code, &newcomer.state).await.expect("a join");
                code
            }
            REVOKED => {
                let code = invite(scene.ada.vault()).await;
                scene.ada.vault().revoke_invite(code.invite_id).await.expect("a revocation");
                code
            }
            _ => {
                let mut admin = scene.newcomer(role::ADMIN, &[]).await;
                let code = invite(admin.vault()).await;
                let id = admin.account.identity().id();
                scene.ada.vault().remove_member(&id).await.expect("the admin is removed");
                code
            }
        };
        Self { dead, open: invite(scene.ada.vault()).await }
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let code = if forged { &self.dead } else { &self.open };
        let identity = Identity::make(kind::PERSON, 1, &mut forge::rng());
        let directory = scene.chain().head().chain().and_then(|chain| chain.directory).expect("a directory");
        let body = MemberJoin {
            bundle: identity.signed_bundle().clone(),
            invite_id: code.invite_id,
            join_sig: code.keys().join_signature(&code.org_id, &identity.key_id()),
            wraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: Hash([5; 32]) }],
        };
        forge::link(&identity, scene.chain(), &Body::MemberJoin(body))
    }
}

async fn invite(vault: &mut Vault) -> InviteCode {
    let new = NewInvite {
        name: "Somebody".to_owned(),
        role: role::MEMBER,
        access: vec![],
        ttl_ms: DAY_MS,
        member_expires_ms: 0,
        carry_keys: false,
    };
    vault.invite(&new).await.expect("an invite")
}
