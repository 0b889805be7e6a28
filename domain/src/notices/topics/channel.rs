//! A channel of the organization: true while it is there.

use super::super::routes::{self, ChannelId};
use crate::error::Result;
use crate::store::{Tx, number};
use keyvawlt_ledger::OrgId;

/// A channel, as messages about it need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutChannel {
    /// Of which organization.
    pub org: OrgId,
    /// Which.
    pub channel: ChannelId,
    /// What its admins call it.
    pub name: String,
    /// Whether nothing is sent there.
    pub paused: bool,
    /// Whether whoever reads there wanted no more.
    pub ended: bool,
    /// Since when it fails, or since when there is one, epoch milliseconds.
    pub since_ms: u64,
}

pub(super) async fn reload(tx: &Tx, org: &OrgId, id: &ChannelId) -> Result<Option<AboutChannel>> {
    let row = routes::find(tx, org, id).await?;
    Ok(row.map(|row| AboutChannel {
        org: *org,
        channel: *id,
        paused: row.paused_at.is_some(),
        ended: !routes::is_proved(&row),
        since_ms: number(row.failing_since.unwrap_or(row.created_at)),
        name: row.name,
    }))
}
