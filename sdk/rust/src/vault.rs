//! One organization as one identity sees it: the verified chain, the namespaces it reads, and what this machine remembers of both.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::keyring::Keyring;
use crate::session::Session;
use crate::space::{Space, StoredSpace, unverified};
use crate::state::{Lock, StateDir};
use crate::sync::check_contains;
use crate::wire::{Client, rpc};
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::account::OrgPin;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Head, Member, Questions, Replica, View as _};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, KeyId, NsId, OrgId, row};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rises with the layout of the remembered state.
const STORED_FORMAT: u64 = 3;

/// Heads of one organization in the pins of an account: 60 bytes each, where all pins have 1 MiB.
const MAX_ROAMING_HEADS: usize = 2048;

/// An open organization.
#[derive(Debug)]
pub struct Vault {
    pub(crate) session: Session,
    pub(crate) identity: Arc<Identity>,
    pub(crate) org_id: OrgId,
    pub(crate) replica: Replica,
    pub(crate) spaces: BTreeMap<NsId, Space>,
    /// Heads of namespaces that this identity read before: they do not go back when it reads them again.
    pub(crate) pins: BTreeMap<NsId, Head>,
    pub(crate) wraps: BTreeMap<NsId, Wrap>,
    pub(crate) keyring: Keyring,
    /// A link this identity knows of from outside the server: its token or invite.
    pub(crate) anchor: Option<(u64, Hash)>,
    /// What other devices of the account have verified, where this one remembers nothing.
    pub(crate) roamed: Option<OrgPin>,
    /// Where a person's pins are kept for other devices.
    pub(crate) home: Option<Box<Home>>,
    state: StateDir,
    _lock: Lock,
}

row! {
    /// What is remembered between runs: ciphertext and verified metadata.
    pub struct Stored {
        /// [`STORED_FORMAT`].
        format: u64,
        /// The identity's keys this was verified for.
        key_id: KeyId,
        /// The chain.
        replica: Blob,
        /// The namespaces.
        spaces: Vec<Blob>,
        /// Heads of namespaces that were read before.
        pins: Vec<Head>,
        /// The current wraps.
        wraps: Vec<Wrap>,
    }
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
        let mut vault = Self::remembered(session, identity, org_id, state, anchor).await?;
        vault.sync().await?;
        Ok(vault)
    }

    /// Only what is remembered, under the lock.
    pub(crate) async fn remembered(
        session: Session,
        identity: Arc<Identity>,
        org_id: OrgId,
        state: &StateDir,
        anchor: Option<(u64, Hash)>,
    ) -> Result<Self> {
        let lock = state.lock(&org_id.to_string()).await?;
        let mut vault = Self {
            session,
            identity,
            org_id,
            replica: Replica::new(org_id),
            spaces: BTreeMap::new(),
            pins: BTreeMap::new(),
            wraps: BTreeMap::new(),
            keyring: Keyring::default(),
            anchor,
            roamed: None,
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
            heads: self.spaces.values().map(Space::head).take(MAX_ROAMING_HEADS).collect(),
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
        Verified { links: tip.next_seq(), head: tip.link_hash, manifests: self.spaces.values().map(Space::head).collect() }
    }

    /// This identity's membership, as of the verified chain.
    pub fn membership(&self) -> Option<Member> {
        self.replica.head().active_member(&self.identity.id(), self.now_ms())
    }

    /// The newest audit events, for owners, admins and auditors; `page_token` comes from the last page.
    pub async fn audit_events(&self, page_token: &str) -> Result<(Vec<keyvawlt_proto::v1::AuditEvent>, String)> {
        let request = keyvawlt_proto::v1::ListAuditEventsRequest {
            org_id: self.org_id.0.to_vec().into(),
            page_size: 0,
            page_token: page_token.to_owned(),
        };
        let answer = self.session.call(async |client, token| rpc::list_audit_events(client, Some(token), request.clone()).await).await?;
        Ok((answer.events, answer.next_page_token))
    }

    /// The time by which this vault judges what has ended, epoch milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.session.client().clock().now_ms()
    }

    /// What an identity may do in a namespace now.
    pub(crate) fn permissions(&self, ns: &NsId, id: &IdentityId) -> u8 {
        self.replica.head().permissions(ns, id, self.now_ms())
    }

    /// Remembers what has been verified.
    pub(crate) fn save(&self) -> Result<()> {
        let stored = Stored {
            format: STORED_FORMAT,
            key_id: self.identity.key_id(),
            replica: Blob(self.replica.to_bytes()),
            spaces: self.spaces.values().map(|space| Blob(space.to_stored().to_bytes())).collect(),
            pins: self.pins.values().cloned().collect(),
            wraps: self.wraps.values().cloned().collect(),
        };
        self.state.write_checked(&file_name(&self.org_id), stored.to_bytes())
    }

    /// Fails if what a change leaves behind could not be remembered.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.state.check_writable(&file_name(&self.org_id))
    }

    fn load(&mut self) -> Result<()> {
        let name = file_name(&self.org_id);
        let damaged = |why: String| Error::Storage {
            path: self.state.path().join(&name),
            why: format!(
                "what this machine remembers of the organization is damaged ({why}). It protects against a server that goes back in time, so it is not \
                 ignored: restore it, or compare `keyvawlt status` with a colleague's, then move the file away to verify everything from the beginning"
            ),
        };
        let changed = || damaged("it was changed, or cut off, since it was written".to_owned());
        let Some(bytes) = self.state.read_checked(&name, changed)? else { return Ok(()) };
        let stored = Stored::from_bytes(&bytes).map_err(|fault| damaged(fault.to_string()))?;
        if stored.format != STORED_FORMAT || stored.key_id != self.identity.key_id() {
            return Err(damaged("it belongs to another version or identity".to_owned()));
        }
        let replica = Replica::from_bytes(&stored.replica.0).map_err(|fault| damaged(fault.to_string()))?;
        if replica.tip().org_id != self.org_id {
            return Err(damaged("it belongs to another organization".to_owned()));
        }
        self.replica = replica;
        for space in &stored.spaces {
            let space = StoredSpace::from_bytes(&space.0).map_err(|fault| damaged(fault.to_string()))?;
            let space = Space::from_stored(self.org_id, space).ok_or_else(|| damaged("a namespace has no beginning".to_owned()))?;
            self.spaces.insert(space.tip.ns_id, space);
        }
        self.pins = stored.pins.into_iter().map(|pin| (pin.ns_id, pin)).collect();
        self.wraps = stored.wraps.into_iter().map(|wrap| (wrap.ns_id, wrap)).collect();
        Ok(())
    }
}

fn file_name(org_id: &OrgId) -> String {
    format!("{org_id}.vault")
}
