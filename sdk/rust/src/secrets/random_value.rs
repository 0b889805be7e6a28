//! New values that nobody thinks up: drawn from the operating system's generator.

use crate::error::Error;
use crate::random::{self, rng};
use keyvawlt_crypto::Zeroizing;
use rand::Rng as _;
use std::fmt::Write as _;
use std::str::FromStr;

/// The fewest bytes or characters: 16 bytes are beyond guessing, and so are 16 letters and digits of 95 bits.
const MIN: usize = 16;
/// The most: no provider takes a longer key.
const MAX: usize = 1024;
/// Letters and digits.
const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The greatest multiple of 62 that fits a byte: larger bytes are drawn anew, so that every character is as likely as another.
const FAIR: u8 = 248;

/// A random value to be drawn: `hex:32` and `base64:32` of so many bytes, `alnum:24` of so many letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RandomValue {
    /// So many bytes in hexadecimal.
    Hex(usize),
    /// So many bytes in base64 for URLs, without padding.
    Base64(usize),
    /// So many letters and digits.
    Alnum(usize),
}

impl FromStr for RandomValue {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid("random", format!("expected hex:32, base64:32 or alnum:24, with a number from {MIN} to {MAX}"));
        let (form, length) = text.split_once(':').ok_or_else(wrong)?;
        let length: usize = length.parse().map_err(|_| wrong())?;
        if !(MIN..=MAX).contains(&length) {
            return Err(wrong());
        }
        match form {
            "hex" => Ok(Self::Hex(length)),
            "base64" => Ok(Self::Base64(length)),
            "alnum" => Ok(Self::Alnum(length)),
            _ => Err(wrong()),
        }
    }
}

impl RandomValue {
    /// Draws one.
    pub fn draw(self) -> Zeroizing<Vec<u8>> {
        // With room for all of it: a growing text leaves pieces behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * MAX));
        match self {
            Self::Hex(length) => {
                for byte in drawn(length).iter() {
                    let _ = write!(text, "{byte:02x}");
                }
            }
            Self::Base64(length) => push_base64(&mut text, &drawn(length)),
            Self::Alnum(length) => {
                while text.len() < length {
                    let [byte] = random::bytes::<1>();
                    if byte < FAIR
                        && let Some(character) = ALNUM.get(usize::from(byte) % ALNUM.len())
                    {
                        text.push(char::from(*character));
                    }
                }
            }
        }
        Zeroizing::new(text.as_bytes().to_vec())
    }
}

fn drawn(length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    rng().fill_bytes(&mut bytes);
    bytes
}

/// Base64 for URLs: four characters for three bytes, the last group without padding.
fn push_base64(text: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for nth in 0..=group.len() {
            let index = usize::try_from(bits >> (18 - 6 * nth) & 63).unwrap_or(0);
            text.extend(ALPHABET.get(index).map(|character| char::from(*character)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_that_was_asked_for_and_never_repeat() {
        for (spec, length, sort) in [
            ("hex:16", 32, "0123456789abcdef"),
            ("base64:32", 43, ""),
            ("base64:17", 23, ""),
            ("alnum:24", 24, ""),
            ("alnum:1024", 1024, ""),
        ] {
            let spec: RandomValue = spec.parse().unwrap();
            let (one, other) = (spec.draw(), spec.draw());
            assert_eq!((one.len(), other.len()), (length, length), "{spec:?}");
            assert_ne!(one, other);
            let fits = |byte: &u8| {
                if sort.is_empty() { byte.is_ascii_alphanumeric() || b"-_".contains(byte) } else { sort.as_bytes().contains(byte) }
            };
            assert!(one.iter().all(fits), "{spec:?}");
        }
        let mut text = String::new();
        push_base64(&mut text, b"any carnal pleas\xff\xfe");
        assert_eq!(text, "YW55IGNhcm5hbCBwbGVhc__-");
    }

    #[test]
    fn what_is_too_short_or_unknown_is_refused() {
        for spec in ["", "hex", "hex:", "hex:15", "alnum:1025", "hex:-1", "words:16", "hex:16 "] {
            assert!(matches!(spec.parse::<RandomValue>(), Err(Error::Invalid { field: "random", .. })), "{spec:?}");
        }
    }
}
