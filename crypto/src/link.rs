//! A new device of the same person: what it shows, and what an enrolled device seals to it.
//!
//! The new device draws X-Wing keys for this once and shows 128 bits of their hash, as twelve words or a code to scan. Who relays the public
//! half cannot exchange it, and recorded traffic opens to no later quantum computer. Absent: who sealed; people compare the identity's words.

use crate::armor::{self, refused};
use crate::device::DeviceKey;
use crate::identity::{kem_private, kem_public};
use crate::key::Key;
use crate::plain::{self, Fields};
use crate::slot::{SecretKey, SlotKey};
use crate::words::{WORD_BITS, position, word};
use crate::{origin, pad};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use keyvawlt_ledger::account::{LinkId, link_id};
use keyvawlt_ledger::bundle::KEM_PK_LEN;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::Value;
use keyvawlt_ledger::wrap::ENC_LEN;
use keyvawlt_ledger::{Code, FORMAT, Fault, KeyId, context};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const NAME: &str = "a device code";
const PREFIX: &str = "kvd1_";
const VERSION: u8 = 1;
/// 128 bits and a checksum of four, as BIP-39 has them.
const WORDS: usize = 12;

/// The keys of a device that asks to be linked.
pub struct LinkKeys {
    kem: Key,
    kem_pk: [u8; KEM_PK_LEN],
}

impl LinkKeys {
    /// New ones, for one link.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self::of(Key::random(rng))
    }

    /// Those of a private key.
    pub fn of(kem: Key) -> Self {
        let kem_pk = kem_public(&kem);
        Self { kem, kem_pk }
    }

    /// The public half.
    pub fn kem_pk(&self) -> &[u8; KEM_PK_LEN] {
        &self.kem_pk
    }

    /// What the other device must be shown, past the server.
    pub fn id(&self) -> LinkId {
        link_id(&self.kem_pk)
    }

    /// Opens what was sealed to these keys, at this server.
    pub fn open(&self, origin: &str, sealed: &[u8]) -> Result<LinkedDevice, Fault> {
        let broken = || Fault::new(Code::Aead, "what the other device sent does not open");
        let (enc, ct) = sealed.split_at_checked(ENC_LEN).ok_or_else(broken)?;
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| broken())?;
        let info = info(&self.id(), origin);
        let private = kem_private(&self.kem);
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(&OpModeR::Base, &private, &enc, &info, ct, b"");
        let padded = Zeroizing::new(opened.map_err(|_| broken())?);
        LinkedDevice::from_plain(pad::unpad(&padded).map_err(|_| broken())?, origin)
    }
}

impl fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkKeys({})", hex::encode(self.id().0))
    }
}

/// What the new device is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedDevice {
    /// Its key.
    pub device: DeviceKey,
    /// The keys of the person's identity.
    pub key_id: KeyId,
    /// The account data that the other device has seen.
    pub generation: u64,
}

impl LinkedDevice {
    /// Seals it to a device's keys, which must be those of the code that the device shows.
    pub fn seal(&self, id: &LinkId, kem_pk: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, Fault> {
        let exchanged = || Fault::new(Code::KeySubst, "the server relays other keys than those of the device that shows this code");
        let kem_pk: &[u8; KEM_PK_LEN] = kem_pk.try_into().map_err(|_| exchanged())?;
        if link_id(kem_pk) != *id {
            return Err(exchanged());
        }
        let public =
            <XWing as Kem>::PublicKey::from_bytes(kem_pk).map_err(|_| Fault::new(Code::WeakKey, "the device's key is malformed"))?;
        let padded = pad::pad(&self.to_plain());
        let info = info(id, &self.device.origin);
        let sealed =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(&OpModeS::Base, &public, &info, &padded, b"", rng);
        let (enc, ct) = sealed.map_err(|_| Fault::new(Code::WeakKey, "nothing can be sealed to the device's key"))?;
        let mut out = vec![0; ENC_LEN];
        enc.write_exact(&mut out);
        out.extend_from_slice(&ct);
        Ok(out)
    }

    fn to_plain(&self) -> Zeroizing<Vec<u8>> {
        plain::encode(Value::Map(vec![
            (1, FORMAT.to_value()),
            (2, self.device.account_id.to_value()),
            (3, self.device.key.expose().to_value()),
            (4, self.device.secret_key.expose().to_value()),
            (5, self.key_id.to_value()),
            (6, self.generation.to_value()),
        ]))
    }

    fn from_plain(bytes: &[u8], origin: &str) -> Result<Self, Fault> {
        let mut fields = Fields::read(bytes, upgrade)?;
        if fields.take(1)? != FORMAT.to_value() {
            return Err(upgrade());
        }
        let account_id = Canon::from_value(fields.take(2)?)?;
        let key = Key::from_bytes(*Zeroizing::new(Canon::from_value(fields.take(3)?)?));
        let secret_key = SecretKey::from_bytes(*Zeroizing::new(Canon::from_value(fields.take(4)?)?));
        let (key_id, generation) = (Canon::from_value(fields.take(5)?)?, Canon::from_value(fields.take(6)?)?);
        fields.end()?;
        let slot_id = SlotKey::device(key.clone()).slot_id();
        let device = DeviceKey { origin: origin.to_owned(), account_id, slot_id, key, secret_key };
        Ok(Self { device, key_id, generation })
    }
}

/// What the new device shows: which keys are its own, and to be scanned, at which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCode {
    /// The hash of its keys.
    pub id: LinkId,
    /// The server, where the code was scanned.
    pub origin: Option<String>,
}

impl LinkCode {
    /// Twelve words, the last of which holds a checksum.
    pub fn words(&self) -> [&'static str; WORDS] {
        let bytes = with_checksum(&self.id);
        std::array::from_fn(|place| word(bits(&bytes, place * WORD_BITS)))
    }

    /// The text of the code to scan.
    pub fn encode(&self, origin: &str) -> Result<Zeroizing<String>, Fault> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.id.0);
        origin::write(origin, &mut bytes)?;
        Ok(armor::wrap(PREFIX, &bytes))
    }

    /// Reads words, or the text that was scanned.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        if !typed.trim().starts_with(PREFIX) {
            return Self::of_words(typed);
        }
        let bytes = armor::unwrap(NAME, PREFIX, typed.trim())?;
        let mut fields = armor::Fields::new(NAME, &bytes);
        if fields.take() != Ok([VERSION]) {
            return Err(refused("a device code of another version: upgrade required"));
        }
        Ok(Self { id: LinkId(fields.take()?), origin: Some(origin::read(fields.rest())?) })
    }

    fn of_words(typed: &str) -> Result<Self, Fault> {
        let typed: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
        if typed.len() != WORDS {
            return Err(refused(format!("{NAME} has {WORDS} words, and these are {}", typed.len())));
        }
        let mut bytes = [0_u8; 17];
        for (nth, typed) in typed.iter().enumerate() {
            let index = position(typed).ok_or_else(|| refused(format!("word {} is not on the list", nth + 1)))?;
            for bit in 0..WORD_BITS {
                let at = nth * WORD_BITS + bit;
                let is_set = index >> (WORD_BITS - 1 - bit) & 1 == 1;
                if let (true, Some(byte)) = (is_set, bytes.get_mut(at / 8)) {
                    *byte |= 0x80 >> (at % 8);
                }
            }
        }
        let mut id = [0; LinkId::LEN];
        id.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        if with_checksum(&LinkId(id)) != bytes {
            return Err(refused(format!("{NAME} has a wrong word: its checksum does not match")));
        }
        Ok(Self { id: LinkId(id), origin: None })
    }
}

/// The hash and four bits of its own hash, then zeros.
fn with_checksum(id: &LinkId) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes.iter_mut().zip(&id.0).for_each(|(to, from)| *to = *from);
    if let (Some(last), Some(sum)) = (bytes.last_mut(), Sha256::digest(id.0).first()) {
        *last = sum & 0xf0;
    }
    bytes
}

fn bits(bytes: &[u8], first: usize) -> usize {
    (first..first + WORD_BITS)
        .fold(0, |index, bit| index << 1 | usize::from(bytes.get(bit / 8).copied().unwrap_or_default() >> (7 - bit % 8) & 1))
}

fn info(id: &LinkId, origin: &str) -> Vec<u8> {
    context("kv1/link", &[id.to_value(), origin.to_owned().to_value()])
}

fn upgrade() -> Fault {
    Fault::new(Code::Upgrade, "what the other device sent has unknown or missing fields: upgrade required")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    const ORIGIN: &str = "https://vault.example.com:443";

    fn linked(rng: &mut StdRng) -> LinkedDevice {
        let key = Key::random(rng);
        let slot_id = SlotKey::device(key.clone()).slot_id();
        let account_id = keyvawlt_ledger::AccountId([7; 16]);
        let secret_key = SecretKey::random(rng);
        let device = DeviceKey { origin: ORIGIN.to_owned(), account_id, slot_id, key, secret_key };
        LinkedDevice { device, key_id: KeyId([9; 32]), generation: 5 }
    }

    #[test]
    fn what_is_sealed_to_a_device_opens_there_and_nowhere_else() {
        let mut rng = StdRng::seed_from_u64(1);
        let (new, other) = (LinkKeys::random(&mut rng), LinkKeys::random(&mut rng));
        let linked = linked(&mut rng);
        let sealed = linked.seal(&new.id(), new.kem_pk(), &mut rng).unwrap();
        assert_eq!(new.open(ORIGIN, &sealed).unwrap(), linked);
        assert_eq!(other.open(ORIGIN, &sealed).unwrap_err().code, Code::Aead);
        assert_eq!(new.open("https://other.example.com:443", &sealed).unwrap_err().code, Code::Aead);
        for at in [0, ENC_LEN, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(new.open(ORIGIN, &changed).unwrap_err().code, Code::Aead);
        }
        assert_eq!(new.open(ORIGIN, &sealed[..ENC_LEN - 1]).unwrap_err().code, Code::Aead);
        assert_eq!(linked.seal(&new.id(), other.kem_pk(), &mut rng).unwrap_err().code, Code::KeySubst, "exchanged on the way");
        assert_eq!(linked.seal(&new.id(), &[0; 3], &mut rng).unwrap_err().code, Code::KeySubst);
    }

    #[test]
    fn words_are_those_of_bip39_and_slips_are_noticed() {
        // The first and the last of the published vectors of 128 bits.
        let zeros = LinkCode { id: LinkId([0; 16]), origin: None };
        assert_eq!(zeros.words()[..11], ["abandon"; 11]);
        assert_eq!(zeros.words()[11], "about");
        let ones = LinkCode { id: LinkId([0xff; 16]), origin: None };
        assert_eq!((ones.words()[0], ones.words()[11]), ("zoo", "wrong"));
        let id = LinkKeys::random(&mut StdRng::seed_from_u64(2)).id();
        let code = LinkCode { id, origin: None };
        let text = code.words().join(" ");
        assert_eq!(LinkCode::parse(&format!("  {} \n", text.to_uppercase())).unwrap(), code);
        let refused = |text: &str| LinkCode::parse(text).unwrap_err().why.to_string();
        assert!(refused("zoo zoo").contains("12 words"));
        assert!(refused(&text.replacen(code.words()[3], "keyvawlt", 1)).contains("word 4"));
        let slip = if code.words()[0] == "zoo" { "abandon" } else { "zoo" };
        let mut words = code.words();
        words[11] = slip;
        assert!(LinkCode::parse(&words.join(" ")).is_err());
        let scanned = code.encode(ORIGIN).unwrap();
        assert_eq!(LinkCode::parse(&scanned).unwrap(), LinkCode { id, origin: Some(ORIGIN.to_owned()) });
        assert!(refused(&scanned[..scanned.len() - 1]).contains("cut off"));
    }
}
