//! The generator of the vectors: SHA-256 over a label and a counter. Not for keys.

use keyvawlt_crypto::CryptoRng;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// The same bytes for the same label, on every machine and with every version of every library.
pub struct Seeded {
    label: &'static str,
    counter: u64,
    block: Vec<u8>,
}

impl Seeded {
    /// A generator that also satisfies [`CryptoRng`].
    pub fn new(label: &'static str) -> Self {
        let seeded = Self { label, counter: 0, block: Vec::new() };
        is_generator(&seeded);
        seeded
    }

    /// As many bytes as the array has.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.block.is_empty() {
                let sum = Sha256::new().chain_update(self.label).chain_update(self.counter.to_be_bytes()).finalize();
                self.block = sum.into_iter().rev().collect();
                self.counter += 1;
            }
            *byte = self.block.pop().expect("just filled");
        }
    }
}

fn is_generator(_: &impl CryptoRng) {}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}
