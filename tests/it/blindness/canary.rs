//! Canaries, the forms they may hide in, and the search for them.
//!
//! A canary is found by its first or its last bytes alone, so that a prefix or a suffix that leaks is found too.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keyvawlt_domain::Random;
use std::collections::{HashMap, HashSet};

/// Long enough that no twelve bytes of ciphertext are equal to it by chance.
const PART: usize = 12;
/// Text canaries: letters and digits, which no encoding of text changes.
const TEXT_LEN: usize = 30;

/// Something that may be seen in few places.
#[derive(Clone, Debug)]
pub struct Canary {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Canary {
    /// A text that exists nowhere else.
    pub fn text(name: &'static str) -> Self {
        let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        let drawn = Random::System.bytes::<TEXT_LEN>();
        Self { name, bytes: drawn.iter().map(|byte| letters[usize::from(*byte) % letters.len()]).collect() }
    }

    pub fn known(name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        Self { name, bytes: bytes.as_ref().to_vec() }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("a text")
    }

    /// All byte sequences that would give it away, with what they are called.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let (head, tail) = (&self.bytes[..PART.min(self.bytes.len())], &self.bytes[self.bytes.len().saturating_sub(PART)..]);
        let mut forms: Vec<_> = [head, tail].into_iter().flat_map(forms_of_part).collect();
        // Equality is a leak too: an unsalted hash is as good as a name.
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&self.bytes);
        forms.extend(forms_of_part(&hash[..PART]));
        let mut seen = HashSet::new();
        forms.retain(|(_, bytes)| seen.insert(bytes.clone()));
        forms
    }
}

fn forms_of_part(part: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("as it is", part.to_vec()),
        ("upper case", part.to_ascii_uppercase()),
        ("lower case", part.to_ascii_lowercase()),
        ("hexadecimal", hex::encode(part).into_bytes()),
        ("HEXADECIMAL", hex::encode_upper(part).into_bytes()),
        ("UTF-16, little end first", part.iter().flat_map(|byte| [*byte, 0]).collect()),
        ("UTF-16, big end first", part.iter().flat_map(|byte| [0, *byte]).collect()),
        ("as Rust prints bytes", part.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes()),
        ("as Rust escapes bytes", part.escape_ascii().to_string().into_bytes()),
    ];
    for before in 0..3 {
        let padded = [&[0; 2][..before], part].concat();
        // What is left of the text's first characters, and of its last, depends on the neighbours.
        let (skipped, whole) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        forms.push(("base64", STANDARD_NO_PAD.encode(&padded).as_bytes()[skipped..whole].to_vec()));
        forms.push(("base64 for URLs", URL_SAFE_NO_PAD.encode(&padded).as_bytes()[skipped..whole].to_vec()));
    }
    forms
}

struct Needle {
    said: String,
    bytes: Vec<u8>,
}

/// Looks for many canaries in one pass.
pub struct Search {
    needles: Vec<Needle>,
    by_start: HashMap<[u8; 4], Vec<usize>>,
    /// Which first two bytes are worth a look: nearly all of what is searched ends here.
    starts: Vec<bool>,
}

impl Search {
    pub fn of<'a>(canaries: impl IntoIterator<Item = &'a Canary>) -> Self {
        let mut search = Self { needles: Vec::new(), by_start: HashMap::new(), starts: vec![false; 1 << 16] };
        for canary in canaries {
            assert!(canary.bytes.len() >= PART, "{} is too short to be no accident", canary.name);
            for (form, bytes) in canary.forms() {
                search.starts[usize::from(bytes[0]) << 8 | usize::from(bytes[1])] = true;
                let start = bytes[..4].try_into().expect("four bytes");
                search.by_start.entry(start).or_default().push(search.needles.len());
                search.needles.push(Needle { said: format!("{} ({form})", canary.name), bytes });
            }
        }
        search
    }

    /// What is found, each once.
    pub fn find(&self, hay: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for (at, window) in hay.windows(4).enumerate() {
            if !self.starts[usize::from(window[0]) << 8 | usize::from(window[1])] {
                continue;
            }
            for needle in self.by_start.get(window).into_iter().flatten() {
                let needle = &self.needles[*needle];
                if hay[at..].starts_with(&needle.bytes) && !found.contains(&needle.said.as_str()) {
                    found.push(needle.said.as_str());
                }
            }
        }
        found
    }
}

#[test]
fn a_canary_is_found_in_every_form_at_every_place() {
    let canary = Canary::text("the canary");
    let search = Search::of([&canary]);
    let text = canary.as_str();
    for before in 0..7 {
        let hidden = format!("{}{text}{}", "<".repeat(before), ">".repeat(before % 5));
        let bytes = hidden.as_bytes();
        let forms = [
            bytes.to_vec(),
            hidden.to_uppercase().into_bytes(),
            hidden.to_lowercase().into_bytes(),
            hex::encode(bytes).into_bytes(),
            hex::encode_upper(bytes).into_bytes(),
            STANDARD_NO_PAD.encode(bytes).into_bytes(),
            URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
            hidden.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            hidden.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            format!("{bytes:?}").into_bytes(),
            bytes[..before + PART].to_vec(),
            bytes[before + TEXT_LEN - PART..].to_vec(),
            <sha2::Sha256 as sha2::Digest>::digest(text).to_vec(),
        ];
        for form in forms {
            assert!(!search.find(&form).is_empty(), "{}", String::from_utf8_lossy(&form));
        }
    }
    assert!(search.find(&bytes_that_are_not(&canary)).is_empty());
}

#[test]
fn a_key_is_found_in_every_form_at_every_place() {
    let key = Canary::known("the key", Random::System.bytes::<16>());
    let search = Search::of([&key]);
    for before in 0..7 {
        let hidden = [&[0x5a; 7][..before], &key.bytes, &[0xa5; 5]].concat();
        let printed = hidden.escape_ascii().to_string().into_bytes();
        for form in [hidden.clone(), printed, hex::encode(&hidden).into_bytes(), STANDARD_NO_PAD.encode(&hidden).into_bytes()] {
            assert!(!search.find(&form).is_empty(), "{}", String::from_utf8_lossy(&form));
        }
    }
}

/// A lot of other text, and the canary cut too short.
fn bytes_that_are_not(canary: &Canary) -> Vec<u8> {
    let others: Vec<u8> = (0..100).flat_map(|_| Canary::text("another").bytes).collect();
    [&others[..], &canary.bytes[..PART - 1], &others].concat()
}
