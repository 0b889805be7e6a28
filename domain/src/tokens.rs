//! Access tokens: what a log-in gives, for ten minutes. Signed by the server's key ring, which lives in a file and never in the database.
//!
//! A token says who called, not what they may do: membership and slots are looked at in every call. Verified tokens are remembered, because
//! an EdDSA verification costs half of a small request.

use crate::clock::holds;
use crate::error::{Error, Result};
use crate::random::Random;
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::assertion::{ACCESS_TYP, Claims, MAX_ACCESS_S, Subject};
use keyvawlt_ledger::jwt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Verified tokens remembered in each of two generations: 8,192 callers within ten minutes, under 2 MiB.
const CACHE_GENERATION: usize = 4096;
/// Keys in one file: the one that signs, and those it replaced.
const MAX_KEYS: usize = 8;

/// Why the key ring cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("the token key file {} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("the token key file {} must hold one key of 64 hexadecimal digits per line, the signing one first", .0.display())]
    Malformed(PathBuf),
}

/// The server's token keys, and what they have verified.
pub struct Tokens {
    signing: RingKey,
    retired: Vec<RingKey>,
    random: Random,
    verified: Mutex<Verified>,
}

struct RingKey {
    kid: String,
    key: SigningKey,
    public: [u8; 32],
}

/// Who an access token speaks for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub subject: Subject,
    /// When the token ends, epoch milliseconds.
    pub expires_at_ms: u64,
}

/// A new access token.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The JWT.
    pub token: String,
    /// When it ends, epoch milliseconds.
    pub expires_at_ms: u64,
}

impl Tokens {
    /// Reads the ring, or makes one (mode 0600) when the file does not exist.
    pub fn load(path: &Path, random: Random) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::File { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!("{}\n", hex::encode(random.bytes::<32>()));
                write_secret(path, &text).map_err(failed)?;
                text
            }
            Err(error) => return Err(failed(error)),
        };
        let keys: Option<Vec<RingKey>> = text.split_whitespace().take(MAX_KEYS + 1).map(RingKey::parse).collect();
        let malformed = || KeyFileError::Malformed(path.to_owned());
        let mut keys = keys.filter(|keys| keys.len() <= MAX_KEYS).ok_or_else(malformed)?.into_iter();
        let signing = keys.next().ok_or_else(malformed)?;
        Ok(Self { signing, retired: keys.collect(), random, verified: Mutex::default() })
    }

    /// Makes a token for whoever logged in at `origin`.
    pub fn issue(&self, subject: Subject, origin: &str, now_ms: u64) -> Result<AccessToken> {
        let iat = now_ms / 1000;
        let exp = iat + MAX_ACCESS_S;
        let claims = Claims {
            iss: origin.to_owned(),
            sub: subject.to_string(),
            aud: origin.to_owned(),
            iat,
            exp,
            jti: hex::encode(self.random.bytes::<16>()),
        };
        let token = jwt::sign(ACCESS_TYP, Some(&self.signing.kid), &claims, &self.signing.key)?;
        Ok(AccessToken { token, expires_at_ms: exp * 1000 })
    }

    /// Says whom a token speaks for. `origins` are those this server answers for.
    pub fn verify(&self, token: &str, origins: &[String], now_ms: u64) -> Result<Session> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let remembered = self.lock_verified().find(&hash);
        let session = match remembered {
            Some(session) => session,
            None => self.verify_anew(token, origins, now_ms)?,
        };
        if !holds(session.expires_at_ms, MAX_ACCESS_S * 1000, now_ms) {
            return Err(Error::unauthenticated("the access token has expired"));
        }
        if remembered.is_none() {
            self.lock_verified().remember(hash, session);
        }
        Ok(session)
    }

    fn verify_anew(&self, token: &str, origins: &[String], now_ms: u64) -> Result<Session> {
        let refused = |_| Error::unauthenticated("the access token is not valid here, or has expired");
        let kid = jwt::kid(token).map_err(refused)?;
        let key = std::iter::once(&self.signing)
            .chain(&self.retired)
            .find(|key| key.kid == kid)
            .ok_or_else(|| Error::unauthenticated("the access token was signed by a key this server does not know"))?;
        let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
        let claims: Claims = jwt::verify(token, ACCESS_TYP, &origins, &key.public, now_ms / 1000, 0).map_err(refused)?;
        let subject = claims.sub.parse().map_err(refused)?;
        Ok(Session { subject, expires_at_ms: claims.exp.saturating_mul(1000) })
    }

    fn lock_verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RingKey {
    fn parse(line: &str) -> Option<Self> {
        let seed: [u8; 32] = hex::decode(line).ok()?.try_into().ok()?;
        let key = SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        let kid = hex::encode(&Sha256::digest(public)[..8]);
        Some(Self { kid, key, public })
    }
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
struct Verified {
    young: HashMap<[u8; 32], Session>,
    old: HashMap<[u8; 32], Session>,
}

impl Verified {
    fn find(&self, hash: &[u8; 32]) -> Option<Session> {
        self.young.get(hash).or_else(|| self.old.get(hash)).copied()
    }

    fn remember(&mut self, hash: [u8; 32], session: Session) {
        if self.young.len() >= CACHE_GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::{AccountId, SlotId};

    const NOW: u64 = 1_800_000_000_000;
    const SUBJECT: Subject = Subject::Slot(AccountId([1; 16]), SlotId([2; 16]));

    fn ring(folder: &tempfile::TempDir) -> Tokens {
        Tokens::load(&folder.path().join("token.key"), Random::System).unwrap()
    }

    fn here() -> Vec<String> {
        vec!["http://127.0.0.1:8420".to_owned()]
    }

    #[test]
    fn a_token_is_good_for_ten_minutes_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let access = ring(&folder).issue(SUBJECT, &here()[0], NOW).unwrap();
        let restarted = ring(&folder);
        for now in [NOW, NOW + 1, NOW + 599_999] {
            assert_eq!(restarted.verify(&access.token, &here(), now).unwrap().subject, SUBJECT);
        }
        let error = restarted.verify(&access.token, &here(), NOW + 600_000).unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }));
    }

    #[test]
    fn a_token_that_was_given_while_the_clock_was_ahead_is_not_good_for_longer() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = ring(&folder);
        let day_ms = 24 * 60 * 60 * 1000;
        let access = tokens.issue(SUBJECT, &here()[0], NOW + 365 * day_ms).unwrap();
        assert!(tokens.verify(&access.token, &here(), NOW + 365 * day_ms).is_ok());
        for now in [NOW, NOW + 364 * day_ms] {
            assert!(matches!(tokens.verify(&access.token, &here(), now), Err(Error::Unauthenticated { .. })));
        }
    }

    #[test]
    fn a_token_of_another_origin_or_another_server_is_refused() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let access = ring(&folder).issue(SUBJECT, &here()[0], NOW).unwrap();
        assert!(ring(&folder).verify(&access.token, &["https://elsewhere:1".to_owned()], NOW).is_err());
        assert!(ring(&other).verify(&access.token, &here(), NOW).is_err());
    }

    #[test]
    fn a_replaced_key_still_verifies() {
        let folder = tempfile::tempdir().unwrap();
        let access = ring(&folder).issue(SUBJECT, &here()[0], NOW).unwrap();
        let path = folder.path().join("token.key");
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}\n{old}", "ab".repeat(32))).unwrap();
        assert!(ring(&folder).verify(&access.token, &here(), NOW).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        ring(&folder);
        let mode = std::fs::metadata(folder.path().join("token.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
