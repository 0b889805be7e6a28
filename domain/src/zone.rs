//! Time zones by their IANA names, with the data inside this program: what a person's wall says at a moment.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// Longer than any name there is.
const MAX_NAME: usize = 64;
const MINUTES_PER_HOUR: u16 = 60;

/// A time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

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

    /// What a wall there shows at a moment.
    pub fn wall(&self, at_ms: u64) -> Wall {
        let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
        let there = self.0.to_datetime(at);
        let small = |number: i8| u8::try_from(number).unwrap_or(0);
        Wall {
            weekday: small(there.date().weekday().to_monday_zero_offset()),
            minute: u16::from(small(there.hour())) * MINUTES_PER_HOUR + u16::from(small(there.minute())),
        }
    }
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
}
