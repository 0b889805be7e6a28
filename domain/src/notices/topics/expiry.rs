//! A secret whose end comes: true while this version is the newest, lives, and no nearer threshold has passed.

use super::super::expiry::{SILENT_FLAGS, nearest};
use super::super::wishes::thresholds;
use crate::error::Result;
use crate::store::{Tx, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId, facts};
use keyvawlt_schema::secret;
use sea_orm::EntityTrait;

/// A secret that ends: ids, and what its owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// Which version.
    pub version: u64,
    /// When it ends, epoch milliseconds.
    pub expires_ms: u64,
    /// What messages may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
}

pub(super) async fn reload(tx: &Tx, org: &OrgId, (ns, id): (&NsId, &SecretId), version: u64, days: u16) -> Result<Option<Expiring>> {
    let key = (org.0.to_vec(), ns.0.to_vec(), id.0.to_vec());
    let row = secret::Entity::find_by_id(key).one(tx.db()).await?;
    let current = row.filter(|row| number(row.version) == version && row.flags & SILENT_FLAGS == 0);
    let Some((row, expires_ms)) = current.and_then(|row| row.expires_at.map(|at| (row, number(at)))) else {
        return Ok(None);
    };
    if nearest(&thresholds(tx, org).await?, expires_ms, tx.now_ms()) != Some(days) {
        return Ok(None);
    }
    let told = facts::read(&row.facts)?;
    let (label, provider) = told.map_or((None, None), |facts| (facts.label, facts.provider));
    Ok(Some(Expiring { org: *org, ns: *ns, secret: *id, version, expires_ms, label, provider }))
}
