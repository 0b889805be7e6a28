//! JSON Web Tokens with one algorithm: an EdDSA-only provider for jsonwebtoken, verified by [`sign::verify_raw`](crate::sign::verify_raw).
//!
//! There is no other algorithm in the program to be confused with, and keys come from the caller, never from a token's header.

use crate::fault::{Code, Fault};
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

/// A token no longer than this: all of ours are under 1 KiB.
pub const MAX_TOKEN: usize = 4 * 1024;

/// Installs the provider; every function here does so itself.
pub fn install() {
    // A second call finds the provider in place, which is all that is wanted.
    let _ = PROVIDER.install_default();
}

/// Signs claims. `typ` says what the token is for, `kid` which key it is to be checked with.
pub fn sign<C: Serialize>(typ: &str, kid: Option<&str>, claims: &C, key: &SigningKey) -> Result<String, Fault> {
    install();
    // jsonwebtoken reads the 48-byte PKCS#8 v1 form only.
    let der =
        KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_der().map_err(|_| refused("the key does not encode"))?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    header.kid = kid.map(ToOwned::to_owned);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_bytes())).map_err(|_| refused("the token does not encode"))
}

/// The `kid` of a token, unverified: only for choosing among known keys.
pub fn kid(token: &str) -> Result<String, Fault> {
    header(token)?.kid.ok_or_else(|| refused("the token names no key"))
}

/// The claims of a token, unverified: only for finding the key to verify it with.
#[expect(clippy::disallowed_methods, reason = "the key to verify with is found by the claimed subject; nothing else is read from it")]
pub fn unverified_claims<C: DeserializeOwned + Clone>(token: &str) -> Result<C, Fault> {
    install();
    header(token)?;
    jsonwebtoken::dangerous::insecure_decode::<C>(token).map(|data| data.claims).map_err(|_| refused("the token is malformed"))
}

/// Verifies a token's signature, type and audience, and that it has expired at most `leeway_s` seconds before `now_s`.
pub fn verify<C: DeserializeOwned + Clone + Expires>(
    token: &str,
    typ: &str,
    audience: &[&str],
    public_key: &[u8; 32],
    now_s: u64,
    leeway_s: u64,
) -> Result<C, Fault> {
    install();
    if header(token)?.typ.as_deref() != Some(typ) {
        return Err(refused("a token of another type"));
    }
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(audience);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // The crate reads the system's clock; time is an argument here.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let data = jsonwebtoken::decode::<C>(token, &DecodingKey::from_ed_der(public_key), &validation)
        .map_err(|_| refused("the token does not verify"))?;
    if data.claims.expires_at_s().saturating_add(leeway_s) <= now_s {
        return Err(refused("the token has expired"));
    }
    Ok(data.claims)
}

/// Claims that expire.
pub trait Expires {
    /// `exp`, seconds since the epoch.
    fn expires_at_s(&self) -> u64;
}

fn header(token: &str) -> Result<Header, Fault> {
    install();
    if token.len() > MAX_TOKEN {
        return Err(refused("the token is too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| refused("the token is malformed"))?;
    if header.alg == Algorithm::EdDSA { Ok(header) } else { Err(refused("a token of another algorithm")) }
}

fn refused(why: &'static str) -> Fault {
    Fault::new(Code::Sig, why)
}

struct EdSigner(SigningKey);

impl Signer<Vec<u8>> for EdSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

impl JwtSigner for EdSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct EdVerifier([u8; 32]);

impl Verifier<Vec<u8>> for EdVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let signature: &[u8; 64] = signature.as_slice().try_into().map_err(|_| SignatureError::new())?;
        crate::sign::verify_raw(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for EdVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn only_ed25519(algorithm: Algorithm, family: AlgorithmFamily) -> JwtResult<()> {
    if algorithm == Algorithm::EdDSA && family == AlgorithmFamily::Ed { Ok(()) } else { Err(JwtError::from(ErrorKind::InvalidAlgorithm)) }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        only_ed25519(*algorithm, key.family())?;
        let key = SigningKey::from_pkcs8_der(key.as_bytes()).map_err(|_| JwtError::from(ErrorKind::InvalidEddsaKey))?;
        Ok(Box::new(EdSigner(key)))
    },
    verifier_factory: |algorithm, key| {
        only_ed25519(*algorithm, key.family())?;
        let key: [u8; 32] = key.try_get_as_bytes()?.try_into().map_err(|_| JwtError::from(ErrorKind::InvalidEddsaKey))?;
        Ok(Box::new(EdVerifier(key)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};
