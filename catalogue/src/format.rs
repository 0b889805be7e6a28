//! How a key looks: literal parts and counted runs of a charset, with a checksum where the provider has one.
//!
//! `"ghp_{alnum:30}{alnum:6}"` is four letters and 36 more. No regular expressions: what fits is decided in bounded time, whatever stands in a value.

use serde::Deserialize;
use serde::de::Error as _;

/// Longest key of any provider here, and so the longest run that a pattern may have.
const MAX_RUN: usize = 4096;
/// Runs of unknown length in one pattern: each multiplies the work.
const MAX_OPEN_RUNS: usize = 2;
/// The characters of a checksum tail.
const CHECKSUM_CHARS: usize = 6;

/// A form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    pattern: Pattern,
    /// Made to be public: nothing to check.
    #[serde(default)]
    pub publishable: bool,
    /// Must never be sent: the only call that takes it changes it.
    #[serde(default)]
    pub never: bool,
    /// The last six characters are CRC-32 in base 62 of what stands between prefix and them.
    #[serde(default)]
    checksum: bool,
}

#[derive(Clone, Debug)]
struct Pattern(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Run { of: Charset, least: usize, most: usize },
}

#[derive(Clone, Copy, Debug)]
enum Charset {
    Alnum,
    Hex,
    Base32,
    Digits,
    /// Letters, digits, `_` and `-`.
    Url,
    /// What stands in base64 besides.
    Base64,
    /// The same and `.`.
    Token,
}

impl Format {
    /// Whether a value has this form, its checksum included.
    pub fn fits(&self, value: &str) -> bool {
        value.len() <= MAX_RUN && fits(&self.pattern.0, value.as_bytes()) && (!self.checksum || self.sum_holds(value))
    }

    /// How much the form itself says: the characters that are the same in all keys.
    pub fn literal_length(&self) -> usize {
        let literal = |part: &Part| if let Part::Literal(text) = part { text.len() } else { 0 };
        self.pattern.0.iter().map(literal).sum()
    }

    fn sum_holds(&self, value: &str) -> bool {
        let prefix = match self.pattern.0.first() {
            Some(Part::Literal(text)) => text.len(),
            _ => 0,
        };
        let Some(at) = value.len().checked_sub(CHECKSUM_CHARS).filter(|at| *at >= prefix) else { return false };
        let (Some(body), Some(tail)) = (value.get(prefix..at), value.get(at..)) else { return false };
        base62(crc32(body.as_bytes())) == tail
    }
}

fn fits(parts: &[Part], value: &[u8]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return value.is_empty() };
    match part {
        Part::Literal(text) => value.strip_prefix(text.as_bytes()).is_some_and(|value| fits(rest, value)),
        Part::Run { of, least, most } => {
            let long = value.iter().take(*most).take_while(|byte| of.has(**byte)).count();
            (*least..=long).rev().any(|taken| value.get(taken..).is_some_and(|value| fits(rest, value)))
        }
    }
}

impl Charset {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Self::Base32 => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
            Self::Digits => byte.is_ascii_digit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Self::Token => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=' | b'+' | b'/'),
        }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).map(Pattern).map_err(|why| D::Error::custom(format!("pattern {text:?}: {why}")))
    }
}

fn parse(text: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, run) = rest.split_once('{').unwrap_or((rest, ""));
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        if run.is_empty() {
            break;
        }
        let (run, after) = run.split_once('}').ok_or("a run ends with '}'")?;
        parts.push(run_of(run)?);
        rest = after;
    }
    let open = parts.iter().filter(|part| matches!(part, Part::Run { least, most, .. } if least != most)).count();
    if open > MAX_OPEN_RUNS {
        return Err("too many runs of unknown length");
    }
    Ok(parts)
}

fn run_of(text: &str) -> Result<Part, &'static str> {
    let (of, count) = text.split_once(':').ok_or("a run is {charset:count}")?;
    let of = match of {
        "alnum" => Charset::Alnum,
        "hex" => Charset::Hex,
        "base32" => Charset::Base32,
        "digits" => Charset::Digits,
        "url" => Charset::Url,
        "base64" => Charset::Base64,
        "token" => Charset::Token,
        _ => return Err("an unknown charset"),
    };
    let (least, most) = count.split_once('-').unwrap_or((count, count));
    let number = |text: &str| text.parse::<usize>().map_err(|_| "a count is a number");
    let (least, most) = (number(least)?, number(most)?);
    if least == 0 || least > most || most > MAX_RUN { Err("counts rise, from 1") } else { Ok(Part::Run { of, least, most }) }
}

/// CRC-32 as in zip files: what tokens with a checksum tail use.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Six digits of base 62, zeros in front.
fn base62(mut number: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}
