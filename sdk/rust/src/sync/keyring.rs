//! Namespace keys: from the wrap of the current epoch, through the parent's seal, and backwards by the seals of earlier keys.
//!
//! Every opened key is checked against the commitment on the chain, so a key that the server or a granter invented is refused.

use crate::vault::Vault;
use keyvawlt_crypto::{Key, nk, wraps};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Entry, EpochEntry, Key as StateKey, Ns, Questions, Replica, View};
use keyvawlt_ledger::wrap::{Wrap, verify_in_root};
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, NsId};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Keys opened so far, by namespace and epoch.
#[derive(Default)]
pub(crate) struct Keyring {
    opened: Mutex<BTreeMap<(NsId, u64), Key>>,
}

impl Keyring {
    fn held(&self, ns: &NsId, epoch: u64) -> Option<Key> {
        self.opened.lock().ok()?.get(&(*ns, epoch)).cloned()
    }

    pub(crate) fn keep(&self, ns: &NsId, epoch: u64, key: &Key) {
        if let Ok(mut opened) = self.opened.lock() {
            opened.insert((*ns, epoch), key.clone());
        }
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(…)")
    }
}

/// Checks that a delivered wrap is the one the chain signed for this reader, at the current epoch.
pub(crate) fn check_wrap(replica: &Replica, wrap: &Wrap, reader: &IdentityId, index: u64, count: u64, path: &[Hash]) -> Result<(), Fault> {
    let wrong = |why: &'static str| Err(Fault::new(Code::Wrap, why));
    let state = replica.head();
    let ns = state.known_ns(&wrap.ns_id)?;
    if wrap.org_id != replica.tip().org_id || wrap.recipient_id != *reader || wrap.epoch != ns.epoch {
        return wrong("the wrap is for another reader, organization or epoch");
    }
    let Some(access) = state.access(&wrap.ns_id, reader) else { return wrong("a wrap without access") };
    if let Some(granted) = access.wrap {
        if granted.wrap_hash != wrap.hash() || (granted.author, granted.author_key_id) != (wrap.granter_id, wrap.granter_key_id) {
            return wrong("the wrap is not the one its link signs");
        }
        return Ok(());
    }
    if (ns.wraps.author, ns.wraps.author_key_id) != (wrap.granter_id, wrap.granter_key_id) || count != ns.wraps.count {
        return wrong("the wrap is not by the epoch's author");
    }
    verify_in_root(wrap.hash(), index, count, path, &ns.wraps.root)
}

impl Vault {
    /// A namespace's current key.
    pub(crate) fn current_key(&self, ns_id: &NsId) -> Result<Key, Fault> {
        let ns = self.replica.head().known_ns(ns_id)?;
        if let Some(key) = self.keyring.held(ns_id, ns.epoch) {
            return Ok(key);
        }
        let key = match self.wraps.get(ns_id).filter(|wrap| wrap.epoch == ns.epoch) {
            Some(wrap) => self.unwrap_key(wrap, &ns)?,
            None => self.key_from_parent(ns_id, &ns)?,
        };
        self.keyring.keep(ns_id, ns.epoch, &key);
        Ok(key)
    }

    /// A namespace's key of any epoch up to the current one.
    pub(crate) fn key_of(&self, ns_id: &NsId, epoch: u64) -> Result<Key, Fault> {
        if let Some(key) = self.keyring.held(ns_id, epoch) {
            return Ok(key);
        }
        let mut at = self.replica.head().known_ns(ns_id)?.epoch;
        let mut key = self.current_key(ns_id)?;
        while at > epoch {
            let previous =
                self.epoch_entry(ns_id, at)?.previous.ok_or_else(|| Fault::new(Code::NkCommit, "an earlier key was not passed on"))?;
            if previous.epoch >= at {
                return Err(Fault::new(Code::NkCommit, "a key is sealed under an earlier one"));
            }
            let expected = self.epoch_entry(ns_id, previous.epoch)?.nk_commit;
            key = nk::open_previous(&key, &self.org_id, ns_id, at, previous.epoch, &previous.sealed.0, &expected)?;
            at = previous.epoch;
            self.keyring.keep(ns_id, at, &key);
        }
        if at == epoch { Ok(key) } else { Err(Fault::new(Code::NkCommit, "there is no key of that epoch")) }
    }

    fn unwrap_key(&self, wrap: &Wrap, ns: &Ns) -> Result<Key, Fault> {
        if wrap.nk_commit != ns.nk_commit {
            return Err(Fault::new(Code::NkCommit, "the wrap commits to another key than the chain"));
        }
        let key = wraps::unwrap_nk(wrap, &self.identity.id(), &self.identity.key_id(), self.identity.kem_seed())?;
        nk::check_commit(&self.org_id, &wrap.ns_id, wrap.epoch, &key, &ns.nk_commit).map(|()| key)
    }

    fn key_from_parent(&self, ns_id: &NsId, ns: &Ns) -> Result<Key, Fault> {
        let (Some(parent), Some(seal)) = (&ns.parent, &ns.parent_seal) else {
            return Err(Fault::new(Code::Wrap, "the server does not deliver the key this identity was given"));
        };
        let key = self.key_of(parent, seal.epoch)?;
        nk::open_parent(&key, &self.org_id, ns_id, ns.epoch, parent, seal.epoch, &seal.sealed.0, &ns.nk_commit)
    }

    fn epoch_entry(&self, ns_id: &NsId, epoch: u64) -> Result<EpochEntry, Fault> {
        match self.replica.head().get(&StateKey::epoch(ns_id, epoch)) {
            Some(Entry::Epoch(entry)) => Ok(entry),
            _ => Err(Fault::new(Code::NkCommit, "the chain knows no such epoch")),
        }
    }
}

/// Reads a wrap record.
pub(crate) fn read_wrap(record: &[u8]) -> Result<Wrap, Fault> {
    Wrap::from_bytes(record).map_err(|fault| Fault::new(Code::Wrap, fault.why))
}
