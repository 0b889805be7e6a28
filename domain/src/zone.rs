//! Time zones by their IANA names, with the data inside this program: what a person's wall and calendar say at a moment.

use crate::error::{Error, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;

/// Longer than any name there is.
const MAX_NAME: usize = 64;
const MINUTES_PER_HOUR: u16 = 60;

/// A time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A month of the calendar, written as in `2026-12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.last_of_month().tomorrow().unwrap_or(Date::MAX))
    }

    /// As people say it: `December 2026`.
    pub fn spoken(self) -> String {
        self.0.strftime("%B %Y").to_string()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let first = format!("{text}-01").parse::<Date>().map_err(|_| Error::invalid("month", "written as in 2026-12"))?;
        let month = Self(first);
        if month.to_string() == text { Ok(month) } else { Err(Error::invalid("month", "written as in 2026-12")) }
    }
}

/// What a wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// 0 is Monday.
    pub weekday: u8,
    /// Minute of the day.
    pub minute: u16,
}

impl Zone {
    /// The zone of this name, as in `Europe/Berlin` or `UTC`.
    pub fn named(name: &str) -> Option<Self> {
        if name.len() > MAX_NAME {
            return None;
        }
        TimeZone::get(name).ok().map(Self)
    }

    /// The zone of no place.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// What a wall there shows at a moment.
    pub fn wall(&self, at_ms: u64) -> Wall {
        let there = self.0.to_datetime(timestamp(at_ms));
        let small = |number: i8| u8::try_from(number).unwrap_or(0);
        Wall {
            weekday: small(there.date().weekday().to_monday_zero_offset()),
            minute: u16::from(small(there.hour())) * MINUTES_PER_HOUR + u16::from(small(there.minute())),
        }
    }
}

impl Zone {
    /// The month there at a moment.
    pub fn month(&self, at_ms: u64) -> Month {
        Month(self.0.to_datetime(timestamp(at_ms)).date().first_of_month())
    }

    /// The moment of the month's first day at which a wall there shows this hour, epoch milliseconds; where clocks skip it, the first after.
    pub fn first_of(&self, month: Month, hour: u8) -> u64 {
        let wall = month.0.at(i8::try_from(hour).unwrap_or(0), 0, 0, 0);
        let at = self.0.to_ambiguous_timestamp(wall).compatible().unwrap_or(Timestamp::MAX);
        u64::try_from(at.as_millisecond()).unwrap_or(0)
    }
}

fn timestamp(at_ms: u64) -> Timestamp {
    i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::NOW;

    #[test]
    fn a_wall_shows_the_zone_of_the_season() {
        // Monday, 23 November 2026, 09:00 UTC; 29 March 2026, 00:59 and 01:00 UTC, when Berlin's clocks go forward.
        let shown =
            |zone: &str, at| Zone::named(zone).map(|zone| zone.wall(at)).map(|wall| (wall.weekday, wall.minute / 60, wall.minute % 60));
        assert_eq!(shown("UTC", NOW), Some((0, 9, 0)));
        assert_eq!(shown("Asia/Kolkata", NOW), Some((0, 14, 30)));
        assert_eq!(shown("Pacific/Auckland", NOW), Some((0, 22, 0)));
        assert_eq!(shown("Europe/Berlin", 1_774_745_940_000), Some((6, 1, 59)));
        assert_eq!(shown("Europe/Berlin", 1_774_746_000_000), Some((6, 3, 0)));
    }

    #[test]
    fn what_is_no_zone_has_none() {
        for name in ["", "Berlin", "Europe/Atlantis", "../../etc/passwd", &"a/".repeat(60)] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_month_begins_where_somebody_is() {
        let december: Month = "2026-12".parse().unwrap();
        assert_eq!(
            (december.to_string(), december.spoken(), december.next().to_string()),
            ("2026-12".into(), "December 2026".into(), "2027-01".into())
        );
        let hours = |zone: &str| {
            let zone = Zone::named(zone).unwrap();
            let first = zone.first_of(december, 8);
            assert_eq!(
                (zone.wall(first).minute, zone.month(first), zone.month(first - 9 * 3_600_000).next()),
                (8 * 60, december, december)
            );
            first.cast_signed().wrapping_sub_unsigned(Zone::named("UTC").unwrap().first_of(december, 0)) / 3_600_000
        };
        // 1 December 2026, 08:00 there.
        assert_eq!((hours("UTC"), hours("Europe/Berlin"), hours("America/New_York"), hours("Pacific/Auckland")), (8, 7, 13, -5));
        // Amman's clocks went from 00:00 to 01:00 on 1 April 2011.
        let skipped = Zone::named("Asia/Amman").unwrap();
        assert_eq!(skipped.wall(skipped.first_of("2011-04".parse().unwrap(), 0)).minute, 60);
        for wrong in ["", "2026", "2026-13", "2026-1", "2026-12-01", "+02026-12", "12-2026"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }
}
