//! Replacing an identity's own keys, in one organization after the other.
//!
//! The next keys are in the account's sealed data before any organization hears of them, so a rotation that broke off is continued, never begun
//! a second time. Nobody but identities of the verified chain receives a wrap.

use crate::account::Account;
use crate::change::Change;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::organization::fences::Loss;
use crate::random::rng;
use crate::team::offboarding::settle_loss;
use crate::team::worklist::Removal;
use crate::vault::Vault;
use keyvawlt_crypto::account::claim;
use keyvawlt_crypto::wraps::Recipient;
use keyvawlt_crypto::{Identity, Key};
use keyvawlt_ledger::chain::{self, Body, KeyRotate, LossReason, Questions, WrapRef, is_live, permission};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{NsId, OrgId};
use std::sync::Arc;

/// What became of a rotation.
#[derive(Debug)]
pub struct Rotation {
    /// The generation of the keys in use now.
    pub generation: u64,
    /// An earlier rotation had broken off, and was continued.
    pub resumed: bool,
    /// Organizations in which the keys were replaced now.
    pub rotated: Vec<Rotated>,
    /// Organizations of which this person is no member any more.
    pub left: Vec<OrgId>,
    /// Organizations in which the earlier keys still stand, and why. Rotating again continues there.
    pub failed: Vec<(OrgId, Error)>,
}

/// New keys in one organization.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// Which.
    pub org_id: OrgId,
    /// Its name.
    pub name: String,
    /// After keys that leaked: what they opened.
    pub loss: Option<Removal>,
}

impl Account {
    /// Gives this person new keys everywhere, or continues where an earlier call broke off. `compromised` says that somebody else may have the
    /// present ones: then every key they open is replaced too.
    pub async fn rotate_keys(&mut self, state: &StateDir, compromised: bool) -> Result<Rotation> {
        let resumed = self.has_earlier_keys(state).await?;
        if !resumed {
            let next = self.identity.next(self.client().clock().now_ms(), &mut rng());
            let claim = claim(&next, &self.account_id, self.client().origin());
            Box::pin(self.home.renew_identity(&next, &claim)).await?;
            self.identity = Arc::new(next);
        }
        let mut rotation = Rotation { generation: self.identity.generation(), resumed, rotated: vec![], left: vec![], failed: vec![] };
        for org_id in self.organizations().to_vec() {
            match Box::pin(self.rotate_in(org_id, state, compromised)).await {
                Ok(rotated) => rotation.rotated.extend(rotated),
                Err(Error::Forbidden) => rotation.left.push(org_id),
                Err(error) => rotation.failed.push((org_id, error)),
            }
        }
        Ok(rotation)
    }

    /// Whether some organization still knows this person by earlier keys than the account's newest.
    async fn has_earlier_keys(&self, state: &StateDir) -> Result<bool> {
        for org_id in self.organizations() {
            match Box::pin(self.open(*org_id, state)).await {
                Ok(vault) if vault.identity.key_id() != self.identity.key_id() => return Ok(true),
                Ok(_) | Err(Error::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    async fn rotate_in(&mut self, org_id: OrgId, state: &StateDir, compromised: bool) -> Result<Option<Rotated>> {
        let mut vault = self.open(org_id, state).await?;
        if vault.identity.key_id() == self.identity.key_id() {
            return Ok(None);
        }
        let mut loss = vault.rotate_identity(&self.identity, compromised).await?;
        if let Some(loss) = &mut loss {
            // What did not fit into one batch.
            loss.rekeyed.extend(vault.settle_owed().await?);
        }
        self.follow(&vault);
        Ok(Some(Rotated { org_id, name: vault.name()?, loss }))
    }
}

impl Vault {
    /// Whether this organization knows its own identity by earlier keys than the account's newest: a rotation broke off.
    pub fn has_earlier_keys(&self) -> bool {
        self.generations.last().is_some_and(|newest| newest.key_id() != self.identity.key_id())
    }

    async fn rotate_identity(&mut self, next: &Arc<Identity>, compromised: bool) -> Result<Option<Removal>> {
        let own = self.identity.id();
        let loss = Loss::Membership(own);
        self.change_taking(Some(loss), |change| {
            let lost = change.vault().about_to_lose(&own, None);
            let records = wrap_own(change, next)?;
            let wraps = records.iter().map(|wrap| WrapRef { ns_id: wrap.ns_id, epoch: wrap.epoch, wrap_hash: wrap.hash() }).collect();
            let fences = change.fences(&loss)?;
            let body = KeyRotate { bundle: next.signed_bundle().clone(), wraps, fences, compromised };
            change.link(&Body::KeyRotate(body), records.clone())?;
            change.sign_as(Arc::clone(next));
            for wrap in &records {
                change.hold(wrap);
            }
            if compromised { settle_loss(change, &leaked(lost)).map(Some) } else { Ok(None) }
        })
        .await
    }
}

/// Every key held directly, wrapped to oneself by one's next keys.
fn wrap_own(change: &mut Change, next: &Arc<Identity>) -> Result<Vec<Wrap>> {
    let (state, now) = (change.replica.head(), change.ts_ms());
    let reads = |ns: &NsId| {
        let access = state.access(ns, &next.id());
        access.is_some_and(|access| access.permissions & permission::READ != 0 && is_live(access.expires_ms, now))
    };
    let held: Vec<NsId> = state.held_by(&next.id()).into_iter().filter(reads).collect();
    let keys = held.into_iter().map(|ns_id| {
        let epoch = change.replica.head().known_ns(&ns_id).map_err(Error::Refused)?.epoch;
        Ok((ns_id, epoch, change.key(&ns_id, epoch)?))
    });
    let keys: Vec<(NsId, u64, Key)> = keys.collect::<Result<_>>()?;
    let present = change.sign_as(Arc::clone(next));
    let recipient = Recipient::of(next.bundle(), next.key_id());
    let records = keys.iter().map(|(ns_id, epoch, key)| change.wrap_to(ns_id, *epoch, key, &recipient)).collect();
    change.sign_as(present);
    records
}

/// What leaked keys opened: they still read, and so does whoever has them.
fn leaked(mut lost: Vec<chain::Loss>) -> Vec<chain::Loss> {
    for loss in &mut lost {
        loss.reason = LossReason::KeysLeaked;
    }
    lost
}
