//! A new version that does not work: true while it is the newest, lives, is on trial, and what watches it is bad.

use crate::error::Result;
use crate::organizations::rows::Rows;
use crate::rotation::stages::{self, Stage};
use crate::rotation::trial::{self, Standing};
use crate::store::{Tx, number};
use keyvawlt_ledger::trial::Trouble;
use keyvawlt_ledger::{NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{rotation, secret};
use sea_orm::EntityTrait;

/// A new version that does not work: ids, and what its owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnTrial {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// The new version.
    pub version: u64,
    /// What is wrong, and since when.
    pub trouble: Trouble,
    /// Who is told.
    pub stage: Stage,
    /// What messages may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
}

pub(crate) async fn reload(tx: &Tx, org: &OrgId, (ns, id): (&NsId, &SecretId), version: u64, stage: Stage) -> Result<Option<OnTrial>> {
    let key = (org.0.to_vec(), ns.0.to_vec(), id.0.to_vec());
    let row = rotation::Entity::find_by_id(key.clone()).one(tx.db()).await?;
    let Some(row) = row.filter(|row| number(row.version) == version) else { return Ok(None) };
    let secret = secret::Entity::find_by_id(key).one(tx.db()).await?;
    let Some(secret) = secret.filter(|secret| number(secret.version) == version) else { return Ok(None) };
    let told = facts::read(&secret.facts)?;
    let standing = trial::look(tx, &mut Rows::of(*org), &row, told.as_ref()).await?;
    let Some((trouble, from)) = standing.and_then(Standing::failing) else { return Ok(None) };
    if stages::reached(stages::begins(from, row.snoozed_until.map(number)), tx.now_ms()).is_none() {
        return Ok(None);
    }
    let (label, provider) = told.map_or((None, None), |facts| (facts.label, facts.provider));
    Ok(Some(OnTrial { org: *org, ns: *ns, secret: *id, version, trouble, stage, label, provider }))
}
