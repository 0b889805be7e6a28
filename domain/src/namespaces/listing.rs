//! A namespace for whoever holds nothing of it: the newest manifest link, all leaves in order with names and facts, and proofs that older heads lie
//! behind it. Values come with it only when they are asked for.
//!
//! The work is that of the leaves and of the proofs; the links in between are not touched. A listing is of one moment: when the manifest has moved
//! between two pages, it begins anew.

use super::changes::Place;
use crate::audit::Event;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::organizations::past;
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::manifest::DELETED;
use keyvawlt_ledger::merkle::{Frontier, Tree};
use keyvawlt_ledger::{Hash, NsId, OrgId, SecretId};
use keyvawlt_schema::{manifest_link, namespace, secret, version};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait as _, EntityTrait, QueryResult, QuerySelect};

/// Leaves of one statement: with names, about a page of them.
const LEAVES_PER_STATEMENT: u64 = 4_000;

/// Asks for a namespace.
#[derive(Clone, Debug)]
pub struct ReadListing {
    /// In which organization.
    pub org: OrgId,
    /// Which.
    pub ns: NsId,
    /// Positions of older heads to prove.
    pub heads: Vec<u64>,
    /// With the sealed values.
    pub values: bool,
    /// The manifest's position and the next leaf, from the page before.
    pub after: Option<(u64, u64)>,
    /// About how many bytes to deliver.
    pub page_bytes: usize,
}

impl Action for ReadListing {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadListing]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![self.ns]
    }
}

/// A page of leaves; the first comes with the newest link and the proofs.
#[derive(Debug)]
pub struct ListingPage {
    /// The newest link; absent on later pages, and where nothing was written yet.
    pub newest: Option<NewestSigned>,
    /// In order of creation.
    pub leaves: Vec<Listed>,
    /// Where the next page begins, if there is one: the manifest's position and the next leaf.
    pub next: Option<(u64, u64)>,
    /// What must be on record before this is delivered.
    pub event: Event,
}

/// The newest link with what it continues.
#[derive(Debug)]
pub struct NewestSigned {
    /// Payload and signature.
    pub link: (Vec<u8>, Vec<u8>),
    /// The history before it.
    pub before: Frontier,
    /// Positions and audit paths of older heads.
    pub proofs: Vec<(u64, Vec<Hash>)>,
}

/// One leaf. The hashes of what is delivered with it are left out.
#[derive(Debug)]
pub struct Listed {
    /// Which secret.
    pub secret: SecretId,
    /// Its newest version.
    pub version: u64,
    /// The epoch it is sealed under.
    pub epoch: u64,
    /// Deleted, draft.
    pub flags: u64,
    /// The link that wrote the leaf.
    pub mseq: u64,
    /// The sealed name.
    pub name: Vec<u8>,
    /// The facts.
    pub facts: Vec<u8>,
    /// The sealed value and its key, or their hashes.
    pub value: ListedValue,
}

/// What a leaf names besides name and facts.
#[derive(Debug)]
pub enum ListedValue {
    /// It is deleted.
    None,
    /// Payload and DEK.
    Sealed(Vec<u8>, Vec<u8>),
    /// Their hashes.
    Hashes(Vec<u8>, Vec<u8>),
}

/// Reads a page of a namespace.
pub async fn read_listing(permit: &Permit<'_, ReadListing>) -> Result<ListingPage> {
    let (tx, asked) = (permit.tx(), permit.action());
    let row = namespace::Entity::find_by_id((asked.org.0.to_vec(), asked.ns.0.to_vec())).select_only().column(namespace::Column::Mseq);
    let mseq = number(row.into_tuple::<i64>().one(tx.db()).await?.ok_or(Error::Forbidden)?);
    let first = match asked.after {
        Some((then, _)) if then != mseq => {
            return Err(Error::Conflict { why: "the manifest has moved since the page before".into(), current: Some(mseq) });
        }
        Some((_, first)) => first,
        None => 0,
    };
    // Values go out as if every link was read; names alone are no secret that somebody has to rotate.
    let (action, detail) = if asked.values {
        ("namespace.read", format!("manifest links 1 to {mseq}"))
    } else {
        ("namespace.listed", format!("at manifest link {mseq}, from leaf {first} on"))
    };
    let event = Event { org: asked.org, at_ms: tx.now_ms(), actor: permit.caller().actor(), action, subject: asked.ns.to_string(), detail };
    let newest = if asked.after.is_none() && mseq > 0 { Some(newest(tx, asked, mseq).await?) } else { None };
    let mut page = ListingPage { newest, leaves: vec![], next: None, event };
    leaves(tx, asked, mseq, first, &mut page).await?;
    Ok(page)
}

async fn newest(tx: &Tx, asked: &ReadListing, mseq: u64) -> Result<NewestSigned> {
    let link: Option<(Vec<u8>, Vec<u8>)> = manifest_link::Entity::find_by_id((asked.org.0.to_vec(), asked.ns.0.to_vec(), column(mseq)))
        .select_only()
        .columns([manifest_link::Column::Payload, manifest_link::Column::Sig])
        .into_tuple()
        .one(tx.db())
        .await?;
    // The newest head proves itself, and there is nothing beyond it.
    let older: Vec<u64> = asked.heads.iter().copied().filter(|head| *head < mseq).collect();
    let tree = Tree::with_nodes(mseq, past::nodes(tx, &asked.org, Some(&asked.ns), Tree::needed(mseq, &older)).await?);
    let hole = || Error::internal("the tree over a manifest has a hole");
    let proofs = older.into_iter().map(|head| Ok((head, tree.prove(head).ok_or_else(hole)?))).collect::<Result<_>>()?;
    Ok(NewestSigned {
        link: link.ok_or_else(|| Error::internal("a manifest has a hole"))?,
        before: tree.frontier().ok_or_else(hole)?,
        proofs,
    })
}

async fn leaves(tx: &Tx, asked: &ReadListing, mseq: u64, mut next: u64, page: &mut ListingPage) -> Result<()> {
    let place = Place { org: asked.org, ns: asked.ns };
    let mut bytes = 0;
    loop {
        let rows = tx.db().query_all(&select(&place, asked.values, next)).await?;
        let last = (rows.len() as u64) < LEAVES_PER_STATEMENT;
        for row in rows {
            let leaf = listed(&row, asked.values)?;
            bytes += leaf.size();
            if bytes > asked.page_bytes && !page.leaves.is_empty() {
                page.next = Some((mseq, next));
                return Ok(());
            }
            page.leaves.push(leaf);
            next += 1;
        }
        if last {
            return Ok(());
        }
    }
}

fn select(place: &Place, values: bool, from: u64) -> SelectStatement {
    use secret::Column as Leaf;
    use version::Column as Version;
    let leaf = |column| (secret::Entity, column);
    let mut select = Query::select();
    select
        .columns([Leaf::SecretId, Leaf::Version, Leaf::Epoch, Leaf::Flags, Leaf::Mseq, Leaf::Name, Leaf::Facts].map(leaf))
        .from(secret::Entity)
        .and_where(Expr::col(leaf(Leaf::OrgId)).eq(place.org.0.to_vec()))
        .and_where(Expr::col(leaf(Leaf::NsId)).eq(place.ns.0.to_vec()))
        .and_where(Expr::col(leaf(Leaf::Idx)).gte(column(from)))
        .order_by(leaf(Leaf::Idx), Order::Asc)
        .limit(LEAVES_PER_STATEMENT);
    if values {
        select
            .columns([Version::Payload, Version::Dek].map(|column| (version::Entity, column)))
            .left_join(version::Entity, super::objects::same_version());
    } else {
        select.columns([Leaf::PayloadHash, Leaf::DekHash].map(leaf));
    }
    select
}

fn listed(row: &QueryResult, values: bool) -> Result<Listed> {
    let secret: Vec<u8> = row.try_get_by_index(0)?;
    let flags = number(row.try_get_by_index(3)?);
    let value = match (flags & u64::from(DELETED), values) {
        (0, true) => ListedValue::Sealed(row.try_get_by_index(7)?, row.try_get_by_index(8)?),
        (0, false) => ListedValue::Hashes(row.try_get_by_index(7)?, row.try_get_by_index(8)?),
        _ => ListedValue::None,
    };
    Ok(Listed {
        secret: SecretId::from_slice(&secret)?,
        version: number(row.try_get_by_index(1)?),
        epoch: number(row.try_get_by_index(2)?),
        flags,
        mseq: number(row.try_get_by_index(4)?),
        name: row.try_get_by_index(5)?,
        facts: row.try_get_by_index(6)?,
        value,
    })
}

impl Listed {
    fn size(&self) -> usize {
        let value = match &self.value {
            ListedValue::None => 0,
            ListedValue::Sealed(payload, dek) | ListedValue::Hashes(payload, dek) => payload.len() + dek.len(),
        };
        SecretId::LEN + self.name.len() + self.facts.len() + value
    }
}
