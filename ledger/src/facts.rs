//! Facts: what an owner chooses to tell the server in clear so that it can remind. Authenticated by the leaf's facts hash.

use crate::fault::{Code, Fault};
use crate::ids::Hash;
use crate::{canon::Canon, cbor::Value, hash, limits, record};

record! {
    /// All facts of one secret. A salt keeps their hash from being guessed by readers of the manifest.
    pub struct Facts {
        /// Random.
        1 => salt: [u8; 16],
        /// When the key stops working, epoch milliseconds.
        2 => expires_ms: Option<u64>,
        /// How often it should be replaced, milliseconds.
        3 => rotate_every_ms: Option<u64>,
        /// How long the previous version stays valid, milliseconds.
        4 => grace_ms: Option<u64>,
        /// What mails may call it.
        5 => label: Option<String>,
        /// Whose API it opens.
        6 => provider: Option<String>,
        /// Who is responsible: an identity id in hexadecimal, or a name.
        7 => owner: Option<String>,
        /// A monitor's identifier.
        8 => monitor: Option<String>,
    }
}

/// How long the previous version of a secret stays good where its owner says nothing else: a week in which every consumer restarts.
const DEFAULT_GRACE_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// How long the previous version of a secret with these facts stays good.
pub fn grace_ms(facts: Option<&Facts>) -> u64 {
    facts.and_then(|facts| facts.grace_ms).unwrap_or(DEFAULT_GRACE_MS)
}

/// The object of a secret without facts: an empty map.
pub fn none() -> Vec<u8> {
    crate::cbor::encode(&Value::Map(vec![]))
}

/// `H(0x0132, object)`.
pub fn object_hash(object: &[u8]) -> Hash {
    hash::hash(hash::FACTS, object)
}

/// Reads a facts object; `None` when it holds none.
pub fn read(object: &[u8]) -> Result<Option<Facts>, Fault> {
    if object.len() > limits::MAX_FACTS {
        return Err(Fault::new(Code::Limit, "facts must not exceed 4 KiB"));
    }
    if object == none() {
        return Ok(None);
    }
    Facts::from_bytes(object).map(Some)
}
