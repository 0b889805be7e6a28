//! Deterministic CBOR: the closed subset of RFC 8949 section 4.2 that everything signed, hashed or bound is written in.
//!
//! Unsigned integers, byte strings, UTF-8 text, arrays, maps with ascending unsigned integer keys, booleans; shortest forms only.
//! One value has one encoding, and `decode` accepts nothing else. Absent on purpose: floats, tags, null, indefinite lengths, negatives.

use crate::fault::{Code, Fault};

/// Nesting allowed in a document; the deepest format (a bundle inside a link's body) needs five.
pub const MAX_DEPTH: usize = 8;

/// A decoded document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Major type 0.
    Uint(u64),
    /// Major type 2.
    Bytes(Vec<u8>),
    /// Major type 3.
    Text(String),
    /// Major type 4.
    Array(Vec<Value>),
    /// Major type 5, keys strictly ascending.
    Map(Vec<(u64, Value)>),
    /// Simple values 20 and 21.
    Bool(bool),
}

/// Writes a value in its only form. Map keys must be ascending; the record macros see to it.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write(value, &mut out);
    out
}

/// Reads a document, refusing everything that `encode` would not have written.
pub fn decode(bytes: &[u8]) -> Result<Value, Fault> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(canon("bytes after the end of the document")) }
}

/// How many items a document has, map keys included: what decoding it will cost, found out without decoding it.
pub fn count_items(bytes: &[u8]) -> Result<usize, Fault> {
    let mut reader = Reader { rest: bytes };
    let (mut items, mut open) = (0, 1_u64);
    while open > 0 {
        let first = reader.byte()?;
        (items, open) = (items + 1, open - 1);
        match first >> 5 {
            0 => drop(reader.argument(first)?),
            2 | 3 => drop(reader.string(first)?),
            4 => open = open.saturating_add(reader.argument(first)?),
            5 => open = open.saturating_add(reader.argument(first)?.saturating_mul(2)),
            7 => {}
            _ => return Err(canon("a type outside the subset")),
        }
    }
    Ok(items)
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Uint(n) => head(0, *n, out),
        Value::Bytes(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            for item in items {
                write(item, out);
            }
        }
        Value::Map(pairs) => {
            head(5, pairs.len() as u64, out);
            for (key, item) in pairs {
                head(0, *key, out);
                write(item, out);
            }
        }
        Value::Bool(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
    }
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let wide = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | wide[7]),
        24..=0xff => out.extend_from_slice(&[major | 0x18, wide[7]]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&wide[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&wide[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&wide);
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::new(Code::Limit, "the document is nested too deeply"));
        }
        let first = self.byte()?;
        match first >> 5 {
            0 => Ok(Value::Uint(self.argument(first)?)),
            2 => Ok(Value::Bytes(self.string(first)?.to_vec())),
            3 => match std::str::from_utf8(self.string(first)?) {
                Ok(text) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(canon("text is not UTF-8")),
            },
            4 => {
                let count = self.argument(first)?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.value(depth + 1)?);
                }
                Ok(Value::Array(items))
            }
            5 => self.map(first, depth),
            7 if first == 0xf4 => Ok(Value::Bool(false)),
            7 if first == 0xf5 => Ok(Value::Bool(true)),
            _ => Err(canon("a type outside the subset")),
        }
    }

    fn map(&mut self, first: u8, depth: usize) -> Result<Value, Fault> {
        let count = self.argument(first)?;
        let mut pairs: Vec<(u64, Value)> = Vec::new();
        for _ in 0..count {
            let key = self.byte()?;
            if key >> 5 != 0 {
                return Err(canon("a map key is not an unsigned integer"));
            }
            let key = self.argument(key)?;
            if pairs.last().is_some_and(|(last, _)| *last >= key) {
                return Err(canon("map keys are not in strictly ascending order"));
            }
            pairs.push((key, self.value(depth + 1)?));
        }
        Ok(Value::Map(pairs))
    }

    fn argument(&mut self, first: u8) -> Result<u64, Fault> {
        let (value, least) = match first & 0x1f {
            small @ 0..=23 => return Ok(u64::from(small)),
            24 => (u64::from(self.byte()?), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.array()?), 0x1_0000_0000),
            _ => return Err(canon("a reserved or indefinite length")),
        };
        if value < least { Err(canon("an integer is not in its shortest form")) } else { Ok(value) }
    }

    fn string(&mut self, first: u8) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.argument(first)?).map_err(|_| truncated())?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.rest.split_first().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

fn canon(why: &'static str) -> Fault {
    Fault::new(Code::Canon, why)
}

fn truncated() -> Fault {
    canon("the document ends too early")
}
