//! TV37: an admin escalates, and the server accepts his links: what touches or confers admin or owner needs an owner, what invites gives is
//! the author's to give. The controls are links of the same types by the same admin that stay within his rights.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::person::Person;
use crate::scene::{CANARY, DAY_MS, Scene};
use keyvawlt_client::Error;
use keyvawlt_client::ledger::chain::{Body, Intended, Invite, KeyReset, MemberAdd, Questions as _, WrapRef, permission, role, verified};
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::invite::InviteKeys;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Code, Hash, InviteId};

pub const ROW: Row = Row {
    id: "TV37",
    title: "Accepts links by which an admin escalates",
    tries: &[
        Try::detected::<Escalation<RESET>>("he resets the owner's keys to his own", Code::Authority),
        Try::detected::<Escalation<ADD>>("he adds a second admin", Code::Authority),
        Try::detected::<Escalation<INVITE>>("he invites himself with the manage that he lacks", Code::Authority),
    ],
};

const RESET: u8 = 7;
const ADD: u8 = 2;
const INVITE: u8 = 8;

struct Escalation<const KIND: u8> {
    /// The admin.
    carol: Person,
    /// A member without rights to write.
    dave: Person,
}

impl<const KIND: u8> Escalation<KIND> {
    /// A link of this kind by the admin, beyond his rights or within.
    fn body(&self, scene: &Scene, beyond: bool) -> Body {
        let last = self.carol.vault.as_ref().expect("a member").chain().head().chain().expect("a chain");
        let rng = &mut forge::rng();
        match KIND {
            RESET => {
                let target = if beyond { &scene.ada } else { &self.dave };
                let next = target.account.identity().next(last.last_ts_ms, rng);
                let (identity_id, bundle) = (next.id(), next.signed_bundle().clone());
                Body::KeyReset(KeyReset { identity_id, bundle, verified: verified::WORDS, fences: vec![], abandon: false })
            }
            ADD => {
                let bundle = Identity::make(kind::PERSON, last.last_ts_ms, rng).signed_bundle().clone();
                let role = if beyond { role::ADMIN } else { role::MEMBER };
                Body::MemberAdd(MemberAdd { bundle, role, expires_ms: 0, verified: verified::WORDS })
            }
            _ => {
                let directory = last.directory.expect("a directory");
                let invite_id = InviteId([7; 16]);
                let keys = InviteKeys::derive(&[8; 16], invite_id);
                let intended = |ns_id, permissions| Intended { ns_id, permissions, expires_ms: 0 };
                let mut access = vec![intended(directory, permission::READ)];
                if beyond {
                    access.push(intended(scene.production, permission::READ | permission::WRITE | permission::MANAGE));
                }
                Body::Invite(Invite {
                    invite_id,
                    sign_pk: keys.sign_pk(),
                    auth_pk: keys.auth_pk(),
                    kem_pk: *keys.kem_pk(),
                    role: role::MEMBER,
                    access,
                    expires_ms: last.last_ts_ms + DAY_MS,
                    member_expires_ms: 0,
                    mailed: false,
                    prewraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: Hash([9; 32]) }],
                })
            }
        }
    }

    /// Shows everybody in the audience a link that the real server never got.
    fn show(&mut self, scene: &mut Scene, audience: Audience, beyond: bool) {
        let body = self.body(scene, beyond);
        let chain = self.carol.vault.as_ref().expect("a member").chain();
        let (seq, link) = (chain.tip().next_seq(), forge::link(self.carol.account.identity(), chain, &body));
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            if request.from_seq <= seq {
                answer.links.push(link.clone());
            }
            answer.next_seq = answer.next_seq.max(seq + 1);
        });
    }
}

impl<const KIND: u8> Attack for Escalation<KIND> {
    async fn prepare(scene: &mut Scene) -> Self {
        let mut carol = scene.newcomer(role::ADMIN, &[]).await;
        let dave = scene.newcomer(role::MEMBER, &[]).await;
        carol.vault().sync().await.expect("Carol sees all links");
        Self { carol, dave }
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
