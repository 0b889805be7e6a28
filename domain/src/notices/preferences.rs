//! Of what a person wants to hear in one organization, and when. A lying server could only be silent: clients compute what is due themselves.

use super::topic::{Kind, Kinds};
use super::wishes::{checked_namespaces, namespaces_from_column, namespaces_to_column};
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use crate::zone::Zone;
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use keyvawlt_schema::notice_preference::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect as _};
use std::collections::BTreeMap;

const MINUTES_PER_DAY: u16 = 24 * 60;
const HOURS_PER_DAY: u8 = 24;

/// What one person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Kinds that are not wanted.
    pub muted: Kinds,
    /// Only what is about these namespaces or what lies in them; everything when there are none.
    pub namespaces: Vec<NsId>,
    /// The hour of the daily digest; without one, what is not muted comes at once.
    pub digest_hour: Option<u8>,
    /// When quiet hours begin and end, minutes of the day. What is urgent comes then, too.
    pub quiet: Option<(u16, u16)>,
    /// IANA time zone of both.
    pub zone: String,
    /// When a digest's link ended the digests, epoch milliseconds. Preferences that are set with it leave them ended; without it they begin again.
    pub digest_ended_ms: Option<u64>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            muted: Kinds::default(),
            namespaces: Vec::new(),
            digest_hour: None,
            quiet: None,
            zone: "UTC".to_owned(),
            digest_ended_ms: None,
        }
    }
}

impl Preferences {
    /// Whether something is wanted. `lineage` is the namespace it is about and what that lies in; nothing when it is about none.
    pub(super) fn want(&self, kind: Kind, lineage: &[NsId]) -> bool {
        let here = self.namespaces.is_empty() || lineage.is_empty() || lineage.iter().any(|ns| self.namespaces.contains(ns));
        here && !self.muted.contains(kind)
    }

    fn check(&self) -> Result<()> {
        if self.digest_hour.is_some_and(|hour| hour >= HOURS_PER_DAY) {
            return Err(Error::invalid("digest_hour", "an hour is 0 to 23"));
        }
        if self.quiet.is_some_and(|(from, to)| from >= MINUTES_PER_DAY || to >= MINUTES_PER_DAY) {
            return Err(Error::invalid("quiet_hours", "a minute of the day is 0 to 1439"));
        }
        if Zone::named(&self.zone).is_none() {
            return Err(Error::invalid("time_zone", "not the name of a time zone: write it as in Europe/Berlin"));
        }
        checked_namespaces(&self.namespaces)
    }
}

/// One's own preferences, read or replaced.
#[derive(Clone, Debug)]
pub struct OwnPreferences {
    /// In which organization.
    pub org: OrgId,
    /// What to set them to; `None` to read them.
    pub set: Option<Preferences>,
}

impl Action for OwnPreferences {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::UseNotices]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// Reads one's own preferences, or replaces them.
pub async fn own_preferences(permit: &Permit<'_, OwnPreferences>) -> Result<Preferences> {
    let OwnPreferences { org, set } = permit.action();
    let (id, _) = permit.caller().identity().ok_or(Error::Forbidden)?;
    match set {
        None => Ok(find(permit.tx(), org, &[id]).await?.remove(&id).unwrap_or_default()),
        Some(preferences) => {
            preferences.check()?;
            write(permit.tx(), org, &id, preferences).await?;
            Ok(preferences.clone())
        }
    }
}

/// What these people want, as far as they have said.
pub(super) async fn find(tx: &Tx, org: &OrgId, people: &[IdentityId]) -> Result<BTreeMap<IdentityId, Preferences>> {
    let theirs = Column::IdentityId.is_in(people.iter().map(|id| id.0.to_vec()));
    let rows = Entity::find().filter(Column::OrgId.eq(org.0.to_vec()).and(theirs)).all(tx.db()).await?;
    rows.into_iter().map(|row| Ok((IdentityId::from_slice(&row.identity_id)?, from_row(row)?))).collect()
}

/// Mutes one kind more, and leaves everything else as it was chosen.
pub(super) async fn mute(tx: &Tx, org: &OrgId, id: &IdentityId, kind: Kind) -> Result<()> {
    let theirs = Column::OrgId.eq(org.0.to_vec()).and(Column::IdentityId.eq(id.0.to_vec()));
    let row = Entity::find().filter(theirs.clone()).lock_exclusive().one(tx.db()).await?;
    let Some(row) = row else {
        let muted = Kinds::default().with(kind);
        return write(tx, org, id, &Preferences { muted, ..Preferences::default() }).await;
    };
    let muted = Kinds::from_column(row.muted).with(kind);
    let update = Entity::update_many().col_expr(Column::Muted, Expr::value(muted.column()));
    update.col_expr(Column::UpdatedAt, Expr::value(column(tx.now_ms()))).filter(theirs).exec(tx.db()).await?;
    Ok(())
}

async fn write(tx: &Tx, org: &OrgId, id: &IdentityId, preferences: &Preferences) -> Result<()> {
    let minute = |minute: u16| i16::try_from(minute).unwrap_or(0);
    let row = ActiveModel {
        org_id: Set(org.0.to_vec()),
        identity_id: Set(id.0.to_vec()),
        muted: Set(preferences.muted.column()),
        namespaces: Set(namespaces_to_column(&preferences.namespaces)?),
        digest_hour: Set(preferences.digest_hour.map(i16::from)),
        quiet_from: Set(preferences.quiet.map(|(from, _)| minute(from))),
        quiet_to: Set(preferences.quiet.map(|(_, to)| minute(to))),
        zone: Set(preferences.zone.clone()),
        updated_at: Set(column(tx.now_ms())),
        digest_ended_at: Set(preferences.digest_ended_ms.filter(|_| preferences.digest_hour.is_some()).map(column)),
    };
    let newest = OnConflict::columns([Column::OrgId, Column::IdentityId])
        .update_columns([
            Column::Muted,
            Column::Namespaces,
            Column::DigestHour,
            Column::QuietFrom,
            Column::QuietTo,
            Column::Zone,
            Column::UpdatedAt,
            Column::DigestEndedAt,
        ])
        .to_owned();
    Entity::insert(row).on_conflict(newest).exec_without_returning(tx.db()).await?;
    Ok(())
}

fn from_row(row: Model) -> Result<Preferences> {
    let minute = |minute: i16| u16::try_from(minute).unwrap_or(0);
    Ok(Preferences {
        muted: Kinds::from_column(row.muted),
        namespaces: namespaces_from_column(&row.namespaces)?,
        digest_hour: row.digest_hour.and_then(|hour| u8::try_from(hour).ok()),
        quiet: row.quiet_from.zip(row.quiet_to).map(|(from, to)| (minute(from), minute(to))),
        zone: row.zone,
        digest_ended_ms: row.digest_ended_at.map(number),
    })
}
