//! Whose keys this device has seen, and whether its owner compared their words: remembered here, apart from the chain, so that keys which an
//! admin replaced are noticed by those who had compared the earlier ones. Keys that their owner replaced by the earlier ones go on from them.

use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::vault::Vault;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{KeyPeriod, Questions, role};
use keyvawlt_ledger::{IdentityId, KeyId, row};

/// Rises with the file's layout.
const STORED_FORMAT: u64 = 1;
/// The type of link in which an identity replaces its own keys.
const KEY_ROTATE: u8 = 6;

row! {
    /// Keys that were seen.
    pub struct KeyPin {
        /// Whose.
        identity_id: IdentityId,
        /// Which.
        key_id: KeyId,
        /// The words were compared; else they were only seen.
        compared: bool,
        /// When, epoch milliseconds.
        at_ms: u64,
    }
}

row! {
    /// All of one organization.
    pub struct StoredPins {
        /// [`STORED_FORMAT`].
        format: u64,
        /// In order of identities.
        pins: Vec<KeyPin>,
    }
}

/// How somebody's present keys stand to those this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None are known.
    Unknown,
    /// They are those.
    Known(KeyPin),
    /// Their owner replaced those by them.
    Continued(KeyPin),
    /// Others replaced those, or they had leaked: the words must be compared again. The present ones came like this.
    Replaced(KeyPin, KeyPeriod),
}

impl Vault {
    /// Remembers somebody's present keys.
    pub fn remember_keys(&mut self, who: &IdentityId, compared: bool) -> Result<KeyPin> {
        let member = self.replica.head().member(who).filter(|member| member.role != role::REMOVED);
        let key_id = member.ok_or_else(|| Error::not_found("member", who.to_string()))?.key_id;
        let pin = KeyPin { identity_id: *who, key_id, compared, at_ms: self.now_ms() };
        let mut pins = self.key_pins()?;
        // What was compared does not become less by a look.
        if let Some(known) = pins.iter().find(|known| known.identity_id == *who && known.key_id == key_id && known.compared && !compared) {
            return Ok(known.clone());
        }
        pins.retain(|known| known.identity_id != *who);
        pins.push(pin.clone());
        pins.sort_by_key(|pin| pin.identity_id);
        let (bytes, _) = StateDir::checked(StoredPins { format: STORED_FORMAT, pins }.to_bytes());
        self.state.write(&self.trust_file(), &bytes)?;
        Ok(pin)
    }

    /// How somebody's keys stand to those this device knows, by the keys they had one after the other.
    pub fn standing(&self, who: &IdentityId, periods: &[KeyPeriod]) -> Result<Standing> {
        let pin = self.key_pins()?.into_iter().find(|pin| pin.identity_id == *who);
        Ok(pin.map_or(Standing::Unknown, |pin| judge(pin, periods)))
    }

    /// Keys that this device remembers.
    pub fn key_pins(&self) -> Result<Vec<KeyPin>> {
        let name = self.trust_file();
        let damaged = || Error::Storage {
            path: self.state.path().join(&name),
            why: "what this device knows of others' keys is damaged: restore the file, or move it away and compare words again".to_owned(),
        };
        let Some(bytes) = self.state.read_checked(&name, None, damaged)? else { return Ok(vec![]) };
        let stored = StoredPins::from_bytes(&bytes).ok().filter(|stored| stored.format == STORED_FORMAT);
        stored.map(|stored| stored.pins).ok_or_else(damaged)
    }

    fn trust_file(&self) -> String {
        format!("{}.trust", self.org_id)
    }
}

fn judge(pin: KeyPin, periods: &[KeyPeriod]) -> Standing {
    let known = periods.iter().rposition(|period| period.key_id == pin.key_id);
    let (Some(known), Some(newest)) = (known, periods.last()) else {
        // Keys the chain never had: nothing goes on from them.
        return periods.last().map_or(Standing::Unknown, |newest| Standing::Replaced(pin.clone(), newest.clone()));
    };
    if known + 1 == periods.len() {
        return Standing::Known(pin);
    }
    let goes_on = |period: &KeyPeriod| period.ended.as_ref().is_none_or(|end| end.by_kind == KEY_ROTATE && !end.leaked);
    let own = periods.iter().skip(known).all(goes_on);
    if own { Standing::Continued(pin) } else { Standing::Replaced(pin, newest.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::chain::KeyEnd;

    fn period(key: u8, end: Option<(u8, bool)>) -> KeyPeriod {
        let by = IdentityId([9; 16]);
        KeyPeriod {
            identity_id: IdentityId([1; 16]),
            key_id: KeyId([key; 32]),
            sign_pk: [key; 32],
            generation: u64::from(key),
            brought_by: 2,
            seq: u64::from(key),
            since_ms: u64::from(key),
            by,
            verified: 2,
            life: 0,
            ended: end.map(|(by_kind, leaked)| KeyEnd { by_kind, at_ms: u64::from(key) + 1, by, leaked }),
        }
    }

    #[test]
    fn keys_that_others_replaced_are_told_from_those_their_owner_did() {
        let pin = |key| KeyPin { identity_id: IdentityId([1; 16]), key_id: KeyId([key; 32]), compared: true, at_ms: 5 };
        assert_eq!(judge(pin(1), &[period(1, None)]), Standing::Known(pin(1)));
        let rotated = [period(1, Some((6, false))), period(2, Some((6, false))), period(3, None)];
        assert_eq!(judge(pin(1), &rotated), Standing::Continued(pin(1)));
        assert_eq!(judge(pin(3), &rotated), Standing::Known(pin(3)));
        for end in [(6, true), (7, false), (5, false)] {
            let replaced = [period(1, Some(end)), period(2, Some((6, false))), period(3, None)];
            assert_eq!(judge(pin(1), &replaced), Standing::Replaced(pin(1), period(3, None)), "{end:?}");
            assert_eq!(judge(pin(2), &replaced), Standing::Continued(pin(2)));
        }
        assert_eq!(judge(pin(8), &rotated), Standing::Replaced(pin(8), period(3, None)), "keys the chain never had");
    }
}
