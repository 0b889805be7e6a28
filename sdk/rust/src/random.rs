//! The client's randomness: the operating system's, through one generator per thread.

use keyvawlt_crypto::CryptoRng;
use rand::Rng;

/// The generator everything here draws from.
pub(crate) fn rng() -> impl CryptoRng {
    #[expect(clippy::disallowed_methods, reason = "the one place where the client draws randomness")]
    rand::rng()
}

/// Random bytes, for identifiers.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rng().fill_bytes(&mut bytes);
    bytes
}

/// Names a request, so that it can be repeated.
pub(crate) fn request_id() -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&bytes::<16>())
}

/// A whole number below `bound`.
pub fn below(bound: u64) -> u64 {
    u64::from_be_bytes(bytes()) % bound.max(1)
}
