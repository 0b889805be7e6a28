//! Canonical bytes of what gets sealed: written into one buffer of the right size, with every copy wiped.
//!
//! The encoding is the ledger's; its own writer is not used because a growing buffer leaves pieces of secrets behind.

use keyvawlt_ledger::Fault;
use keyvawlt_ledger::cbor::{self, Value};
use zeroize::{Zeroize, Zeroizing};

/// Widest head of an item: one byte and a 64-bit argument.
const MAX_HEAD: usize = 9;

/// Encodes and wipes `value`.
pub fn encode(mut value: Value) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bound(&value)));
    write(&value, &mut out);
    wipe(&mut value);
    out
}

/// The fields of a sealed map, taken out in order; what is not taken out is wiped.
pub struct Fields {
    /// The last one first.
    rest: Vec<(u64, Value)>,
    /// What is wrong with a map of other fields.
    fault: fn() -> Fault,
}

impl Fields {
    /// Reads what [`encode`] wrote.
    pub fn read(bytes: &[u8], fault: fn() -> Fault) -> Result<Self, Fault> {
        match cbor::decode(bytes)? {
            Value::Map(mut rest) => {
                rest.reverse();
                Ok(Self { rest, fault })
            }
            mut other => {
                wipe(&mut other);
                Err(fault())
            }
        }
    }

    /// The next field, which must have this key.
    pub fn take(&mut self, key: u64) -> Result<Value, Fault> {
        match self.rest.pop() {
            Some((found, value)) if found == key => Ok(value),
            Some((_, mut other)) => {
                wipe(&mut other);
                Err((self.fault)())
            }
            None => Err((self.fault)()),
        }
    }

    /// There are no more.
    pub fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() { Ok(()) } else { Err((self.fault)()) }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.rest.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::Bytes(bytes) => bytes.zeroize(),
        Value::Text(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, item)| wipe(item)),
        Value::Uint(n) => n.zeroize(),
        Value::Bool(_) => {}
    }
}

fn bound(value: &Value) -> usize {
    MAX_HEAD
        + match value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Text(text) => text.len(),
            Value::Array(items) => items.iter().map(bound).sum(),
            Value::Map(pairs) => pairs.iter().map(|(_, item)| MAX_HEAD + bound(item)).sum(),
            Value::Uint(_) | Value::Bool(_) => 0,
        }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => {
            head(2, bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            head(3, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len(), out);
            for item in items {
                write(item, out);
            }
        }
        Value::Map(pairs) => {
            head(5, pairs.len(), out);
            for (key, item) in pairs {
                out.extend_from_slice(&cbor::encode(&Value::Uint(*key)));
                write(item, out);
            }
        }
        Value::Uint(_) | Value::Bool(_) => out.extend_from_slice(&cbor::encode(value)),
    }
}

/// A head is that of the unsigned integer, under another major type.
fn head(major: u8, argument: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&cbor::encode(&Value::Uint(argument as u64)));
    if let Some(first) = out.get_mut(start) {
        *first |= major << 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Value::Uint),
            any::<bool>().prop_map(Value::Bool),
            proptest::collection::vec(any::<u8>(), 0..400).prop_map(Value::Bytes),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                proptest::collection::btree_map(any::<u64>(), inner, 0..8).prop_map(|map| Value::Map(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_encoding_is_the_ledgers_in_a_buffer_that_never_grows(value in any_value()) {
            let expected = cbor::encode(&value);
            let room = bound(&value);
            let written = encode(value);
            prop_assert_eq!(&*written, &expected);
            prop_assert!(written.capacity() >= room.min(1) && written.len() <= room);
        }
    }
}
