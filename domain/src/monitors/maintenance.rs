//! Maintenances: times in which failures are expected. Whoever is looked at in one is in maintenance, and nobody hears of it.

use super::ids::{MaintenanceId, MonitorId};
use super::place::{self, Change, Read};
use super::rules::checked_name;
use crate::authorize::Permit;
use crate::error::{Error, Result};
use crate::store::{Tx, column};
use crate::zone::{Wall, Zone};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::maintenance::{ActiveModel, Column, Entity, Model};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Maintenances of one organization: every look reads the present ones.
pub const MAX_MAINTENANCES: u64 = 100;
/// The longest that happens once: what fails for longer should be paused, or removed.
pub const MAX_ONCE_MS: u64 = 31 * 24 * 60 * 60 * 1000;
/// The longest that happens every week: a day.
pub const MAX_WEEKLY_MINUTES: u16 = MINUTES_PER_DAY;
const MINUTES_PER_DAY: u16 = 24 * 60;
/// Bits of the days of a week.
const EVERY_DAY: u8 = 0b111_1111;

/// When.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// From one moment to another, epoch milliseconds.
    Once {
        /// Its beginning.
        from_ms: u64,
        /// Its end.
        to_ms: u64,
    },
    /// On days of every week, by the clocks of a zone: at a change of season it is an hour longer or shorter, as the day is.
    Weekly {
        /// Bit 0 is Monday.
        days: u8,
        /// When it begins, minute of the day.
        minute: u16,
        /// How many minutes of the clock it takes; it may go on into the next day.
        minutes: u16,
        /// IANA time zone.
        zone: String,
    },
}

/// A maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Which.
    pub id: MaintenanceId,
    /// Of which environment; else of the organization.
    pub ns: Option<NsId>,
    /// Of which monitor; else of all that belong there.
    pub monitor: Option<MonitorId>,
    /// When.
    pub schedule: Schedule,
    /// What people call it.
    pub reason: String,
}

/// A maintenance to be added.
#[derive(Clone, Debug)]
pub struct AddMaintenance {
    /// Of which monitor; else of all that belong to the place. The organization's are all there are.
    pub monitor: Option<MonitorId>,
    /// When.
    pub schedule: Schedule,
    /// What people call it.
    pub reason: String,
}

/// All maintenances that are not over.
#[derive(Clone, Copy, Debug)]
pub struct ListMaintenances;

impl Schedule {
    /// Whether a moment lies in it.
    pub fn covers(&self, at_ms: u64) -> bool {
        match self {
            Self::Once { from_ms, to_ms } => (*from_ms..*to_ms).contains(&at_ms),
            Self::Weekly { days, minute, minutes, zone } => Zone::named(zone).is_some_and(|zone| {
                let Wall { weekday, minute: now } = zone.wall(at_ms);
                let begins_on = |day: u8| days & (1 << (day % 7)) != 0;
                let ends = minute + minutes;
                (begins_on(weekday) && (*minute..ends).contains(&now)) || (begins_on(weekday + 6) && now + MINUTES_PER_DAY < ends)
            }),
        }
    }

    fn check(&self, now_ms: u64) -> Result<()> {
        match self {
            Self::Once { from_ms, to_ms } if from_ms >= to_ms => Err(Error::invalid("once.to_ms", "it ends after it begins")),
            Self::Once { to_ms, .. } if *to_ms <= now_ms => Err(Error::invalid("once.to_ms", "it is over already")),
            Self::Once { from_ms, to_ms } if to_ms - from_ms > MAX_ONCE_MS => {
                Err(Error::invalid("once.to_ms", "at most 31 days: pause what is away for longer"))
            }
            Self::Weekly { days, .. } if *days == 0 || *days > EVERY_DAY => Err(Error::invalid("weekly.days", "name at least one day")),
            Self::Weekly { minute, .. } if *minute >= MINUTES_PER_DAY => Err(Error::invalid("weekly.minute", "a day has 1,440 minutes")),
            Self::Weekly { minutes, .. } if *minutes == 0 || *minutes > MAX_WEEKLY_MINUTES => {
                Err(Error::invalid("weekly.minutes", "at least a minute, and at most a day"))
            }
            Self::Weekly { zone, .. } if Zone::named(zone).is_none() => {
                Err(Error::invalid("weekly.zone", "this is no time zone: name one such as Europe/Berlin"))
            }
            Self::Once { .. } | Self::Weekly { .. } => Ok(()),
        }
    }
}

/// Adds a maintenance.
pub async fn add_maintenance(permit: &Permit<'_, Change<AddMaintenance>>) -> Result<MaintenanceId> {
    let (tx, change) = (permit.tx(), permit.action());
    let AddMaintenance { monitor, schedule, reason } = &change.what;
    schedule.check(tx.now_ms())?;
    let reason = checked_name("reason", reason)?;
    if let Some(monitor) = monitor {
        place::monitor_for_change(tx, change, *monitor).await?;
    }
    tx.lock_org(&change.org).await?;
    let current = Entity::find().filter(current(std::iter::once(change.org), tx.now_ms())).count(tx.db()).await?;
    if current >= MAX_MAINTENANCES {
        return Err(Error::TooLarge { what: "the number of maintenances", limit: MAX_MAINTENANCES });
    }
    let id = MaintenanceId(tx.random().ordered_id(tx.now_ms()));
    let row = ActiveModel {
        org_id: Set(change.org.0.to_vec()),
        maintenance_id: Set(id.0.to_vec()),
        ns_id: Set(place::to_row(change.ns)),
        monitor_id: Set(monitor.map(|monitor| monitor.0.to_vec())),
        schedule: Set(serde_json::to_string(schedule).map_err(Error::internal)?),
        reason: Set(reason),
        ends_at: Set(match schedule {
            Schedule::Once { to_ms, .. } => Some(column(*to_ms)),
            Schedule::Weekly { .. } => None,
        }),
        created_at: Set(column(tx.now_ms())),
    };
    Entity::insert(row).exec_without_returning(tx.db()).await?;
    place::record(permit, "maintenance.add", &id).await?;
    Ok(id)
}

/// Removes a maintenance.
pub async fn remove_maintenance(permit: &Permit<'_, Change<MaintenanceId>>) -> Result<()> {
    let (tx, change) = (permit.tx(), permit.action());
    let gone = Entity::delete_by_id((change.org.0.to_vec(), change.what.0.to_vec()))
        .filter(Column::NsId.eq(place::to_row(change.ns)))
        .exec(tx.db())
        .await?;
    if gone.rows_affected == 0 {
        return Err(Error::Forbidden);
    }
    place::record(permit, "maintenance.remove", &change.what).await
}

/// Lists the maintenances of the places named that are not over; there are at most [`MAX_MAINTENANCES`].
pub async fn list_maintenances(permit: &Permit<'_, Read<ListMaintenances>>) -> Result<Vec<Maintenance>> {
    let (tx, read) = (permit.tx(), permit.action());
    let rows = Entity::find()
        .filter(current(std::iter::once(read.org), tx.now_ms()).add(Column::NsId.is_in(place::places(read))))
        .order_by_asc(Column::MaintenanceId)
        .all(tx.db())
        .await?;
    rows.into_iter().map(told).collect()
}

/// The maintenances of some organizations that are not over.
#[derive(Debug)]
pub(super) struct Windows(Vec<(OrgId, Maintenance)>);

impl Windows {
    pub(super) async fn load(tx: &Tx, orgs: BTreeSet<OrgId>) -> Result<Self> {
        let rows = Entity::find().filter(current(orgs.into_iter(), tx.now_ms())).all(tx.db()).await?;
        let rows = rows.into_iter().map(|row| Ok((OrgId::from_slice(&row.org_id)?, told(row)?)));
        rows.collect::<Result<_>>().map(Self)
    }

    /// Whether a monitor may fail now.
    pub(super) fn cover(&self, org: OrgId, ns: Option<NsId>, monitor: MonitorId, now_ms: u64) -> bool {
        let meant = |maintenance: &Maintenance| match maintenance.monitor {
            Some(own) => own == monitor,
            None => maintenance.ns.is_none() || maintenance.ns == ns,
        };
        self.0.iter().any(|(of, maintenance)| *of == org && meant(maintenance) && maintenance.schedule.covers(now_ms))
    }
}

fn current(orgs: impl Iterator<Item = OrgId>, now_ms: u64) -> Condition {
    let ahead = Condition::any().add(Column::EndsAt.is_null()).add(Column::EndsAt.gt(column(now_ms)));
    Condition::all().add(Column::OrgId.is_in(orgs.map(|org| org.0.to_vec()))).add(ahead)
}

fn told(row: Model) -> Result<Maintenance> {
    Ok(Maintenance {
        id: MaintenanceId::from_slice(&row.maintenance_id)?,
        ns: place::of_row(&row.ns_id)?,
        monitor: row.monitor_id.as_deref().map(MonitorId::from_slice).transpose()?,
        schedule: serde_json::from_str(&row.schedule).map_err(Error::internal)?,
        reason: row.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::NOW;

    const MINUTE: u64 = 60_000;

    fn weekly(days: u8, minute: u16, minutes: u16, zone: &str) -> Schedule {
        Schedule::Weekly { days, minute, minutes, zone: zone.to_owned() }
    }

    #[test]
    fn once_is_from_its_beginning_to_before_its_end() {
        let once = Schedule::Once { from_ms: 10, to_ms: 20 };
        assert_eq!([9, 10, 19, 20].map(|at| once.covers(at)), [false, true, true, false]);
    }

    #[test]
    fn weekly_is_by_the_clocks_of_its_zone_and_goes_on_past_midnight() {
        // Now is Monday, 09:00 UTC, 10:00 in Berlin.
        assert!(weekly(0b1, 10 * 60, 30, "Europe/Berlin").covers(NOW) && !weekly(0b10, 10 * 60, 30, "Europe/Berlin").covers(NOW));
        assert!(!weekly(0b1, 9 * 60, 30, "Europe/Berlin").covers(NOW));
        // Sunday from 23:30 for two hours: until Monday, 01:30.
        let late = weekly(0b100_0000, 23 * 60 + 30, 120, "UTC");
        let midnight = NOW - 9 * 60 * MINUTE;
        let shown = [midnight - 31 * MINUTE, midnight - 30 * MINUTE, midnight, midnight + 89 * MINUTE, midnight + 90 * MINUTE];
        assert_eq!(shown.map(|at| late.covers(at)), [false, true, true, true, false]);
        assert!((0..7 * 24).all(|hour| weekly(EVERY_DAY, 0, MAX_WEEKLY_MINUTES, "UTC").covers(NOW + hour * 60 * MINUTE)));
    }

    #[test]
    fn each_mistake_names_its_field() {
        let field = |schedule: Schedule| match schedule.check(NOW) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(Schedule::Once { from_ms: NOW + 2, to_ms: NOW + 2 }), "once.to_ms");
        assert_eq!(field(Schedule::Once { from_ms: NOW - 2, to_ms: NOW }), "once.to_ms");
        assert_eq!(field(Schedule::Once { from_ms: NOW, to_ms: NOW + MAX_ONCE_MS + 1 }), "once.to_ms");
        assert_eq!(field(weekly(0, 0, 60, "UTC")), "weekly.days");
        assert_eq!(field(weekly(128, 0, 60, "UTC")), "weekly.days");
        assert_eq!(field(weekly(1, 1440, 60, "UTC")), "weekly.minute");
        assert_eq!(field(weekly(1, 0, 0, "UTC")), "weekly.minutes");
        assert_eq!(field(weekly(1, 0, 1441, "UTC")), "weekly.minutes");
        assert_eq!(field(weekly(1, 0, 60, "Europe/Atlantis")), "weekly.zone");
        assert!(weekly(EVERY_DAY, 1439, 1440, "America/New_York").check(NOW).is_ok());
    }
}
