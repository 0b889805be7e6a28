//! A version's row, typed: which secret it belongs to, whether that version still counts, and what the owner tells of it.

use super::state::State;
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::health::HealthReport;
use keyvawlt_ledger::trial::Watched;
use keyvawlt_ledger::{NsId, OrgId, SecretId, Signed, facts};
use keyvawlt_schema::{key_health, manifest_link, secret, version};
use sea_orm::{EntityTrait, QuerySelect};

/// After its grace a version has this long to be revoked, so that nobody is told of one that ends just now.
const AFTER_GRACE_MS: u64 = 60 * 60 * 1000;
/// Flags of leaves without a key in use: deleted (bit 0) and draft (bit 1).
const SILENT_FLAGS: i64 = 0b11;
/// Of a provider's name, this much counts.
const MAX_PROVIDER_CHARS: usize = 64;

/// One version of one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) org: OrgId,
    pub(super) ns: NsId,
    pub(super) secret: SecretId,
    pub(super) version: u64,
}

/// What is known of the secret itself.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// Its newest version.
    pub(super) current: u64,
    /// Whose key the owner says it is, in lower case; empty where nothing is said.
    pub(super) provider: String,
    /// When the owner says that it ends.
    pub(super) declared_end: Option<u64>,
    grace_ms: u64,
}

impl Place {
    pub(super) fn key(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>, i64) {
        (self.org.0.to_vec(), self.ns.0.to_vec(), self.secret.0.to_vec(), column(self.version))
    }

    /// What is known of it. Of a finding that nobody may date so far ahead nothing follows, and any other takes its place: it was handed in while
    /// this server's clock was ahead.
    pub(super) async fn row(&self, tx: &Tx) -> Result<Option<key_health::Model>> {
        let row = key_health::Entity::find_by_id(self.key()).one(tx.db()).await?;
        Ok(row.filter(|row| row.newest_at.is_none_or(|at| number(at) <= tx.beyond_ms(0))))
    }

    /// The secret, if it is there, live, and no draft.
    pub(super) async fn standing(&self, tx: &Tx) -> Result<Option<Standing>> {
        let key = (self.org.0.to_vec(), self.ns.0.to_vec(), self.secret.0.to_vec());
        let row = secret::Entity::find_by_id(key).one(tx.db()).await?.filter(|row| row.flags & SILENT_FLAGS == 0);
        let Some(row) = row else { return Ok(None) };
        let facts = facts::read(&row.facts)?;
        let declared_end = facts.as_ref().and_then(|facts| facts.expires_ms);
        let grace_ms = facts::grace_ms(facts.as_ref());
        let provider =
            facts.and_then(|facts| facts.provider).unwrap_or_default().trim().to_lowercase().chars().take(MAX_PROVIDER_CHARS).collect();
        Ok(Some(Standing { current: number(row.version), provider, declared_end, grace_ms }))
    }

    /// Whether this version was replaced so long ago that its key should be dead.
    pub(super) async fn is_retired(&self, tx: &Tx, standing: &Standing) -> Result<bool> {
        if self.version >= standing.current {
            return Ok(false);
        }
        let key = (self.org.0.to_vec(), self.ns.0.to_vec(), self.secret.0.to_vec(), column(standing.current));
        let mseq = version::Entity::find_by_id(key).select_only().column(version::Column::Mseq);
        let Some(mseq) = mseq.into_tuple::<i64>().one(tx.db()).await? else { return Ok(false) };
        let link = manifest_link::Entity::find_by_id((self.org.0.to_vec(), self.ns.0.to_vec(), mseq));
        let replaced_at = link.select_only().column(manifest_link::Column::TsMs).into_tuple::<i64>().one(tx.db()).await?;
        let over = |at: i64| number(at).saturating_add(standing.grace_ms).saturating_add(AFTER_GRACE_MS) <= tx.now_ms();
        Ok(replaced_at.is_some_and(over))
    }
}

/// What the findings about a version say while it is on trial.
pub(crate) async fn watched(tx: &Tx, org: OrgId, (ns, secret): (NsId, SecretId), version: u64) -> Result<Watched> {
    let row = Place { org, ns, secret, version }.row(tx).await?;
    row.map_or(Ok(Watched::Nobody), |row| Ok(state_of(&row)?.watched(row.failed_at.map(number))))
}

impl Standing {
    /// A finding about a version that nobody should use any more says nothing worth keeping.
    pub(super) fn counts(&self, version: u64) -> bool {
        version == self.current || version.checked_add(1) == Some(self.current)
    }
}

/// The state of a row.
pub(super) fn state_of(row: &key_health::Model) -> Result<State> {
    State::of(row.state).ok_or_else(|| Error::internal("a row of key health has an unknown state"))
}

/// A report as a column keeps it.
pub(super) fn stored(report: &Signed) -> Vec<u8> {
    report.to_bytes()
}

/// The report of a column.
pub(super) fn read(bytes: &[u8]) -> Result<Signed> {
    Signed::from_bytes(bytes).map_err(Error::internal)
}

/// The newest report of a row that decides, as the column keeps it, and its time.
pub(super) fn decided(row: &key_health::Model) -> Result<Option<(&[u8], u64)>> {
    for bytes in [&row.newest, &row.decided].into_iter().flatten() {
        let report = HealthReport::read(&read(bytes)?)?;
        if report.outcome.decides() {
            return Ok(Some((bytes, report.at_ms)));
        }
    }
    Ok(None)
}
