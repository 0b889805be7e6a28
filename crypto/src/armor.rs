//! Secrets as text for people and programs: Crockford base32 in groups of four (typed by hand), base64url with a CRC (pasted).
//!
//! Both carry a checksum so that a slip is told apart from a wrong secret; no error repeats what was typed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyvawlt_ledger::{Code, Fault};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^6 exceeds 2^32.
const CRC_DIGITS: usize = 6;
/// Characters between dashes: what people read in one breath.
const GROUP: usize = 4;

/// `PREFIX-XXXX-XXXX-…`: the secret, then the first `check` bytes of SHA-256(prefix || secret). Lengths are multiples of five bytes.
pub fn spell(prefix: &str, secret: &[u8], check: usize) -> Zeroizing<String> {
    let sum = Sha256::new().chain_update(prefix).chain_update(secret).finalize();
    let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + check));
    bytes.extend_from_slice(secret);
    bytes.extend(sum.iter().take(check));
    let digits = bytes.len() * 8 / 5;
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + digits + digits / GROUP + 1));
    text.push_str(prefix);
    let (mut bits, mut held, mut written) = (0_u16, 0_u32, 0);
    for byte in bytes.iter() {
        bits = (bits << 8) | u16::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            if written % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(CROCKFORD.get(usize::from(bits >> held & 31)).copied().unwrap_or_default()));
            written += 1;
        }
        bits &= (1 << held) - 1;
    }
    text
}

/// Reads [`spell`]'s text whatever its case, spaces and dashes, and with O for 0, I or L for 1.
pub fn unspell<const N: usize>(what: &'static str, prefix: &str, check: usize, typed: &str) -> Result<Zeroizing<[u8; N]>, Fault> {
    let mut digits = Zeroizing::new(String::with_capacity(typed.len()));
    digits.extend(typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()));
    let digits = digits.strip_prefix(prefix).ok_or_else(|| refused(format!("{what} begins with {prefix}-")))?;
    if digits.chars().count() * 5 != (N + check) * 8 {
        return Err(refused(format!("{what} has {} characters after {prefix}: some are missing or too many", (N + check) * 8 / 5)));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(N + check));
    let (mut bits, mut held) = (0_u16, 0_u32);
    for digit in digits.chars() {
        let five = digit_value(digit)
            .ok_or_else(|| refused(format!("{what} has a character that it cannot have (only digits and letters, no U)")))?;
        bits = (bits << 5) | five;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_be_bytes()[1]);
            bits &= (1 << held) - 1;
        }
    }
    let mut secret = Zeroizing::new([0; N]);
    let (content, sum) = bytes.split_at_checked(N).unwrap_or_default();
    let expected = Sha256::new().chain_update(prefix).chain_update(content).finalize();
    if !expected.starts_with(sum) || content.len() != N {
        return Err(refused(format!("{what} has a typing mistake: its checksum does not match")));
    }
    secret.copy_from_slice(content);
    Ok(secret)
}

/// `prefix` + base64url(bytes) + `_` + crc32 of all that, in base62.
pub fn wrap(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4 + 1 + CRC_DIGITS));
    text.push_str(prefix);
    BASE64_URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    let sum = crc_text(&text);
    text.push('_');
    text.push_str(&sum);
    text
}

/// Reads [`wrap`]'s text.
pub fn unwrap(what: &'static str, prefix: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if !text.starts_with(prefix) {
        return Err(refused(format!("{what} begins with {prefix}")));
    }
    let (body, sum) = text.rsplit_once('_').unwrap_or_default();
    let encoded = body.strip_prefix(prefix).filter(|_| sum.len() == CRC_DIGITS);
    let encoded = encoded.ok_or_else(|| refused(format!("{what} is cut off: copy all of it")))?;
    if crc_text(body) != sum {
        return Err(refused(format!("{what} was not copied exactly: its checksum does not match")));
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| refused(format!("{what} is not base64url")))?;
    Ok(Zeroizing::new(bytes))
}

/// Reads fields of fixed lengths in their order.
pub struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of the bytes of `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// The next field.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| refused(format!("{} is too short", self.what)))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// The refusal of a text; never repeats it.
pub fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Code::Canon, why)
}

fn digit_value(digit: char) -> Option<u16> {
    let digit = match digit {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    CROCKFORD.iter().zip(0..).find(|(known, _)| char::from(**known) == digit).map(|(_, value)| value)
}

fn crc_text(text: &str) -> String {
    let mut rest = crc32(text.as_bytes());
    let mut digits = [b'0'; CRC_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or_default();
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as in zlib (reflected polynomial 0xEDB88320); bit by bit, since tokens are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn typed_text_is_read_whatever_its_shape() {
        let text = spell("KVS1", &[0xA5; 16], 4);
        assert!(text.starts_with("KVS1-") && text.len() == 4 + 8 * 5);
        let sloppy = text.to_lowercase().replace('-', " ").replace('1', "l").replacen("kvsl", "kvs1", 1);
        assert_eq!(*unspell::<16>("it", "KVS1", 4, &sloppy).unwrap(), [0xA5; 16]);
    }

    #[test]
    fn every_single_typing_mistake_is_noticed() {
        let text = spell("KVS1", &[0x3C; 16], 4);
        for place in 5..text.len() {
            for other in CROCKFORD {
                let mut typed = text.as_bytes().to_vec();
                if typed[place] == b'-' || typed[place] == *other {
                    continue;
                }
                typed[place] = *other;
                let fault = unspell::<16>("it", "KVS1", 4, std::str::from_utf8(&typed).unwrap()).unwrap_err();
                assert!(fault.why.contains("checksum"), "{fault}");
            }
        }
    }
}
