//! What preferences and routes have in common: the namespaces they choose, and how long before its end a secret is spoken of.

use super::expiry::{DEFAULT_THRESHOLDS, look_again};
use crate::audit;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::notice_setting;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

/// Namespaces one person or route chooses: more than anybody picks by hand; whoever wants more chooses the project.
pub const MAX_NAMESPACES: usize = 100;
/// Thresholds of one organization: each is a mail.
pub const MAX_THRESHOLDS: usize = 10;
/// A threshold at the farthest: keys of longer life are planned elsewhere.
pub const MAX_THRESHOLD_DAYS: u16 = 365;

/// An organization's thresholds, read or replaced.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// Whose.
    pub org: OrgId,
    /// What to set them to, in days; `None` to read them.
    pub set: Option<Vec<u16>>,
}

impl Action for Thresholds {
    fn deeds(&self) -> Vec<Deed> {
        vec![if self.set.is_some() { Deed::ManageNotices } else { Deed::UseNotices }]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// Reads an organization's thresholds, or replaces them: what they would have told already is told now.
pub async fn org_thresholds(permit: &Permit<'_, Thresholds>) -> Result<Vec<u16>> {
    let Thresholds { org, set } = permit.action();
    let Some(days) = set else { return thresholds(permit.tx(), org).await };
    if days.is_empty() || days.len() > MAX_THRESHOLDS || days.iter().any(|days| *days > MAX_THRESHOLD_DAYS) {
        return Err(Error::invalid("days", "give 1 to 10 numbers of days, each 0 to 365"));
    }
    let mut days = days.clone();
    days.sort_unstable_by(|a, b| b.cmp(a));
    days.dedup();
    let row = notice_setting::ActiveModel {
        org_id: Set(org.0.to_vec()),
        thresholds: Set(serde_json::to_string(&days).map_err(Error::internal)?),
        updated_at: Set(column(permit.tx().now_ms())),
    };
    let newest = OnConflict::column(notice_setting::Column::OrgId)
        .update_columns([notice_setting::Column::Thresholds, notice_setting::Column::UpdatedAt])
        .to_owned();
    notice_setting::Entity::insert(row).on_conflict(newest).exec_without_returning(permit.tx().db()).await?;
    look_again(permit.tx(), org).await?;
    let event = audit::Event {
        org: *org,
        at_ms: permit.tx().now_ms(),
        actor: permit.caller().actor(),
        action: "thresholds.set",
        subject: org.to_string(),
        detail: format!("{days:?} days"),
    };
    audit::record(permit.tx(), event).await?;
    Ok(days)
}

/// An organization's thresholds in days, the farthest first.
pub(crate) async fn thresholds(tx: &Tx, org: &OrgId) -> Result<Vec<u16>> {
    match notice_setting::Entity::find_by_id(org.0.to_vec()).one(tx.db()).await? {
        Some(row) => serde_json::from_str(&row.thresholds).map_err(Error::internal),
        None => Ok(DEFAULT_THRESHOLDS.to_vec()),
    }
}

pub(super) fn checked_namespaces(namespaces: &[NsId]) -> Result<()> {
    if namespaces.len() > MAX_NAMESPACES {
        return Err(Error::invalid("namespaces", "at most 100 can be chosen: choose the project they lie in"));
    }
    Ok(())
}

pub(super) fn namespaces_to_column(namespaces: &[NsId]) -> Result<String> {
    let texts: Vec<String> = namespaces.iter().map(NsId::to_string).collect();
    serde_json::to_string(&texts).map_err(Error::internal)
}

pub(super) fn namespaces_from_column(text: &str) -> Result<Vec<NsId>> {
    let texts: Vec<String> = serde_json::from_str(text).map_err(Error::internal)?;
    texts.iter().map(|text| text.parse().map_err(|_| Error::internal("a stored namespace must be an id"))).collect()
}
