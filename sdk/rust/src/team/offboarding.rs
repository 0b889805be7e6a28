//! Taking access from people and machines: removal, leaving, new keys, and what that leaves to rotate. One batch does all that fits into one;
//! namespaces whose new key does not fit, or cannot be made here, stay owed.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::organization::fences::Loss as Taken;
use crate::team::worklist::Removal;
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Access, Body, Loss, MemberRemove, Questions, permission, role};
use keyvawlt_ledger::{IdentityId, NsId};
use std::collections::BTreeSet;

impl Vault {
    /// Removes members and machines: access, keys, and the list of everything they could ever decrypt and that still has its value. All are gone
    /// with the first batch, or none; new keys that do not fit into it follow in the next.
    pub async fn offboard(&mut self, leaving: &[IdentityId]) -> Result<Removal> {
        let earlier = self.lost_earlier(leaving).await?;
        self.take_out(leaving, &earlier).await
    }

    /// What [`Vault::offboard`] would do now, and how many bytes its first batch has. Nothing is sent.
    pub async fn rehearse_offboarding(&mut self, leaving: &[IdentityId]) -> Result<(Removal, usize)> {
        let earlier = self.lost_earlier(leaving).await?;
        self.rehearse(losses(leaving), |change| remove_all(change, leaving, &earlier)).await
    }

    /// Removes a member: access, keys, and the list of what must be rotated, in one change.
    pub async fn remove_member(&mut self, id: &IdentityId) -> Result<Removal> {
        self.take_out(std::slice::from_ref(id), &[]).await
    }

    /// Leaves the organization: this identity's own removal. Whoever writes next makes the new keys.
    pub async fn leave(&mut self) -> Result<Removal> {
        let own = [self.identity.id()];
        self.change_taking(losses(&own), |change| remove_all(change, &own, &[])).await
    }

    /// The machines that somebody let in and that are still here.
    pub async fn machines_admitted_by(&self, who: &IdentityId) -> Result<Vec<IdentityId>> {
        let state = self.replica.head();
        let annals = self.annals().await?;
        let machine = |id: &IdentityId| state.member(id).is_some_and(|member| member.role == role::MACHINE);
        Ok(annals.admitted_by(who).filter(machine).collect())
    }

    /// Takes an identity's access to one namespace, and gives that namespace a new key.
    pub async fn revoke(&mut self, id: &IdentityId, ns_id: &NsId) -> Result<Removal> {
        let taken = Taken::Access { ns_id: *ns_id, of: *id, permissions: 0, expires_ms: 0 };
        self.change_taking(Some(taken), |change| {
            let lost = change.vault().about_to_lose(id, Some(ns_id));
            change.replica.head().access(ns_id, id).ok_or_else(|| Error::not_found("access", id.to_string()))?;
            let fences = change.fences(&taken)?;
            let body = Access { ns_id: *ns_id, identity_id: *id, permissions: 0, expires_ms: 0, wrap: None, fences, abandon: false };
            change.link(&Body::Access(body), vec![])?;
            finish_loss(change, lost)
        })
        .await
    }

    /// Makes the keys that are owed where this identity may, in as many batches as it takes.
    pub async fn settle_owed(&mut self) -> Result<Vec<NsId>> {
        let mut all = Vec::new();
        while self.may_settle() {
            let made = self.change(settle_all).await?;
            if made.is_empty() {
                break;
            }
            all.extend(made);
        }
        Ok(all)
    }

    async fn take_out(&mut self, leaving: &[IdentityId], earlier: &[Loss]) -> Result<Removal> {
        if leaving.contains(&self.identity.id()) {
            return Err(Error::invalid("member", "nobody removes himself with others: leave the organization instead"));
        }
        let mut removal = self.change_taking(losses(leaving), |change| remove_all(change, leaving, earlier)).await?;
        match self.settle_owed().await {
            Ok(rekeyed) => removal.rekeyed.extend(rekeyed),
            Err(error @ Error::Verification(_)) => return Err(error),
            // They are gone all the same; what is owed is made before anything is written.
            Err(error) => tracing::warn!(%error, "some new keys could not be made yet"),
        }
        removal.owed = self.still_owed(&removal.owed);
        Ok(removal)
    }

    /// What those who are about to leave have lost before.
    async fn lost_earlier(&mut self, leaving: &[IdentityId]) -> Result<Vec<Loss>> {
        self.sync().await?;
        let mut losses = self.losses().await?;
        losses.retain(|loss| leaving.contains(&loss.who));
        Ok(losses)
    }

    fn may_settle(&self) -> bool {
        let (state, now) = (self.replica.head(), self.now_ms());
        let writes = |ns: &NsId| state.permissions(ns, &self.identity.id(), now) & permission::WRITE != 0;
        self.spaces.keys().any(|ns| state.is_owed(ns, now) && writes(ns))
    }

    fn still_owed(&self, before: &[NsId]) -> Vec<NsId> {
        let (state, now) = (self.replica.head(), self.now_ms());
        before.iter().filter(|ns| state.is_owed(ns, now)).copied().collect()
    }
}

fn losses(leaving: &[IdentityId]) -> Vec<Taken> {
    leaving.iter().map(|id| Taken::Membership(*id)).collect()
}

fn remove_all(change: &mut Change, leaving: &[IdentityId], earlier: &[Loss]) -> Result<Removal> {
    let mut lost = Vec::new();
    for id in leaving {
        lost.extend(change.vault().about_to_lose(id, None));
        let fences = change.fences(&Taken::Membership(*id))?;
        let body = MemberRemove { identity_id: *id, fences, abandon: false };
        change.link(&Body::MemberRemove(body), vec![])?;
    }
    let mut removal = finish_loss(change, lost.clone())?;
    if !earlier.is_empty() {
        lost.extend_from_slice(earlier);
        removal.worklist = change.vault().to_rotate(&lost)?;
        removal.unseen = change.vault().unseen(&lost);
    }
    Ok(removal)
}

/// After access was taken. What is still read is not lost: access to a guarded folder may have gone, and access above it not.
pub(crate) fn finish_loss(change: &mut Change, mut lost: Vec<Loss>) -> Result<Removal> {
    let (state, now) = (change.replica.head(), change.ts_ms());
    lost.retain(|loss| state.permissions(&loss.ns_id, &loss.who, now) & permission::READ == 0);
    settle_loss(change, &lost)
}

/// After keys of namespaces came into wrong hands: new keys where this identity can make them, and what is to be rotated.
pub(crate) fn settle_loss(change: &mut Change, lost: &[Loss]) -> Result<Removal> {
    let (vault, now) = (change.vault(), change.ts_ms());
    // Whoever removed himself writes nothing more.
    let stays = change.replica.head().active_member(&vault.identity.id(), now).is_some();
    let rekeyed = if stays { settle_all(change)? } else { vec![] };
    let state = change.replica.head();
    let namespaces: BTreeSet<NsId> = lost.iter().map(|loss| loss.ns_id).collect();
    let owed = namespaces.into_iter().filter(|ns| state.is_owed(ns, now)).collect();
    Ok(Removal { rekeyed, owed, worklist: vault.to_rotate(lost)?, unseen: vault.unseen(lost) })
}

/// Makes the owed keys that fit into this change.
fn settle_all(change: &mut Change) -> Result<Vec<NsId>> {
    let mut made = Vec::new();
    for ns_id in change.vault().spaces.keys() {
        if !change.has_room_for_keys(ns_id) {
            continue;
        }
        match change.settle(ns_id) {
            Ok(settled) => made.extend(settled),
            // A key that does not open here stays owed: the next writer who has it makes the new one.
            Err(Error::Verification(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}
