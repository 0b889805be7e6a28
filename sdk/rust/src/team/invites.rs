//! Invites: one-time identities that travel outside the server, and joining by one.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::organization::check_name;
use crate::organization::directory;
use crate::random::{self, rng};
use crate::session::Session;
use crate::sync::keyring::read_wrap;
use crate::sync::space::unverified;
use crate::sync::start;
use crate::sync::statements;
use crate::team::machines::end_of;
use crate::team::membership::directory_bits;
use crate::vault::Vault;
use crate::wire::{Client, rpc};
use bytes::Bytes;
use keyvawlt_crypto::invite::{InviteKeys, make_secret};
use keyvawlt_crypto::wraps::{Granter, Recipient, unwrap_nk, wrap_nk};
use keyvawlt_crypto::{Identity, InviteCode, safety_words};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{
    Body, Intended, Invite, InviteEntry, InviteRevoke, Link, MemberJoin, Questions, Replica, WrapRef, class, permission, role,
};
use keyvawlt_ledger::limits::MAX_PREWRAP_MS;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Domain, FORMAT, Fault, IdentityId, InviteId, NsId, Signed};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;

/// An invite to make.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// How colleagues will see the newcomer.
    pub name: String,
    /// One of the roles of people.
    pub role: u8,
    /// Access the newcomer is meant to get: where, what, until when (0 for ever).
    pub access: Vec<(NsId, u8, u64)>,
    /// How long the code can be used, milliseconds.
    pub ttl_ms: u64,
    /// Until when the newcomer is a member; 0 for ever.
    pub member_expires_ms: u64,
    /// Let the code itself carry the keys of environments below production, for at most 72 hours.
    pub carry_keys: bool,
}

/// An invite on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteInfo {
    /// Its id.
    pub id: InviteId,
    /// For whom.
    pub name: String,
    /// The role it gives.
    pub role: u8,
    /// Until when it can be used.
    pub expires_ms: u64,
    /// Who used it.
    pub used_by: Option<IdentityId>,
    /// It was revoked.
    pub revoked: bool,
    /// Access that is intended and not given yet.
    pub intended: Vec<(NsId, u8, u64)>,
    /// Namespaces whose keys the code carried when it was made, the directory left out.
    pub carries: Vec<NsId>,
    /// Who joins by it is marked as not verified.
    pub unverified: bool,
}

impl Vault {
    /// Makes an invite. The code goes to the newcomer by a way the server does not see.
    pub async fn invite(&mut self, new: &NewInvite) -> Result<InviteCode> {
        check_name(&new.name)?;
        self.change(|change| make_invite(change, new, false)).await
    }

    /// The same for a code that goes by a way the server may see, where the policy allows that: who joins by it is marked as not verified.
    pub async fn invite_unverified(&mut self, new: &NewInvite) -> Result<InviteCode> {
        check_name(&new.name)?;
        self.change(|change| make_invite(change, new, true)).await
    }

    /// Ends an open invite.
    pub async fn revoke_invite(&mut self, id: InviteId) -> Result<()> {
        self.change(|change| change.link(&Body::InviteRevoke(InviteRevoke { invite_id: id }), vec![]).map(|_| ())).await
    }

    /// All invites on the chain.
    pub fn invites(&self) -> Result<Vec<InviteInfo>> {
        use keyvawlt_ledger::chain::{Key, View};
        let names = self.directory()?;
        let state = self.replica.head();
        let directory = state.chain().and_then(|chain| chain.directory);
        let ids = state.scan(b"invite/").iter().filter_map(Key::last_id).map(InviteId).collect::<Vec<_>>();
        let info = |id: InviteId| {
            let entry = state.invite(&id)?;
            let name = names.get(&directory::invite_key(&id)).cloned().unwrap_or_else(|| id.to_string());
            let intended = entry.access.iter().map(|intended| (intended.ns_id, intended.permissions, intended.expires_ms)).collect();
            Some(InviteInfo {
                id,
                name,
                role: entry.role,
                expires_ms: entry.expires_ms,
                used_by: entry.used_by,
                revoked: entry.state == 2,
                intended,
                carries: entry.prewraps.iter().map(|wrap| wrap.ns_id).filter(|ns_id| Some(*ns_id) != directory).collect(),
                unverified: entry.mailed,
            })
        };
        Ok(ids.into_iter().filter_map(info).collect())
    }
}

fn make_invite(change: &mut Change, new: &NewInvite, mailed: bool) -> Result<InviteCode> {
    let vault = change.vault();
    let secret = make_secret(&mut rng());
    let invite_id = InviteId(random::bytes());
    let keys = InviteKeys::derive(&secret, invite_id);
    let now = change.ts_ms();
    let directory = vault.directory_id()?;
    let mut access = Vec::new();
    let mut carried = Vec::new();
    if new.role != role::MACHINE {
        access.push(Intended { ns_id: directory, permissions: directory_bits(new.role), expires_ms: new.member_expires_ms });
        carried.push(directory);
    }
    for (ns_id, permissions, expires_ms) in &new.access {
        access.push(Intended { ns_id: *ns_id, permissions: *permissions, expires_ms: *expires_ms });
        let ns = change.replica.head().known_ns(ns_id).map_err(Error::Refused)?;
        let may_travel = ns.class != class::PRODUCTION && new.ttl_ms <= MAX_PREWRAP_MS && permissions & permission::READ != 0;
        if new.carry_keys && may_travel {
            change.settle(ns_id)?;
            carried.push(*ns_id);
        }
    }
    let recipient = Recipient { id: keys.recipient_id(), key_id: keys.key_id(), kem_pk: keys.kem_pk() };
    let mut records = Vec::new();
    for ns_id in carried {
        let epoch = change.replica.head().known_ns(&ns_id).map_err(Error::Refused)?.epoch;
        let key = change.key(&ns_id, epoch)?;
        records.push(change.wrap_to(&ns_id, epoch, &key, &recipient)?);
    }
    let body = Invite {
        invite_id,
        sign_pk: keys.sign_pk(),
        auth_pk: keys.auth_pk(),
        kem_pk: *keys.kem_pk(),
        role: new.role,
        access,
        expires_ms: end_of(now, new.ttl_ms)?,
        member_expires_ms: new.member_expires_ms,
        mailed,
        prewraps: records.iter().map(|wrap| WrapRef { ns_id: wrap.ns_id, epoch: wrap.epoch, wrap_hash: wrap.hash() }).collect(),
    };
    let link_hash = change.link(&Body::Invite(body), records)?;
    let seq = change.replica.tip().next_seq() - 1;
    directory::note(change, &[(directory::invite_key(&invite_id), new.name.clone())])?;
    let identity = &change.vault().identity;
    Ok(InviteCode {
        invite_id,
        org_id: change.replica.tip().org_id,
        secret,
        inviter_id: identity.id(),
        inviter_key_id: identity.key_id(),
        seq,
        link_hash,
        origin: change.vault().session.client().origin().to_owned(),
    })
}

/// An invite code in the newcomer's hands.
#[derive(Debug)]
pub struct Invitation {
    code: InviteCode,
    keys: InviteKeys,
    session: Session,
}

impl Invitation {
    /// Prepares to use a code.
    pub fn new(client: Client, code: InviteCode) -> Self {
        let keys = code.keys();
        let auth = keys.auth_key().clone();
        let subject = Subject::Invite(code.org_id, code.invite_id);
        let session = Session::new(client, subject, move |subject, origin, now_s, jti| assertion::make(subject, origin, now_s, jti, &auth));
        Self { code, keys, session }
    }

    /// The inviter's safety words: compare them by voice.
    pub fn inviter_words(&self) -> [&'static str; 10] {
        safety_words(&self.code.inviter_key_id)
    }

    /// Verifies the chain, and that it is the one the inviter saw.
    pub(crate) async fn verify(&self) -> Result<Replica> {
        let replica = self.read_chain().await?;
        self.check(&replica)?;
        Ok(replica)
    }

    /// Verifies the chain through the code's position, and joins as `identity`.
    pub async fn accept(&self, identity: &Identity) -> Result<()> {
        let mut tries = 0;
        loop {
            let replica = self.read_chain().await?;
            let invite = self.check(&replica)?;
            if replica
                .head()
                .member(&identity.id())
                .is_some_and(|member| member.key_id == identity.key_id() && member.role != role::REMOVED)
            {
                // An earlier try went through although its answer was lost.
                return Ok(());
            }
            if replica.head().member(&identity.id()).is_some_and(|member| member.generation >= identity.bundle().generation) {
                let why = "this account was a member here before: its earlier keys cannot come back; replace your keys, then join";
                return Err(Error::Refused(Fault::new(Code::Invite, why)));
            }
            open(&invite)?;
            let (link, wraps) = self.make_join(&replica, &invite, identity).await?;
            let request = v1::CommitRequest {
                org_id: Bytes::copy_from_slice(&self.code.org_id.0),
                request_id: Bytes::copy_from_slice(&random::bytes::<16>()),
                batch: Some(v1::Batch {
                    links: statements(&[link]),
                    manifest_links: vec![],
                    wraps: wraps.iter().map(|wrap| wrap.to_bytes().into()).collect(),
                    objects: vec![],
                }),
                bring_back: false,
            };
            match self.session.call(async |client, token| rpc::commit(client, Some(token), request.clone()).await).await {
                Err(Error::Conflict { .. }) if tries < 8 => tries += 1,
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.session.client().clock().now_ms()
    }

    async fn read_chain(&self) -> Result<Replica> {
        let pin = (self.code.seq, self.code.link_hash);
        let start = start::start(&self.session, self.code.org_id, pin, pin.0).await?;
        let mut replica = start.unwrap_or_else(|| Replica::new(self.code.org_id));
        start::extend(&self.session, &mut replica).await?;
        Ok(replica)
    }

    /// The chain is the one the inviter saw, and the invite on it is this code's.
    fn check(&self, replica: &Replica) -> Result<InviteEntry> {
        if replica.link(self.code.seq).map(|(hash, _)| hash) != Some(self.code.link_hash) {
            return Err(unverified(Fault::new(Code::Fork, "the chain does not contain the link the invite was made at")));
        }
        let then = replica.at(self.code.seq).ok_or_else(|| unverified(Fault::new(Code::Rollback, "the chain is too short")))?;
        if then.member(&self.code.inviter_id).is_none_or(|inviter| inviter.key_id != self.code.inviter_key_id) {
            return Err(unverified(Fault::new(Code::KeySubst, "the inviter's keys on the chain are not those in the code")));
        }
        let invite = replica
            .head()
            .invite(&self.code.invite_id)
            .ok_or_else(|| unverified(Fault::new(Code::Invite, "the chain has no such invite")))?;
        self.keys.check_against(&invite.key_id).map_err(unverified)?;
        Ok(*invite)
    }

    async fn make_join(&self, replica: &Replica, invite: &InviteEntry, identity: &Identity) -> Result<(Signed, Vec<Wrap>)> {
        let waits = replica.head().policy().is_some_and(|policy| policy.require_admin_confirm);
        let delivered = if waits { BTreeMap::new() } else { self.prewraps(replica, invite).await? };
        let mut records = Vec::new();
        for wrap in delivered.values() {
            let key = unwrap_nk(wrap, &self.keys.recipient_id(), &self.keys.key_id(), self.keys.kem_seed()).map_err(unverified)?;
            let own = Recipient { id: identity.id(), key_id: identity.key_id(), kem_pk: &identity.bundle().kem_pk };
            let granter = Granter { id: identity.id(), key_id: identity.key_id() };
            let record = wrap_nk(&key, &self.code.org_id, &wrap.ns_id, wrap.epoch, &own, &granter, &wrap.nk_commit, &mut rng());
            records.push(record.map_err(Error::Refused)?);
        }
        let body = MemberJoin {
            bundle: identity.signed_bundle().clone(),
            invite_id: self.code.invite_id,
            join_sig: self.keys.join_signature(&self.code.org_id, &identity.key_id()),
            wraps: records.iter().map(|wrap| WrapRef { ns_id: wrap.ns_id, epoch: wrap.epoch, wrap_hash: wrap.hash() }).collect(),
        };
        let last = replica.head().chain().map_or(0, |chain| chain.last_ts_ms);
        let link = Link {
            v: FORMAT,
            org_id: self.code.org_id,
            seq: replica.tip().next_seq(),
            history: replica.tip().history.root(),
            kind: 3,
            author_id: identity.id(),
            author_key_id: identity.key_id(),
            ts_ms: self.now_ms().max(last),
            body: Body::MemberJoin(body).to_value(),
            seen: vec![],
        };
        let signed = identity.sign(Domain::OrgLink, link.to_bytes());
        replica.clone().append(&signed, self.now_ms()).map_err(Error::Refused)?;
        Ok((signed, records))
    }

    /// The keys this invite carries, of epochs that are still current, each the one the invite's link signs.
    async fn prewraps(&self, replica: &Replica, invite: &InviteEntry) -> Result<BTreeMap<NsId, Wrap>> {
        let request = v1::ReadChangesRequest {
            org_id: Bytes::copy_from_slice(&self.code.org_id.0),
            from_seq: replica.tip().next_seq(),
            namespaces: vec![],
            all_wraps: true,
        };
        let answer = self.session.call(async |client, token| rpc::read_changes(client, Some(token), request.clone()).await).await?;
        let delivered = answer.wraps.iter().map(|wrap| read_wrap(&wrap.record)).collect::<Result<Vec<_>, _>>().map_err(unverified)?;
        let mut found = BTreeMap::new();
        for prewrap in &invite.prewraps {
            let ns = replica.head().known_ns(&prewrap.ns_id).map_err(unverified)?;
            if ns.epoch != prewrap.epoch {
                continue;
            }
            let wrap = delivered.iter().find(|wrap| wrap.hash() == prewrap.wrap_hash);
            let wrap = wrap.ok_or_else(|| unverified(Fault::new(Code::Wrap, "the server does not deliver a key the invite carries")))?;
            if wrap.granter_id != self.code.inviter_id || wrap.nk_commit != ns.nk_commit || wrap.ns_id != prewrap.ns_id {
                return Err(unverified(Fault::new(Code::Wrap, "a carried key is not the inviter's")));
            }
            found.insert(wrap.ns_id, wrap.clone());
        }
        Ok(found)
    }
}

/// Whether the invite can still be used.
fn open(invite: &InviteEntry) -> Result<()> {
    match invite.state {
        0 => Ok(()),
        1 => Err(Error::Refused(Fault::new(Code::Invite, "the invite was used already: ask for a new one"))),
        _ => Err(Error::Refused(Fault::new(Code::Invite, "the invite was revoked: ask for a new one"))),
    }
}
