//! Until when a certificate is valid, read from its bytes: also of one that nobody trusts, whose date is worth knowing all the same.
//!
//! Reads as much of X.509 as leads to that field (RFC 5280, 4.1). No input makes it panic; what it cannot follow is `None`.

use time::{Date, Month, PrimitiveDateTime, Time};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, explicit: the version, which the oldest certificates leave out.
const VERSION: u8 = 0xa0;

/// The end of the certificate's validity in milliseconds since 1970; times before that count as 0.
pub(super) fn not_after_ms(certificate: &[u8]) -> Option<u64> {
    let (content, _) = expect(SEQUENCE, certificate)?;
    let (signed, _) = expect(SEQUENCE, content)?;
    let rest = expect(VERSION, signed).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = expect(INTEGER, rest)?;
    let (_algorithm, rest) = expect(SEQUENCE, rest)?;
    let (_issuer, rest) = expect(SEQUENCE, rest)?;
    let (validity, _) = expect(SEQUENCE, rest)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    let text = std::str::from_utf8(not_after).ok()?;
    let text = match tag {
        // Two digits of the year: 50 and more are the last century's.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    moment(&text)
}

/// `YYYYMMDDHHMMSSZ`, the one form that RFC 5280 leaves.
fn moment(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let year = digits[..4].parse().ok()?;
    let two = |from: usize| digits[from..from + 2].parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(two(4)?).ok()?, two(6)?).ok()?;
    let time = Time::from_hms(two(8)?, two(10)?, two(12)?).ok()?;
    let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    Some(u64::try_from(seconds).unwrap_or(0) * 1_000)
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// One element of DER: its tag, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // A certificate is shorter than 16 MiB: three bytes of length do.
        let count = usize::from(first & 0x7f);
        let (length, rest) = rest.split_at_checked(count).filter(|_| (1..=3).contains(&count))?;
        (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
