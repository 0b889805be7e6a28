//! The chain's state as far as a question needs it: entries are loaded from their rows when the ledger first asks for them.
//!
//! The ledger's rules are pure and cannot wait for a database. So a question is asked over what is loaded; if it looked at something that is
//! not, that is loaded and the question asked again. An answer counts only when nothing was missing.

use crate::error::{Error, Result};
use crate::store::Tx;
use keyvawlt_ledger::chain::{Entry, Key, View, state_hash};
use keyvawlt_ledger::{Hash, OrgId};
use keyvawlt_schema::entry::{Column, Entity};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Each round loads what the last one missed; the deepest chain of look-ups (namespace, parents, holders, members, their access) takes ten.
const MAX_ROUNDS: usize = 64;
/// Keys of one statement: fewer would be more round trips, more would fill the statement cache with distinct texts.
const KEYS_PER_STATEMENT: usize = 500;
/// Length of the identifiers inside keys.
const ID: usize = 16;

/// Entries of one organization, loaded as needed, with the changes of this transaction on top.
#[derive(Debug)]
pub(crate) struct Rows {
    org: OrgId,
    known: BTreeMap<Key, Option<Entry>>,
    ranges: BTreeSet<Vec<u8>>,
    complete: bool,
    changed: BTreeSet<Key>,
    missed: Mutex<Missed>,
}

#[derive(Debug, Default)]
struct Missed {
    keys: BTreeSet<Key>,
    ranges: BTreeSet<Vec<u8>>,
    everything: bool,
}

impl Rows {
    /// Nothing loaded yet.
    pub(crate) fn of(org: OrgId) -> Self {
        Self { org, known: BTreeMap::new(), ranges: BTreeSet::new(), complete: false, changed: BTreeSet::new(), missed: Mutex::default() }
    }

    /// An organization that has no entries yet.
    pub(crate) fn of_new(org: OrgId) -> Self {
        Self { complete: true, ..Self::of(org) }
    }

    /// Asks until nothing is missing.
    pub(crate) async fn settle<T>(&mut self, tx: &Tx, mut ask: impl FnMut(&Self) -> T) -> Result<T> {
        for _ in 0..MAX_ROUNDS {
            {
                let answer = ask(self);
                if self.missed().is_empty() {
                    return Ok(answer);
                }
            }
            self.load(tx).await?;
        }
        Err(Error::internal("a question about the chain's state does not end"))
    }

    /// Says what will be asked for, to save a round.
    pub(crate) fn expect(&mut self, keys: impl IntoIterator<Item = Key>, ranges: impl IntoIterator<Item = Vec<u8>>) {
        let keys: Vec<Key> = keys.into_iter().filter(|key| !self.knows(key)).collect();
        let ranges: Vec<Vec<u8>> = ranges.into_iter().filter(|range| !self.complete && !self.ranges.contains(range)).collect();
        let mut missed = self.missed();
        missed.keys.extend(keys);
        missed.ranges.extend(ranges);
    }

    /// Loads what was missed or expected.
    pub(crate) async fn load(&mut self, tx: &Tx) -> Result<()> {
        let missed = std::mem::take(&mut *self.missed());
        if missed.everything {
            self.load_all(tx).await?;
            return Ok(());
        }
        for range in missed.ranges {
            self.load_range(tx, &range).await?;
            self.ranges.insert(range);
        }
        let keys: Vec<Key> = missed.keys.into_iter().filter(|key| !self.knows(key)).collect();
        for chunk in keys.chunks(KEYS_PER_STATEMENT) {
            self.load_keys(tx, chunk).await?;
        }
        Ok(())
    }

    /// Puts a link's changes on top.
    pub(crate) fn put(&mut self, changes: &BTreeMap<Key, Option<Entry>>) {
        for (key, change) in changes {
            self.known.insert(key.clone(), change.clone());
            self.changed.insert(key.clone());
        }
    }

    /// All changes put on top, as they stand.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&Key, Option<&Entry>)> {
        self.changed.iter().map(|key| (key, self.known.get(key).and_then(Option::as_ref)))
    }

    fn missed(&self) -> MutexGuard<'_, Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, key: &Key) -> bool {
        self.complete || self.known.contains_key(key) || range_of(key).is_some_and(|range| self.ranges.contains(range))
    }

    async fn load_keys(&mut self, tx: &Tx, keys: &[Key]) -> Result<()> {
        let wanted = Column::Key.is_in(keys.iter().map(|key| key.as_bytes().to_vec()));
        self.take_in(select(tx, Column::OrgId.eq(self.org.0.to_vec()).and(wanted)).await?)?;
        for key in keys {
            self.known.entry(key.clone()).or_insert(None);
        }
        Ok(())
    }

    async fn load_range(&mut self, tx: &Tx, range: &[u8]) -> Result<()> {
        let mut end = range.to_vec();
        // Longer and larger than every identifier that can follow.
        end.extend([0xff; ID + 1]);
        let wanted = Column::Key.gte(range.to_vec()).and(Column::Key.lt(end));
        self.take_in(select(tx, Column::OrgId.eq(self.org.0.to_vec()).and(wanted)).await?)
    }

    async fn load_all(&mut self, tx: &Tx) -> Result<()> {
        self.take_in(select(tx, Column::OrgId.eq(self.org.0.to_vec())).await?)?;
        self.complete = true;
        Ok(())
    }

    /// What this transaction changed stays as it is.
    fn take_in(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<()> {
        for (key, value) in rows {
            let key = Key::from_bytes(key);
            if !self.changed.contains(&key) {
                let entry = Entry::from_bytes(&key, &value)?;
                self.known.insert(key, Some(entry));
            }
        }
        Ok(())
    }
}

impl Missed {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty() && !self.everything
    }
}

impl View for Rows {
    fn get(&self, key: &Key) -> Option<Entry> {
        if let Some(entry) = self.known.get(key) {
            return entry.clone();
        }
        if !self.knows(key) {
            self.missed().keys.insert(key.clone());
        }
        None
    }

    fn scan(&self, prefix: &[u8]) -> Vec<Key> {
        if !self.complete && !self.ranges.contains(prefix) {
            self.missed().ranges.insert(prefix.to_vec());
            return Vec::new();
        }
        let from = self.known.range(Key::from_bytes(prefix.to_vec())..);
        from.take_while(|(key, _)| key.as_bytes().starts_with(prefix))
            .filter(|(_, entry)| entry.is_some())
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn state_hash(&self) -> Hash {
        if !self.complete {
            self.missed().everything = true;
            return Hash::ZERO;
        }
        state_hash(self.known.iter().filter_map(|(key, entry)| entry.as_ref().map(|entry| (key, entry))))
    }
}

/// The range that covers a key of the form `noun/id/rest`.
fn range_of(key: &Key) -> Option<&[u8]> {
    let bytes = key.as_bytes();
    let noun = bytes.iter().position(|byte| *byte == b'/')?;
    let range = bytes.get(..noun + 1 + ID + 1)?;
    (range.len() < bytes.len()).then_some(range)
}

async fn select(tx: &Tx, wanted: sea_orm::sea_query::SimpleExpr) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let rows = Entity::find().select_only().column(Column::Key).column(Column::Value).filter(wanted);
    Ok(rows.into_tuple().all(tx.db()).await?)
}
