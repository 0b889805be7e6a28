//! Work lists: what somebody could read who no longer may, to be rotated at its provider.
//!
//! The list is never stored: each reader of a namespace makes it from the verified chain and manifest. So no name of a secret reaches people
//! who do not read it, a list covers what nobody noted, and a server cannot take anything off it.

use crate::error::Result;
use crate::sync::space::Space;
use crate::team::deliveries::{Deliveries, Delivery};
use crate::team::duties::Duty;
use crate::vault::Vault;
use keyvawlt_ledger::chain::{Loss, LossReason, Questions, View, class, permission};
use keyvawlt_ledger::facts::{self, Facts};
use keyvawlt_ledger::manifest::Leaf;
use keyvawlt_ledger::{IdentityId, NsId, SecretId};
use std::collections::{BTreeMap, BTreeSet};

/// A secret to rotate at its provider, since somebody who could read it has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateItem {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The secret.
    pub name: String,
    /// The namespace.
    pub ns_id: NsId,
    /// The secret's id there.
    pub secret_id: SecretId,
    /// The newest version, which was readable.
    pub version: u64,
    /// When it was written, epoch milliseconds.
    pub written_ms: u64,
    /// By whom.
    pub author: IdentityId,
    /// What the server was told of it: owner, provider, dates.
    pub facts: Option<Facts>,
    /// Other namespaces where the same value lay before it was moved.
    pub lay_in: Vec<NsId>,
    /// Who could read it, in order of when they lost access.
    pub lost_by: Vec<LostBy>,
    /// What was agreed on about it.
    pub duty: Duty,
}

/// Somebody who could read a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostBy {
    /// Who.
    pub who: IdentityId,
    /// The directory's name for them, or the id.
    pub name: String,
    /// When access was lost, epoch milliseconds.
    pub at_ms: u64,
    /// Why.
    pub reason: LossReason,
    /// What is on record of the server's deliveries, where that was asked for.
    pub delivery: Option<Delivery>,
}

/// What a removal did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Namespaces that got a new key.
    pub rekeyed: Vec<NsId>,
    /// Namespaces whose next writer makes the new key.
    pub owed: Vec<NsId>,
    /// What those who lost access could decrypt: to be rotated.
    pub worklist: Vec<RotateItem>,
    /// Where they could read and this identity cannot: its readers have the list.
    pub unseen: Vec<NsId>,
}

impl Vault {
    /// What still has to be rotated because somebody lost access, as far as this identity reads it. A later version or a deletion settles an
    /// item, and so does a decision that it need not be replaced.
    pub async fn worklist(&self) -> Result<Vec<RotateItem>> {
        self.to_rotate(&self.losses().await?)
    }

    /// Adds to a work list what is on record of deliveries. For owners, admins and auditors.
    pub async fn trace(&self, items: &mut [RotateItem]) -> Result<()> {
        let mut told: BTreeMap<IdentityId, Deliveries> = BTreeMap::new();
        for who in items.iter().flat_map(|item| &item.lost_by).map(|lost| lost.who).collect::<BTreeSet<_>>() {
            told.insert(who, self.deliveries(&who).await?);
        }
        for item in items {
            let Some(space) = self.spaces.get(&item.ns_id)? else { continue };
            let Some(leaf) = space.leaf(&item.secret_id) else { continue };
            for lost in &mut item.lost_by {
                let Some(deliveries) = told.get(&lost.who) else { continue };
                lost.delivery = Some(match deliveries.of(space, leaf) {
                    Delivery::NotOnRecord => deliveries.of_any(&item.lay_in),
                    known => known,
                });
            }
        }
        Ok(())
    }

    /// Every live secret whose value is still one that was lost.
    pub(crate) fn to_rotate(&self, losses: &[Loss]) -> Result<Vec<RotateItem>> {
        let mut items = Vec::new();
        if losses.is_empty() {
            return Ok(items);
        }
        let (names, duties, identities) = (self.display_names()?, self.duties()?, self.settled_identities()?);
        let mut by_namespace: BTreeMap<NsId, Vec<&Loss>> = BTreeMap::new();
        for loss in losses.iter().filter(|loss| identities.get(&loss.who).is_none_or(|settled_ms| loss.at_ms > *settled_ms)) {
            by_namespace.entry(loss.ns_id).or_default().push(loss);
        }
        for environment in self.environments()? {
            let index = self.index(&environment.ns_id)?;
            let (mut named, mut buried) = (Vec::new(), None);
            for found in index.usable().filter(|found| !found.leaf.is_deleted()) {
                let places = self.lies_under(found, &mut buried)?;
                named.push((found.space, found.leaf, places, self.number_of(found), found.name.clone()));
            }
            // What no name leads to was readable all the same.
            let flawed = index.flaws.iter().filter_map(|flaw| {
                let space = self.spaces.get(&flaw.ns_id).ok()??.as_ref();
                let leaf = space.leaf(&flaw.secret_id?)?;
                let name = flaw.name.clone().unwrap_or_else(|| "(a name that does not open)".to_owned());
                Some((space, leaf, vec![(flaw.ns_id, leaf.epoch)], leaf.version, name))
            });
            for (space, leaf, places, version, name) in named.into_iter().chain(flawed) {
                let duty = duties.get(&(space.tip.ns_id, leaf.secret_id)).cloned().unwrap_or_default();
                let settled_ms = duty.settled.as_ref().map_or(0, |settled| settled.at_ms);
                let known = |(ns_id, epoch): &(NsId, u64)| {
                    let lost = by_namespace.get(ns_id).into_iter().flatten();
                    lost.filter(|loss| *epoch <= loss.epoch && loss.at_ms > settled_ms)
                        .map(|loss| lost_by(loss, &names))
                        .collect::<Vec<_>>()
                };
                let mut lost_by: Vec<LostBy> = places.iter().flat_map(known).collect();
                if lost_by.is_empty() {
                    continue;
                }
                lost_by.sort_by_key(|lost| (lost.who, lost.reason, lost.at_ms));
                lost_by.dedup_by_key(|lost| (lost.who, lost.reason));
                lost_by.sort_by_key(|lost| (lost.at_ms, lost.who));
                let lay_in = places.iter().map(|(ns_id, _)| *ns_id).filter(|ns_id| *ns_id != space.tip.ns_id).collect();
                items.push(RotateItem { version, lay_in, duty, ..item(&environment, name, (space, leaf), lost_by) });
            }
        }
        Ok(items)
    }

    /// Lost namespaces that this identity does not read.
    pub(crate) fn unseen(&self, losses: &[Loss]) -> Vec<NsId> {
        let lost: BTreeSet<NsId> = losses.iter().map(|loss| loss.ns_id).collect();
        lost.into_iter().filter(|ns_id| !self.spaces.contains_key(ns_id)).collect()
    }

    /// The keys an identity holds now, everywhere or in one namespace and below, as if they were lost now. Access that has lapsed counts while
    /// its key is current.
    pub(crate) fn about_to_lose(&self, who: &IdentityId, below: Option<&NsId>) -> Vec<Loss> {
        let state = self.replica.head();
        let (by, at_ms) = (self.identity.id(), self.now_ms());
        let reason = if by == *who { LossReason::Left } else { LossReason::Removed };
        let current = |ns_id: NsId| {
            let ns = state.ns(&ns_id).filter(|ns| ns.class != class::DIRECTORY)?;
            let lineage = state.lineage(&ns_id);
            let given = lineage.iter().filter_map(|ns| state.access(ns, who)).any(|access| access.permissions & permission::READ != 0);
            let loss = Loss { who: *who, ns_id, epoch: ns.epoch, at_ms, by: Some(by), reason };
            (given && below.is_none_or(|top| lineage.contains(top))).then_some(loss)
        };
        let namespaces = state.scan(&keyvawlt_ledger::chain::Key::namespaces());
        namespaces.iter().filter_map(keyvawlt_ledger::chain::Key::last_id).map(NsId).filter_map(current).collect()
    }
}

fn lost_by(loss: &Loss, names: &BTreeMap<IdentityId, String>) -> LostBy {
    let name = names.get(&loss.who).cloned().unwrap_or_else(|| loss.who.to_string());
    LostBy { who: loss.who, name, at_ms: loss.at_ms, reason: loss.reason, delivery: None }
}

fn item(environment: &crate::Environment, name: String, (space, leaf): (&Space, &Leaf), lost_by: Vec<LostBy>) -> RotateItem {
    let newest = space.versions(&leaf.secret_id).last();
    let facts = space.facts(&leaf.secret_id).and_then(|object| facts::read(object).ok()).flatten();
    RotateItem {
        project: environment.project.clone(),
        environment: environment.name.clone(),
        name,
        ns_id: space.tip.ns_id,
        secret_id: leaf.secret_id,
        version: leaf.version,
        written_ms: newest.map_or(0, |row| row.ts_ms),
        author: newest.map_or(IdentityId([0; 16]), |row| row.author),
        facts,
        lay_in: vec![],
        lost_by,
        duty: Duty::default(),
    }
}
