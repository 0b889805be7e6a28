//! One earlier version of a secret.

use crate::audit::Event;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::column;
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::version;
use sea_orm::{EntityTrait, QuerySelect};

/// Asks for a version.
#[derive(Clone, Copy, Debug)]
pub struct ReadVersion {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Of which secret.
    pub secret: SecretId,
    /// Which.
    pub version: u64,
}

impl Action for ReadVersion {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadVersion]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![self.ns]
    }
}

/// A sealed version, and what must be on record before it is delivered.
#[derive(Debug)]
pub struct SealedVersion {
    /// The sealed value.
    pub payload: Vec<u8>,
    /// The sealed key.
    pub dek: Vec<u8>,
    /// The record.
    pub event: Event,
}

/// Reads a version.
pub async fn read_version(permit: &Permit<'_, ReadVersion>) -> Result<SealedVersion> {
    let ReadVersion { org, ns, secret, version } = *permit.action();
    let key = (org.0.to_vec(), ns.0.to_vec(), secret.0.to_vec(), column(version));
    let row = version::Entity::find_by_id(key).select_only().column(version::Column::Payload).column(version::Column::Dek);
    let (payload, dek) = row.into_tuple().one(permit.tx().db()).await?.ok_or(Error::Forbidden)?;
    let event = Event {
        org,
        at_ms: permit.tx().now_ms(),
        actor: permit.caller().actor(),
        action: "version.read",
        subject: format!("{ns}/{secret}"),
        detail: format!("version {version}"),
    };
    Ok(SealedVersion { payload, dek, event })
}
