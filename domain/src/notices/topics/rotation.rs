//! A secret that is to be replaced: true while this version is the newest, lives, has this reason still, and nobody snoozed it.

use crate::error::Result;
use crate::rotation::stages::{self, Stage};
use crate::store::{Tx, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{rotation, secret};
use sea_orm::EntityTrait;

/// A secret to replace: ids, and what its owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacing {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// Which version.
    pub version: u64,
    /// Since when it is to be replaced, epoch milliseconds.
    pub due_ms: u64,
    /// Who is told.
    pub stage: Stage,
    /// What messages may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
}

/// The moment of one of the reasons.
pub(super) type Reason = fn(&rotation::Model) -> Option<i64>;

pub(super) async fn reload(
    tx: &Tx,
    org: &OrgId,
    (ns, id): (&NsId, &SecretId),
    version: u64,
    stage: Stage,
    reason: Reason,
) -> Result<Option<Replacing>> {
    let key = (org.0.to_vec(), ns.0.to_vec(), id.0.to_vec());
    let row = rotation::Entity::find_by_id(key.clone()).one(tx.db()).await?;
    let Some(row) = row.filter(|row| number(row.version) == version) else { return Ok(None) };
    let Some(due_ms) = reason(&row).map(number) else { return Ok(None) };
    if stages::reached(stages::begins(due_ms, row.snoozed_until.map(number)), tx.now_ms()).is_none() {
        return Ok(None);
    }
    let Some(secret) = secret::Entity::find_by_id(key).one(tx.db()).await?.filter(|secret| number(secret.version) == version) else {
        return Ok(None);
    };
    let told = facts::read(&secret.facts)?;
    let (label, provider) = told.map_or((None, None), |facts| (facts.label, facts.provider));
    Ok(Some(Replacing { org: *org, ns: *ns, secret: *id, version, due_ms, stage, label, provider }))
}
