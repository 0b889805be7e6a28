//! Typed records over [`cbor`]: closed schemas, one field order, unknown or missing fields refused.
//!
//! `record!` writes a struct as a map with numbered keys, `row!` as an array. An optional field is an array of zero or one element.

use crate::cbor::{self, Value};
use crate::fault::{Code, Fault};

/// A type with exactly one canonical encoding.
pub trait Canon: Sized {
    /// The value to encode.
    fn to_value(&self) -> Value;
    /// Reads the value back, refusing any other shape.
    fn from_value(value: Value) -> Result<Self, Fault>;

    /// The canonical bytes.
    fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&self.to_value())
    }

    /// Reads canonical bytes and checks that they are canonical for this type as well.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let parsed = Self::from_value(cbor::decode(bytes)?)?;
        if parsed.to_bytes() == bytes { Ok(parsed) } else { Err(Fault::new(Code::Canon, "the document has a second form")) }
    }
}

/// The refusal of a value of the wrong shape.
pub(crate) fn shape(expected: &'static str) -> Fault {
    Fault::new(Code::Upgrade, format!("expected {expected}: made by another version, upgrade required"))
}

impl Canon for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        Ok(value)
    }
}

impl Canon for u64 {
    fn to_value(&self) -> Value {
        Value::Uint(*self)
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Uint(n) => Ok(n),
            _ => Err(shape("an integer")),
        }
    }
}

macro_rules! small_uint {
    ($($t:ty),*) => {$(
        impl Canon for $t {
            fn to_value(&self) -> Value {
                Value::Uint(u64::from(*self))
            }
            fn from_value(value: Value) -> Result<Self, Fault> {
                <$t>::try_from(u64::from_value(value)?).map_err(|_| shape("a smaller integer"))
            }
        }
    )*};
}
small_uint!(u8, u16, u32);

impl Canon for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Bool(flag) => Ok(flag),
            _ => Err(shape("a boolean")),
        }
    }
}

impl Canon for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(shape("text")),
        }
    }
}

/// A byte string of any length.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl Canon for Blob {
    fn to_value(&self) -> Value {
        Value::Bytes(self.0.clone())
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Bytes(bytes) => Ok(Self(bytes)),
            _ => Err(shape("bytes")),
        }
    }
}

impl<const N: usize> Canon for [u8; N] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Bytes(bytes) => bytes.try_into().map_err(|_| shape("bytes of another length")),
            _ => Err(shape("bytes")),
        }
    }
}

impl<T: Canon> Canon for Vec<T> {
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Canon::to_value).collect())
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(items) => items.into_iter().map(T::from_value).collect(),
            _ => Err(shape("an array")),
        }
    }
}

impl<T: Canon> Canon for Option<T> {
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Canon::to_value).collect())
    }
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(items) if items.len() <= 1 => items.into_iter().next().map(T::from_value).transpose(),
            _ => Err(shape("an array of at most one element")),
        }
    }
}

/// Defines a struct written as a CBOR map with the given keys (ascending).
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $key:literal => $field:ident: $ty:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)+ }

        impl $crate::canon::Canon for $name {
            fn to_value(&self) -> $crate::cbor::Value {
                $crate::cbor::Value::Map(vec![$(($key, $crate::canon::Canon::to_value(&self.$field)),)+])
            }
            fn from_value(value: $crate::cbor::Value) -> Result<Self, $crate::fault::Fault> {
                let $crate::cbor::Value::Map(pairs) = value else {
                    return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!("expected a map for ", stringify!($name), ": upgrade required")));
                };
                let mut pairs = pairs.into_iter();
                $(let $field = match pairs.next() {
                    Some(($key, value)) => <$ty as $crate::canon::Canon>::from_value(value)?,
                    _ => return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!(stringify!($name), ".", stringify!($field), " is missing or unknown fields are present: upgrade required"))),
                };)+
                if pairs.next().is_some() {
                    return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!(stringify!($name), " has unknown fields: upgrade required")));
                }
                Ok(Self { $($field,)+ })
            }
        }
    };
}

/// Defines a struct written as a CBOR array of its fields in order.
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)+ }

        impl $crate::canon::Canon for $name {
            fn to_value(&self) -> $crate::cbor::Value {
                $crate::cbor::Value::Array(vec![$($crate::canon::Canon::to_value(&self.$field),)+])
            }
            fn from_value(value: $crate::cbor::Value) -> Result<Self, $crate::fault::Fault> {
                let $crate::cbor::Value::Array(items) = value else {
                    return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!("expected an array for ", stringify!($name), ": upgrade required")));
                };
                let mut items = items.into_iter();
                $(let $field = match items.next() {
                    Some(value) => <$ty as $crate::canon::Canon>::from_value(value)?,
                    None => return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!(stringify!($name), ".", stringify!($field), " is missing: upgrade required"))),
                };)+
                if items.next().is_some() {
                    return Err($crate::fault::Fault::new($crate::fault::Code::Upgrade, concat!(stringify!($name), " has unknown fields: upgrade required")));
                }
                Ok(Self { $($field,)+ })
            }
        }
    };
}

/// `CTX(label, f1, …)`: what a ciphertext is bound to, as the canonical array `[label, suite, f1, …]`.
pub fn context(label: &str, fields: &[Value]) -> Vec<u8> {
    let mut items = vec![Value::Text(label.to_owned()), Value::Uint(crate::SUITE)];
    items.extend_from_slice(fields);
    cbor::encode(&Value::Array(items))
}
