//! The manifests' heads, as they are in the store and as this batch moves them.
//!
//! Fences and vouched-for heads are only worth something if they name what is really there; clients see each other's heads through these.

use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId};
use keyvawlt_schema::{manifest_link, namespace};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::BTreeMap;

/// Identifiers of one statement.
const IDS_PER_STATEMENT: usize = 500;

/// Heads looked at so far.
#[derive(Debug)]
pub(super) struct Heads {
    org: OrgId,
    known: BTreeMap<NsId, (u64, Hash)>,
    /// Hashes of earlier manifest links, those of this batch included.
    earlier: BTreeMap<(NsId, u64), Hash>,
}

impl Heads {
    pub(super) fn of(org: OrgId) -> Self {
        Self { org, known: BTreeMap::new(), earlier: BTreeMap::new() }
    }

    /// A namespace's manifest moved (or began).
    pub(super) fn moved(&mut self, ns: NsId, mseq: u64, mhash: Hash) {
        self.known.insert(ns, (mseq, mhash));
        self.earlier.insert((ns, mseq), mhash);
    }

    /// The link that created a namespace in this batch.
    pub(super) fn begun(&self, ns: &NsId) -> Option<Hash> {
        self.earlier.get(&(*ns, 0)).copied()
    }

    /// A fence must name the head as it is now.
    pub(super) async fn check_fences(&mut self, tx: &Tx, fences: &[Head]) -> Result<()> {
        self.load(tx, fences.iter().map(|fence| fence.ns_id)).await?;
        for fence in fences {
            let (mseq, mhash) = self.head(&fence.ns_id)?;
            if (mseq, mhash) != (fence.mseq, fence.mhash) {
                let why = format!("the manifest of namespace {} has moved: a fence names its newest link", fence.ns_id);
                return Err(Error::Conflict { why: why.into(), current: Some(mseq) });
            }
        }
        Ok(())
    }

    /// A head somebody vouches for must have been there.
    pub(super) async fn check_seen(&mut self, tx: &Tx, seen: &[Head]) -> Result<()> {
        self.load(tx, seen.iter().map(|head| head.ns_id)).await?;
        // Position 0, before a manifest's first link, is the ledger's to check.
        for head in seen.iter().filter(|head| head.mseq > 0) {
            if self.hash_at(tx, &head.ns_id, head.mseq).await? != Some(head.mhash) {
                return Err(Fault::new(Code::Fork, format!("this server never had that head of namespace {}", head.ns_id)).into());
            }
        }
        Ok(())
    }

    fn head(&self, ns: &NsId) -> Result<(u64, Hash)> {
        let unknown = || Fault::new(Code::UnknownNamespace, "no link created this namespace").into();
        self.known.get(ns).copied().ok_or_else(unknown)
    }

    async fn hash_at(&mut self, tx: &Tx, ns: &NsId, mseq: u64) -> Result<Option<Hash>> {
        let (newest, mhash) = self.head(ns)?;
        if newest == mseq {
            return Ok(Some(mhash));
        }
        if newest < mseq {
            return Ok(None);
        }
        if let Some(hash) = self.earlier.get(&(*ns, mseq)) {
            return Ok(Some(*hash));
        }
        let key = (self.org.0.to_vec(), ns.0.to_vec(), column(mseq));
        let row = manifest_link::Entity::find_by_id(key).select_only().column(manifest_link::Column::Hash);
        let hash = row.into_tuple::<Vec<u8>>().one(tx.db()).await?.map(|hash| Hash::from_slice(&hash)).transpose()?;
        if let Some(hash) = hash {
            self.earlier.insert((*ns, mseq), hash);
        }
        Ok(hash)
    }

    async fn load(&mut self, tx: &Tx, namespaces: impl Iterator<Item = NsId>) -> Result<()> {
        let missing: Vec<NsId> = namespaces.filter(|ns| !self.known.contains_key(ns)).collect();
        for chunk in missing.chunks(IDS_PER_STATEMENT) {
            let ids = namespace::Column::NsId.is_in(chunk.iter().map(|ns| ns.0.to_vec()));
            let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = namespace::Entity::find()
                .select_only()
                .column(namespace::Column::NsId)
                .column(namespace::Column::Mseq)
                .column(namespace::Column::Mhash)
                .filter(namespace::Column::OrgId.eq(self.org.0.to_vec()).and(ids))
                .into_tuple()
                .all(tx.db())
                .await?;
            for (ns, mseq, mhash) in rows {
                self.known.insert(NsId::from_slice(&ns)?, (number(mseq), Hash::from_slice(&mhash)?));
            }
        }
        Ok(())
    }
}
