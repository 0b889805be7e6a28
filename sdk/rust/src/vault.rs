//! One organization as one identity sees it: the verified chain, the namespaces it reads, and what this machine remembers of both.

use crate::account::home::Home;
use crate::error::{Error, Result};
use crate::memory;
use crate::memory::spaces::{Spaces, head_of};
use crate::memory::state::{Lock, StateDir};
use crate::session::Session;
use crate::sync::check_contains;
use crate::sync::keyring::Keyring;
use crate::sync::space::unverified;
use crate::wire::{Client, rpc};
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::account::OrgPin;
use keyvawlt_ledger::chain::{Head, Member, Questions, Replica, View as _};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, KeyId, NsId, OrgId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Heads of one organization in the pins of an account: 60 bytes each, where all pins have 1 MiB.
const MAX_ROAMING_HEADS: usize = 2048;

/// An open organization.
#[derive(Debug)]
pub struct Vault {
    pub(crate) session: Session,
    /// With the keys by which the verified chain knows it.
    pub(crate) identity: Arc<Identity>,
    /// The same identity with every generation of keys its account has had: keys are replaced in one organization after the other.
    pub(crate) generations: Vec<Arc<Identity>>,
    pub(crate) org_id: OrgId,
    pub(crate) replica: Replica,
    pub(crate) spaces: Spaces,
    /// Heads of namespaces that this identity read before: they do not go back when it reads them again.
    pub(crate) pins: BTreeMap<NsId, Head>,
    pub(crate) wraps: BTreeMap<NsId, Wrap>,
    pub(crate) keyring: Keyring,
    /// A link this identity knows of from outside the server: its token or invite.
    pub(crate) anchor: Option<(u64, Hash)>,
    /// What other devices of the account have verified, where this one remembers nothing.
    pub(crate) roamed: Option<OrgPin>,
    /// The chain was begun at a checkpoint, and nothing that stands on it was taken in yet.
    pub(crate) cold: bool,
    /// Where a person's pins are kept for other devices.
    pub(crate) home: Option<Box<Home>>,
    pub(crate) state: StateDir,
    _lock: Lock,
}

/// How far an organization has been verified, to show or to compare with a colleague's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Links of the organization's chain.
    pub links: u64,
    /// Hash of the newest one.
    pub head: Hash,
    /// The newest manifest link of each namespace this identity reads.
    pub manifests: Vec<Head>,
}

impl Vault {
    /// Opens an organization: what is remembered, then what is new, verified.
    pub(crate) async fn open(
        session: Session,
        identity: Arc<Identity>,
        org_id: OrgId,
        state: &StateDir,
        anchor: Option<(u64, Hash)>,
    ) -> Result<Self> {
        let mut vault = Self::remembered(session, vec![identity], org_id, state, anchor).await?;
        vault.sync().await?;
        Ok(vault)
    }

    /// Only what is remembered, under the lock. `generations` are an identity's keys, the newest last.
    pub(crate) async fn remembered(
        session: Session,
        generations: Vec<Arc<Identity>>,
        org_id: OrgId,
        state: &StateDir,
        anchor: Option<(u64, Hash)>,
    ) -> Result<Self> {
        let lock = state.lock(&org_id.to_string()).await?;
        let identity = generations.last().cloned().ok_or_else(|| Error::invalid("identity", "it has no keys"))?;
        let mut vault = Self {
            session,
            identity,
            generations,
            org_id,
            replica: Replica::new(org_id),
            spaces: Spaces::new(org_id, state.below(&memory::folder_name(&org_id))?),
            pins: BTreeMap::new(),
            wraps: BTreeMap::new(),
            keyring: Keyring::default(),
            anchor,
            roamed: None,
            cold: false,
            home: None,
            state: state.clone(),
            _lock: lock,
        };
        vault.load()?;
        Ok(vault)
    }

    /// As opened by an account: what its other devices verified counts where this one remembers nothing.
    pub(crate) fn of_account(mut self, home: Box<Home>) -> Self {
        if self.replica.tip().next_seq() == 0 {
            self.roamed = home.pin(&self.org_id).cloned();
            self.pins = self.roamed.iter().flat_map(|pin| &pin.heads).map(|head| (head.ns_id, head.clone())).collect();
        }
        self.home = Some(home);
        self
    }

    /// Begins with a chain that was verified elsewhere, which must contain what is remembered.
    pub(crate) fn start_from(&mut self, replica: Replica) -> Result<()> {
        check_contains(&replica, &self.replica).map_err(unverified)?;
        self.check_roamed(&replica).map_err(unverified)?;
        self.cold = replica.base() > 0 && self.replica.tip().next_seq() == 0;
        self.replica = replica;
        self.save()
    }

    /// The chain contains what the account's other devices have verified.
    pub(crate) fn check_roamed(&self, replica: &Replica) -> Result<(), Fault> {
        let Some(pin) = &self.roamed else { return Ok(()) };
        if replica.link(pin.seq).map(|(hash, _)| hash) != Some(pin.link_hash) {
            return Err(Fault::new(Code::Rollback, "the chain does not contain what another device of this account has seen"));
        }
        if replica.at(pin.seq).is_none_or(|state| state.state_hash() != pin.state_hash) {
            return Err(Fault::new(Code::State, "the state differs from the one another device of this account has seen"));
        }
        Ok(())
    }

    /// Lets the account's other devices start from what was verified here. It helps them only, so a failure is no failure of the change before it.
    pub(crate) async fn roam(&mut self) {
        let Some(mut home) = self.home.take() else { return };
        let tip = self.replica.tip();
        let pin = OrgPin {
            org_id: self.org_id,
            seq: tip.next_seq().saturating_sub(1),
            link_hash: tip.link_hash,
            state_hash: self.replica.head().state_hash(),
            heads: self.spaces.tips().map(head_of).take(MAX_ROAMING_HEADS).collect(),
        };
        let outcome = home.update(|_, pins| {
            let further = pins.iter().find(|held| held.org_id == pin.org_id).is_none_or(|held| held.seq < pin.seq);
            if further {
                pins.retain(|held| held.org_id != pin.org_id);
                pins.push(pin.clone());
            }
        });
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "other devices of this account could not be told what was verified here");
        }
        self.home = Some(home);
    }

    /// The organization's id.
    pub fn org_id(&self) -> OrgId {
        self.org_id
    }

    /// Who is looking.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The server that stores it.
    pub fn client(&self) -> &Client {
        self.session.client()
    }

    /// The verified chain.
    pub fn chain(&self) -> &Replica {
        &self.replica
    }

    /// How far chain and manifests have been verified.
    pub fn verified(&self) -> Verified {
        let tip = self.replica.tip();
        Verified { links: tip.next_seq(), head: tip.link_hash, manifests: self.spaces.tips().map(head_of).collect() }
    }

    /// This identity's membership, as of the verified chain.
    pub fn membership(&self) -> Option<Member> {
        self.replica.head().active_member(&self.identity.id(), self.now_ms())
    }

    /// The newest audit events, for owners, admins and auditors; `page_token` comes from the last page.
    pub async fn audit_events(&self, page_token: &str) -> Result<(Vec<keyvawlt_proto::v1::AuditEvent>, String)> {
        let request = keyvawlt_proto::v1::ListAuditEventsRequest {
            org_id: self.org_id.0.to_vec().into(),
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        let answer = self.session.call(async |client, token| rpc::list_audit_events(client, Some(token), request.clone()).await).await?;
        Ok((answer.events, answer.next_page_token))
    }

    /// The time by which this vault judges what has ended, epoch milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.session.client().clock().now_ms()
    }

    /// This identity with the keys of that name, if it ever had them.
    pub(crate) fn with_keys(&self, key_id: &KeyId) -> Option<Arc<Identity>> {
        self.generations.iter().rev().find(|identity| identity.key_id() == *key_id).cloned()
    }

    /// What an identity may do in a namespace now.
    pub(crate) fn permissions(&self, ns: &NsId, id: &IdentityId) -> u8 {
        self.replica.head().permissions(ns, id, self.now_ms())
    }
}
