//! Two codes for somebody who lost everything: new public keys for an admin, and the way back that the admin answers with. Neither is secret.
//!
//! `kvn1_` + base64url(`1 || [payload, sig]` of the new bundle); `kvo1_` + base64url(`1 || org_id || seq || link_hash || author_key_id || len ||
//! origin`); both with a checksum. What makes them good is the words that two people compare.

use crate::armor::{self, refused};
use crate::origin;
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::{Fault, Hash, KeyId, OrgId, Signed};
use zeroize::Zeroizing;

const KEYS: &str = "a code of new keys";
const KEYS_PREFIX: &str = "kvn1_";
const RETURN: &str = "a code to return by";
const RETURN_PREFIX: &str = "kvo1_";
const VERSION: u8 = 1;

/// The text of a bundle.
pub fn keys_text(bundle: &Signed) -> Zeroizing<String> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&bundle.to_bytes());
    armor::wrap(KEYS_PREFIX, &bytes)
}

/// Reads a bundle, and verifies it.
pub fn parse_keys(text: &str) -> Result<(Signed, Bundle, KeyId), Fault> {
    let bytes = armor::unwrap(KEYS, KEYS_PREFIX, text.trim())?;
    let signed = match bytes.split_first() {
        Some((&VERSION, row)) => Signed::from_bytes(row)?,
        _ => return Err(refused("a code of new keys of another version: upgrade required")),
    };
    let (bundle, key_id) = Bundle::verify(&signed)?;
    Ok((signed, bundle, key_id))
}

/// Where somebody whose keys were reset finds the organization again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnCode {
    /// The organization: nothing else is entered.
    pub org_id: OrgId,
    /// The position of the link that reset the keys.
    pub seq: u64,
    /// That link's hash.
    pub link_hash: Hash,
    /// The keys of who made it.
    pub author_key_id: KeyId,
    /// The server.
    pub origin: String,
}

impl ReturnCode {
    /// Whether a text is meant as one.
    pub fn is_meant(text: &str) -> bool {
        text.trim().starts_with(RETURN_PREFIX)
    }

    /// The text to hand over.
    pub fn encode(&self) -> Result<Zeroizing<String>, Fault> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.org_id.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.link_hash.as_bytes());
        bytes.extend_from_slice(self.author_key_id.as_bytes());
        origin::write(&self.origin, &mut bytes)?;
        Ok(armor::wrap(RETURN_PREFIX, &bytes))
    }

    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let bytes = armor::unwrap(RETURN, RETURN_PREFIX, text.trim())?;
        let mut fields = armor::Fields::new(RETURN, &bytes);
        if fields.take() != Ok([VERSION]) {
            return Err(refused("a code to return by of another version: upgrade required"));
        }
        Ok(Self {
            org_id: OrgId(fields.take()?),
            seq: u64::from_be_bytes(fields.take()?),
            link_hash: Hash(fields.take()?),
            author_key_id: KeyId(fields.take()?),
            origin: origin::read(fields.rest())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use keyvawlt_ledger::bundle::kind;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn both_codes_come_back_and_slips_are_noticed() {
        let identity = Identity::make(kind::PERSON, 1, &mut StdRng::seed_from_u64(1));
        let text = keys_text(identity.signed_bundle());
        let (signed, bundle, key_id) = parse_keys(&text).unwrap();
        assert_eq!((&signed, bundle.identity_id, key_id), (identity.signed_bundle(), identity.id(), identity.key_id()));
        assert!(parse_keys(&text[..text.len() - 3]).unwrap_err().why.contains("cut off"));
        assert!(parse_keys("kvi1_x").unwrap_err().why.contains("begins with kvn1_"));
        let origin = "https://vault.example.com:443".to_owned();
        let code = ReturnCode { org_id: OrgId([1; 32]), seq: 9, link_hash: Hash([2; 32]), author_key_id: KeyId([3; 32]), origin };
        let text = code.encode().unwrap();
        assert!(ReturnCode::is_meant(&text));
        assert_eq!(ReturnCode::parse(&text).unwrap(), code);
        assert!(ReturnCode::parse(&text.replacen('_', "-", 1)).is_err());
    }
}
