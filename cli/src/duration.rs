//! Lengths of time and moments as people write them: `90d`, `4h`, `1d12h`, `2027-01-31`,
//! `2027-01-31T12:00:00Z`.
//!
//! The clock is a parameter. Absent: local time zones (a date means its beginning in UTC).

use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// No duration is longer: what shall last a century needs no expiry.
const MAX: Duration = Duration::from_secs(100 * 365 * DAY);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const TWO_HOURS: u64 = 2 * HOUR;
const TWO_DAYS: u64 = 2 * DAY;
const WEEK: u64 = 7 * DAY;

/// Why a text is neither a duration nor a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a duration.
    #[error("expected a duration such as 90d, 4h, 30m or 1d12h (units w, d, h, m, s)")]
    Duration,
    /// Neither.
    #[error("expected a duration such as 90d or 4h, or a date such as 2027-01-31 or 2027-01-31T12:00:00Z")]
    Moment,
    /// Nothing.
    #[error("the duration must be longer than zero")]
    Zero,
    /// Too long.
    #[error("the duration is longer than 100 years")]
    TooLong,
    /// Gone already.
    #[error("the moment lies in the past")]
    Past,
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(pub Duration);

impl Length {
    /// In milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl TryFrom<String> for Length {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        display_length(length.ms())
    }
}

impl FromStr for Length {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut rest = text;
        let mut seconds: u64 = 0;
        let mut last_unit = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let mut after = after.chars();
            let unit = match after.next() {
                Some('w') => WEEK,
                Some('d') => DAY,
                Some('h') => HOUR,
                Some('m') => MINUTE,
                Some('s') => 1,
                _ => return Err(Malformed::Duration),
            };
            if number.is_empty() || unit >= last_unit {
                return Err(Malformed::Duration);
            }
            let number: u64 = number.parse().map_err(|_| Malformed::TooLong)?;
            seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or(Malformed::TooLong)?;
            last_unit = unit;
            rest = after.as_str();
        }
        match Duration::from_secs(seconds) {
            _ if text.is_empty() => Err(Malformed::Duration),
            Duration::ZERO => Err(Malformed::Zero),
            long if long > MAX => Err(Malformed::TooLong),
            length => Ok(Self(length)),
        }
    }
}

/// A moment, given as such or as a length of time from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long from now.
    After(Duration),
    /// Then.
    At(OffsetDateTime),
}

impl FromStr for Moment {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.parse::<Length>() {
            Ok(Length(length)) => return Ok(Self::After(length)),
            Err(Malformed::Duration) => {}
            Err(other) => return Err(other),
        }
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(at));
        }
        Date::parse(text, format_description!("[year]-[month]-[day]"))
            .map(|date| Self::At(date.midnight().assume_utc()))
            .map_err(|_| Malformed::Moment)
    }
}

impl Moment {
    /// The moment in milliseconds since 1970; it must lie after `now_ms`.
    pub fn at_ms(self, now_ms: u64) -> Result<u64, Malformed> {
        let at_ms = match self {
            Self::After(length) => {
                u64::try_from(length.as_millis()).ok().and_then(|length| now_ms.checked_add(length)).ok_or(Malformed::TooLong)?
            }
            Self::At(at) => u64::try_from(at.unix_timestamp_nanos() / 1_000_000).map_err(|_| Malformed::Past)?,
        };
        if at_ms > now_ms { Ok(at_ms) } else { Err(Malformed::Past) }
    }
}

/// A moment as people read it: RFC 3339 in UTC, whole seconds.
pub fn display_ms(at_ms: u64) -> String {
    i64::try_from(at_ms / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{at_ms} ms after 1970"))
}

/// A length of time as [`Length`] reads it, in whole seconds: `90d`, `1d12h`.
pub fn display_length(ms: u64) -> String {
    let mut rest = ms / 1000;
    let mut text = String::new();
    for (unit, letter) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')] {
        if rest >= unit {
            text += &(rest / unit).to_string();
            text.push(letter);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// How far away a moment is, as people say it: `in 3 d`, `2 h ago`, `now`.
pub fn distance(at_ms: u64, now_ms: u64) -> String {
    let seconds = at_ms.abs_diff(now_ms) / 1000;
    let rounded = |unit: u64| (seconds + unit / 2) / unit;
    // Two of a unit say more than one of the next.
    let span = match seconds {
        0..MINUTE => return "now".to_owned(),
        MINUTE..TWO_HOURS => format!("{} min", rounded(MINUTE)),
        TWO_HOURS..TWO_DAYS => format!("{} h", rounded(HOUR)),
        _ => format!("{} d", rounded(DAY)),
    };
    if at_ms > now_ms { format!("in {span}") } else { format!("{span} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T00:00:00Z
    const NOW_MS: u64 = 1_795_392_000_000;

    #[test]
    fn lengths_are_numbers_with_units_in_falling_order() {
        let cases =
            [("30s", 30), ("30m", 1800), ("4h", 14_400), ("90d", 7_776_000), ("2w", 1_209_600), ("1d12h", 129_600), ("1h30m5s", 5405)];
        for (text, seconds) in cases {
            assert_eq!(text.parse(), Ok(Length(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "90", "d", "1y", "-1d", "1.5h", "1h1h", "1m1h", " 1h", "1h ", "1D"] {
            assert_eq!(text.parse::<Length>(), Err(Malformed::Duration), "{text:?}");
        }
        assert_eq!("0d".parse::<Length>(), Err(Malformed::Zero));
        for text in ["36501d", "99999999999999999999s", "18446744073709551615w"] {
            assert_eq!(text.parse::<Length>(), Err(Malformed::TooLong), "{text}");
        }
    }

    #[test]
    fn lengths_are_shown_as_they_are_written() {
        for text in ["30s", "4h", "90d", "1d12h", "1h30m5s"] {
            let Length(length) = text.parse().unwrap();
            assert_eq!(display_length(u64::try_from(length.as_millis()).unwrap()), text);
        }
        assert_eq!(display_length(999), "0s");
    }

    #[test]
    fn moments_are_lengths_or_dates() {
        let cases = [
            ("1d", NOW_MS + 86_400_000),
            ("2026-11-24", NOW_MS + 86_400_000),
            ("2026-11-23T00:00:01Z", NOW_MS + 1000),
            ("2026-11-23T02:00:00.5+01:00", NOW_MS + 3_600_500),
        ];
        for (text, at_ms) in cases {
            assert_eq!(text.parse::<Moment>().unwrap().at_ms(NOW_MS), Ok(at_ms), "{text}");
        }
        for text in ["2026-11-23", "2020-01-01T00:00:00Z", "1960-01-01"] {
            assert_eq!(text.parse::<Moment>().unwrap().at_ms(NOW_MS), Err(Malformed::Past), "{text}");
        }
        for text in ["tomorrow", "2026-13-01", "2026-02-30", "2026-1-1", "2026-11-24T10:00"] {
            assert_eq!(text.parse::<Moment>(), Err(Malformed::Moment), "{text}");
        }
        assert_eq!("0d".parse::<Moment>(), Err(Malformed::Zero));
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(display_ms(NOW_MS + 999), "2026-11-23T00:00:00Z");
        assert_eq!(display_ms(u64::MAX), "18446744073709551615 ms after 1970");
    }
    #[test]
    fn distances_are_told_in_the_unit_people_would_use() {
        let cases = [(0, "now"), (59, "now"), (60, "in 1 min"), (3600, "in 60 min"), (4 * 3600 - 1, "in 4 h"), (48 * 3600, "in 2 d")];
        for (seconds, text) in cases {
            assert_eq!(distance(NOW_MS + seconds * 1000, NOW_MS), text);
        }
        assert_eq!(distance(NOW_MS - 90 * 60 * 1000, NOW_MS), "90 min ago");
    }
}
