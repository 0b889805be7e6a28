//! A break-glass identity as it is printed: everything that acts as it, in one text or in shares.
//!
//! `kvb1_`, with the fields of a machine's token. Absent: any file of it; it lies on paper until the last owner is lost.

use crate::armor;
use crate::identity::Identity;
use crate::machine::MachineToken;
use crate::shamir::{self, Share};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Fault, Hash, OrgId};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const NAME: &str = "a break-glass code";
const PREFIX: &str = "kvb1_";
/// Its keys are never rotated: another one is made.
const GENERATION: u64 = 1;

/// What is printed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass(MachineToken);

impl BreakGlass {
    /// Of an identity that was just admitted by the link named.
    pub fn new(identity: &Identity, org_id: OrgId, seq: u64, link_hash: Hash, origin: impl Into<String>) -> Self {
        Self(MachineToken::new(identity, org_id, seq, link_hash, origin))
    }

    /// The identity.
    pub fn identity(&self) -> Identity {
        Identity::derive(self.0.seed.clone(), self.0.identity_id, kind::RECOVERY, GENERATION, self.0.created_ms)
    }

    /// The organization.
    pub fn org_id(&self) -> OrgId {
        self.0.org_id
    }

    /// A link that its organization's chain contains.
    pub fn anchor(&self) -> (u64, Hash) {
        (self.0.seq, self.0.link_hash)
    }

    /// The server.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The text to print.
    pub fn encode(&self) -> Result<Zeroizing<String>, Fault> {
        Ok(armor::wrap(PREFIX, &self.0.to_bytes()?))
    }

    /// The shares to print instead, each for somebody else.
    pub fn split(&self, threshold: u8, count: u8, rng: &mut impl CryptoRng) -> Result<Vec<Share>, Fault> {
        shamir::split(&self.0.to_bytes()?, threshold, count, rng)
    }

    /// Reads the text, or as many shares as are needed, apart by blanks or lines.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        let words: Vec<&str> = typed.split_whitespace().collect();
        let bytes = match words.as_slice() {
            [one] if !shamir::is_share(one) => armor::unwrap(NAME, PREFIX, one)?,
            shares => shamir::combine(shares)?,
        };
        MachineToken::from_bytes(NAME, &bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn it_comes_back_from_paper_and_from_shares() {
        let mut rng = StdRng::seed_from_u64(1);
        let identity = Identity::make(kind::RECOVERY, 5, &mut rng);
        let glass = BreakGlass::new(&identity, OrgId([1; 32]), 7, Hash([2; 32]), "https://vault.example.com:443");
        let text = glass.encode().unwrap();
        assert_eq!(BreakGlass::parse(&format!("\n{}\n", *text)).unwrap(), glass);
        assert_eq!(glass.identity().key_id(), identity.key_id());
        let shares = glass.split(2, 3, &mut rng).unwrap();
        assert_eq!(BreakGlass::parse(&format!("{}\n{}\n", *shares[2], *shares[0])).unwrap(), glass);
        assert!(BreakGlass::parse(&shares[0]).unwrap_err().why.contains("2 shares are needed"));
        assert!(BreakGlass::parse("").unwrap_err().why.contains("no shares"));
        assert!(BreakGlass::parse("kvm1_x").unwrap_err().why.contains("begins with kvb1_"));
        assert!(!format!("{glass:?}").contains(&hex::encode(identity.seed().expose())));
    }
}
