//! Moments as providers write them: `2026-12-01`, `2026-12-01T10:00:00Z`, `2026-12-01 10:00:00 UTC`, and with an offset.

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Epoch milliseconds; `None` for anything else. A day alone means its beginning: nothing is promised for that day.
pub(crate) fn epoch_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let (year, month, day) = (number(text.get(0..4)?)?, number(text.get(5..7)?)?, number(text.get(8..10)?)?);
    let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    if !dashes || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day).checked_mul(DAY_MS)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(midnight);
    }
    let time = rest.strip_prefix(['T', ' '])?;
    let (hour, minute, second) = (number(time.get(0..2)?)?, number(time.get(3..5)?)?, number(time.get(6..8)?)?);
    if time.get(2..3) != Some(":") || time.get(5..6) != Some(":") || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let moment = midnight + ((hour * 60 + minute) * 60 + second) * 1000;
    let zone = time.get(8..)?;
    let zone = if let Some(fraction) = zone.strip_prefix('.') { fraction.trim_start_matches(|c: char| c.is_ascii_digit()) } else { zone };
    match zone.trim() {
        "" | "Z" | "UTC" => Some(moment),
        offset => {
            let digits: String = offset.get(1..)?.chars().filter(|c| *c != ':').collect();
            let shift = (number(digits.get(0..2)?)? * 60 + number(digits.get(2..4)?)?) * 60_000;
            match offset.get(0..1)? {
                "+" => moment.checked_sub(shift),
                "-" => moment.checked_add(shift),
                _ => None,
            }
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years that begin in March end with the leap day.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::epoch_ms;

    #[test]
    fn moments_are_read_as_providers_write_them() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2026-11-23", Some(1_795_392_000_000)),
            ("2026-11-23T09:00:00Z", Some(1_795_424_400_000)),
            ("2026-11-23T09:00:00.123Z", Some(1_795_424_400_000)),
            ("2026-11-23 09:00:00 UTC", Some(1_795_424_400_000)),
            ("2026-11-23 10:00:00 +0100", Some(1_795_424_400_000)),
            ("2026-11-23T04:00:00-05:00", Some(1_795_424_400_000)),
            ("2000-02-29", Some(951_782_400_000)),
            ("never", None),
            ("2026-13-01", None),
            ("2026-11-23T25:00:00Z", None),
            ("2026/11/23", None),
            ("", None),
        ] {
            assert_eq!(epoch_ms(text), expected, "{text}");
        }
    }
}
