//! One finding: judged, held against what is known, stored, and told to people where it is news.

use super::row::{self, Place, Standing, state_of, stored};
use super::state::{Happening, State, next};
use super::{incident, news, sweep};
use crate::audit::{self, Event};
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::{Code, Fault, NsId, OrgId, Signed};
use keyvawlt_schema::key_health;
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

/// Stores a finding.
#[derive(Clone, Debug)]
pub struct ReportKeyHealth {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// The finding.
    pub report: Signed,
}

impl Action for ReportKeyHealth {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReportKeyHealth]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![self.ns]
    }
}

/// Judges a finding and stores it; says where the key then stands.
pub async fn report_key_health(permit: Permit<'_, ReportKeyHealth>) -> Result<State> {
    let (tx, caller, mut rows, ReportKeyHealth { org, ns, report: signed }) = permit.into_parts();
    // Two findings about one key at once: the second is held against the first.
    tx.lock_org(&org).await?;
    let report = rows.settle(tx, |rows| HealthReport::judge(&signed, rows, &org, &ns, tx.now_ms())).await??;
    if caller.identity().is_none_or(|(id, _)| id != report.prober_id) {
        return Err(Fault::new(Code::Author, "a health report is handed in by whoever signed it").into());
    }
    let place = Place { org, ns, secret: report.secret_id, version: report.version };
    let standing = place.standing(tx).await?.ok_or(Error::Forbidden)?;
    if !standing.counts(place.version) {
        return Err(Fault::new(Code::Rollback, "the health report is neither of the newest version nor of the one before it").into());
    }
    let before = place.row(tx).await?;
    if let Some(held) = &before
        && held.newest_at.is_some_and(|at| number(at) >= report.at_ms)
    {
        // The same one again is a call that was repeated.
        let again = held.newest.as_deref() == Some(stored(&signed).as_slice());
        return if again { state_of(held) } else { Err(Fault::new(Code::Rollback, "a newer health report is known").into()) };
    }
    let (state, row, trouble) = judge(tx, &place, &standing, &report, &signed, before.as_ref()).await?;
    write(tx, row.clone()).await?;
    news::tell(tx, &place, &standing, &row, trouble).await?;
    forget_older(tx, &place, &standing).await?;
    let event = Event {
        org,
        at_ms: tx.now_ms(),
        actor: caller.actor(),
        action: "key.health",
        subject: format!("{ns}/{}", report.secret_id),
        detail: format!("version {}: {}", report.version, report.outcome.as_str()),
    };
    audit::record(tx, event).await?;
    Ok(state)
}

/// What the row says after the finding, and since when it is the provider's trouble.
async fn judge(
    tx: &Tx,
    place: &Place,
    standing: &Standing,
    report: &HealthReport,
    signed: &Signed,
    before: Option<&key_health::Model>,
) -> Result<(State, key_health::Model, Option<u64>)> {
    let known = before.map(state_of).transpose()?.unwrap_or(State::Unverified);
    let failed_at = before.and_then(|row| row.failed_at).map(number);
    let trouble = match (report.outcome, failed_at) {
        (Outcome::Invalid, Some(first)) => incident::since(tx, place, &standing.provider, first).await?,
        _ => None,
    };
    let happening = Happening::Reported {
        outcome: report.outcome,
        at_ms: report.at_ms,
        failed_at,
        incident: trouble.is_some(),
        retired: place.is_retired(tx, standing).await?,
        expires_ms: report.expires_ms,
    };
    let state = next(known, happening);
    let mut row = before.cloned().unwrap_or_else(|| empty(place));
    // What decided last stays beside a newer report that decides nothing.
    let decided = before.filter(|_| !report.outcome.decides()).map(row::decided).transpose()?.flatten();
    row.decided = decided.map(|(bytes, _)| bytes.to_vec());
    (row.failed, row.failed_at) = match report.outcome {
        Outcome::Invalid if row.failed_at.is_none() => (Some(stored(signed)), Some(column(report.at_ms))),
        outcome if outcome.accepts() => (None, None),
        _ => (row.failed, row.failed_at),
    };
    if report.outcome.accepts() {
        row.expires_at = report.expires_ms.map(column);
    }
    row.state = state as i16;
    row.provider.clone_from(&standing.provider);
    (row.newest, row.newest_at) = (Some(stored(signed)), Some(column(report.at_ms)));
    // Of what is stale already, more that decides nothing is no news.
    let waits = !matches!(state, State::Invalid | State::Stale);
    row.stale_at = row.interval.map(number).filter(|_| waits).map(|interval_ms| {
        let silent = sweep::stale_at(tx.now_ms(), interval_ms);
        decided.map_or(silent, |(_, since)| std::cmp::min(silent, sweep::undecided_at(since, interval_ms)))
    });
    Ok((state, row, trouble))
}

/// A version of which nothing is known.
pub(super) fn empty(place: &Place) -> key_health::Model {
    let (org_id, ns_id, secret_id, version) = place.key();
    key_health::Model {
        org_id,
        ns_id,
        secret_id,
        version,
        state: State::Unverified as i16,
        provider: String::new(),
        newest: None,
        newest_at: None,
        decided: None,
        failed: None,
        failed_at: None,
        expires_at: None,
        interval: None,
        lease_until: None,
        leased_by: None,
        stale_at: None,
    }
}

/// Writes a row whole.
pub(super) async fn write(tx: &Tx, row: key_health::Model) -> Result<()> {
    use key_health::Column::{
        Decided, ExpiresAt, Failed, FailedAt, Interval, LeaseUntil, LeasedBy, Newest, NewestAt, NsId, OrgId, Provider, SecretId, StaleAt,
        State, Version,
    };
    let replace = OnConflict::columns([OrgId, NsId, SecretId, Version])
        .update_columns([State, Provider, Newest, NewestAt, Decided, Failed, FailedAt, ExpiresAt, Interval, LeaseUntil, LeasedBy, StaleAt])
        .to_owned();
    let row = key_health::ActiveModel {
        org_id: Set(row.org_id),
        ns_id: Set(row.ns_id),
        secret_id: Set(row.secret_id),
        version: Set(row.version),
        state: Set(row.state),
        provider: Set(row.provider),
        newest: Set(row.newest),
        newest_at: Set(row.newest_at),
        decided: Set(row.decided),
        failed: Set(row.failed),
        failed_at: Set(row.failed_at),
        expires_at: Set(row.expires_at),
        interval: Set(row.interval),
        lease_until: Set(row.lease_until),
        leased_by: Set(row.leased_by),
        stale_at: Set(row.stale_at),
    };
    key_health::Entity::insert(row).on_conflict(replace).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// Versions before the previous one: of them nothing more is told.
async fn forget_older(tx: &Tx, place: &Place, standing: &Standing) -> Result<()> {
    let of_secret = key_health::Column::OrgId
        .eq(place.org.0.to_vec())
        .and(key_health::Column::NsId.eq(place.ns.0.to_vec()))
        .and(key_health::Column::SecretId.eq(place.secret.0.to_vec()));
    let older = key_health::Column::Version.lt(column(standing.current.saturating_sub(1)));
    key_health::Entity::delete_many().filter(of_secret.and(older)).exec(tx.db()).await?;
    Ok(())
}
