//! TV37: an admin escalates, and the server accepts his links: what touches or confers admin or owner needs an owner, what invites gives is
//! the author's to give. The controls are links of the same types by the same admin that stay within his rights.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::person::Person;
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Body, Intended, Invite, KeyReset, MemberAdd, Questions as _, WrapRef, permission, role, verified};
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::invite::InviteKeys;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Code, Hash, InviteId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV37",
    title: "Accepts links by which an admin escalates",
    tries: &[
        Try::detected::<Forged<Escalation<RESET>>>("he resets the owner's keys to his own", Code::Authority).and_command_line::<Forged<Escalation<RESET>>>(),
        Try::detected::<Forged<Escalation<ADD>>>("he adds a second admin", Code::Authority),
        Try::detected::<Forged<Escalation<INVITE>>>("he invites himself with the manage that he lacks", Code::Authority),
    ],
};

const RESET: u8 = 7;
const ADD: u8 = 2;
const INVITE: u8 = 8;

struct Escalation<const KIND: u8> {
    admin: Person,
    /// A member without rights to write.
    member: Person,
}

impl<const KIND: u8> Forgery for Escalation<KIND> {
    async fn prepare(scene: &mut Scene) -> Self {
        let admin = scene.newcomer(role::ADMIN, &[]).await;
        let member = scene.newcomer(role::MEMBER, &[]).await;
        Self { admin, member }
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let last = scene.chain().head().chain().expect("a chain");
        let rng = &mut forge::rng();
        let body = match KIND {
            RESET => {
                let target = if forged { &scene.ada } else { &self.member };
                let next = target.account.identity().next(last.last_ts_ms, rng);
                let (identity_id, bundle) = (next.id(), next.signed_bundle().clone());
                Body::KeyReset(KeyReset { identity_id, bundle, verified: verified::WORDS, fences: vec![], abandon: false })
            }
            ADD => {
                let bundle = Identity::make(kind::PERSON, last.last_ts_ms, rng).signed_bundle().clone();
                let role = if forged { role::ADMIN } else { role::MEMBER };
                Body::MemberAdd(MemberAdd { bundle, role, expires_ms: 0, verified: verified::WORDS })
            }
            _ => Body::Invite(invite(scene, last.last_ts_ms, forged)),
        };
        forge::link(self.admin.account.identity(), scene.chain(), &body)
    }
}

fn invite(scene: &Scene, now_ms: u64, with_manage: bool) -> Invite {
    let directory = scene.chain().head().chain().and_then(|chain| chain.directory).expect("a directory");
    let invite_id = InviteId([7; 16]);
    let keys = InviteKeys::derive(&[8; 16], invite_id);
    let intended = |ns_id, permissions| Intended { ns_id, permissions, expires_ms: 0 };
    let mut access = vec![intended(directory, permission::READ)];
    if with_manage {
        access.push(intended(scene.production, permission::READ | permission::WRITE | permission::MANAGE));
    }
    Invite {
        invite_id,
        sign_pk: keys.sign_pk(),
        auth_pk: keys.auth_pk(),
        kem_pk: *keys.kem_pk(),
        role: role::MEMBER,
        access,
        expires_ms: now_ms + DAY_MS,
        member_expires_ms: 0,
        mailed: false,
        prewraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: Hash([9; 32]) }],
    }
}
