//! Canonical CBOR, hashes with their domain numbers, contexts.

use super::{Case, File};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::{Blob, context, hash};

pub fn cbor() -> File {
    let valid = [
        ("the smallest integer", "0", Value::Uint(0)),
        ("the largest of one byte", "23", Value::Uint(23)),
        ("the smallest of two bytes", "24", Value::Uint(24)),
        ("the smallest of three bytes", "256", Value::Uint(256)),
        ("the smallest of five bytes", "65536", Value::Uint(0x1_0000)),
        ("the smallest of nine bytes", "4294967296", Value::Uint(0x1_0000_0000)),
        ("the largest integer", "18446744073709551615", Value::Uint(u64::MAX)),
        ("bytes", "h'0102'", Value::Bytes(vec![1, 2])),
        ("text", "\"clé\"", Value::Text("clé".to_owned())),
        ("an empty array", "[]", Value::Array(vec![])),
        ("an array", "[1, [true, false]]", Value::Array(vec![Value::Uint(1), Value::Array(vec![Value::Bool(true), Value::Bool(false)])])),
        ("an empty map", "{}", Value::Map(vec![])),
        ("a map", "{1: h'', 24: \"\"}", Value::Map(vec![(1, Value::Bytes(vec![])), (24, Value::Text(String::new()))])),
        ("nothing there", "[]", Option::<u64>::None.to_value()),
        ("something there", "[7]", Some(7_u64).to_value()),
    ];
    let invalid = [
        ("no bytes", ""),
        ("trailing byte", "0000"),
        ("integer not in its shortest form", "1817"),
        ("integer of three bytes that fits two", "1900ff"),
        ("length not in its shortest form", "5801ff"),
        ("truncated bytes", "4201"),
        ("truncated array", "8201"),
        ("negative integer", "20"),
        ("tag", "c000"),
        ("null", "f6"),
        ("undefined", "f7"),
        ("simple value in two bytes", "f814"),
        ("half-precision float", "f93c00"),
        ("indefinite bytes", "5f4101ff"),
        ("indefinite array", "9f01ff"),
        ("indefinite map", "bf0102ff"),
        ("reserved length", "1c"),
        ("map keys out of order", "a202000100"),
        ("map key twice", "a201000100"),
        ("map key of text", "a1613100"),
        ("text that is not UTF-8", "61ff"),
        ("text with an encoded surrogate", "63eda080"),
        ("nine levels", "818181818181818100"),
    ];
    File {
        name: "cbor.json",
        about: "Canonical CBOR (protocol, Encoding). Valid: bytes are the one encoding of the value, written in diagnostic notation.",
        valid: valid.map(|(name, text, value)| Case::new(name).with("value", text).bytes("bytes", cbor::encode(&value)).valid()).into(),
        invalid: invalid
            .map(|(name, bytes)| {
                let decoded = cbor::decode(&hex::decode(bytes).expect("hexadecimal"));
                Case::new(name).with("bytes", bytes).refused(name, decoded)
            })
            .into(),
    }
}

pub fn hashes() -> File {
    let hashed = |name: &str, domain: u16, input: &[u8]| {
        Case::new(name).with("domain", domain).bytes("input", input).bytes("hash", hash::hash(domain, input)).valid()
    };
    let fields = [Blob(vec![0xAB; 16]).to_value(), 7_u64.to_value(), "x".to_owned().to_value()];
    File {
        name: "hash.json",
        about: "H(domain, input) = SHA-256(\"KVHASH1\" || 00 || u16(domain) || input), and CTX(label, fields…) as canonical CBOR.",
        valid: vec![
            hashed("an empty input", hash::KEY_ID, b""),
            hashed("a bundle's number", hash::KEY_ID, b"payload"),
            hashed("the same bytes under another number", hash::LINK, b"payload"),
            Case::new("a context")
                .with("label", "kv1/test")
                .with("fields", "[h'ab' × 16, 7, \"x\"]")
                .bytes("context", context("kv1/test", &fields))
                .valid(),
        ],
        invalid: vec![],
    }
}
