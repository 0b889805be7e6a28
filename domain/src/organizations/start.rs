//! Where a client without history starts: the state before a checkpoint that lies in the history of a link the client knows.
//!
//! The work is that of the state's entries and of a proof; the links in between are not touched. Absent where the newest checkpoint of the known
//! link's history has no state hash: then the client reads the chain from its genesis.

use super::past;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Body, Checkpoint, Link};
use keyvawlt_ledger::merkle::{Frontier, Tree};
use keyvawlt_ledger::{Hash, KeyId, OrgId};
use keyvawlt_schema::{bundle, entry, link, member, org, past_entry};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// The type of a checkpoint.
const CHECKPOINT: i16 = 15;
/// Checkpoints that are looked at: of as many links in a row one has a state hash.
const CHECKPOINTS: u64 = keyvawlt_ledger::limits::CHECKPOINT_INTERVAL;
/// Entries of one statement: about a page of them.
const ENTRIES_PER_STATEMENT: u64 = 8_000;
/// The nouns of entries that no hash covers, and the key after the last of each: clients derive them.
const INDEXES: [(&[u8], &[u8]); 3] = [(b"access-of/", b"access-of0"), (b"child/", b"child0"), (b"prewrap/", b"prewrap0")];

/// Asks where to start.
#[derive(Clone, Debug)]
pub struct ReadStart {
    /// In which organization.
    pub org: OrgId,
    /// The link that the client knows.
    pub pin_seq: u64,
    /// No checkpoint after this one.
    pub at_most: u64,
    /// The checkpoint and the last entry of the page before.
    pub after: Option<(u64, Vec<u8>)>,
    /// About how many bytes to deliver.
    pub page_bytes: usize,
}

impl Action for ReadStart {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadChain]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

/// A page of a state; the first comes with its proof.
#[derive(Debug, Default)]
pub struct StartPage {
    /// The checkpoint, and what shows that it lies in the known link's history; absent on later pages, and where there is none.
    pub proof: Option<StartProof>,
    /// Keys and values, in order of keys.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the next page begins, if there is one: the checkpoint and the last key.
    pub next: Option<(u64, Vec<u8>)>,
}

/// A checkpoint in a known link's history.
#[derive(Debug)]
pub struct StartProof {
    /// The checkpoint, payload and signature.
    pub checkpoint: (Vec<u8>, Vec<u8>),
    /// The history before it.
    pub before: Frontier,
    /// The known link, payload and signature.
    pub pinned: (Vec<u8>, Vec<u8>),
    /// The checkpoint's audit path in the known link's history.
    pub path: Vec<Hash>,
}

/// Reads a page of the state before the newest fitting checkpoint.
pub async fn read_start(permit: &Permit<'_, ReadStart>) -> Result<StartPage> {
    let (tx, asked) = (permit.tx(), permit.action());
    let row: Option<(i64, bool)> = org::Entity::find_by_id(asked.org.0.to_vec())
        .select_only()
        .columns([org::Column::HeadSeq, org::Column::HasPast])
        .into_tuple()
        .one(tx.db())
        .await?;
    let (head_seq, has_past) = row.ok_or(Error::Forbidden)?;
    if asked.pin_seq > number(head_seq) || !has_past {
        return Ok(StartPage::default());
    }
    let (seq, after, proof) = match &asked.after {
        Some((seq, key)) => (*seq, key.as_slice(), None),
        None => match prove(tx, asked).await? {
            Some((seq, proof)) => (seq, &[][..], Some(proof)),
            None => return Ok(StartPage::default()),
        },
    };
    let mut page = StartPage { proof, ..StartPage::default() };
    read_entries(tx, asked, seq, after.to_vec(), &mut page).await?;
    Ok(page)
}

async fn prove(tx: &Tx, asked: &ReadStart) -> Result<Option<(u64, StartProof)>> {
    let ReadStart { org, pin_seq, .. } = asked;
    let Some((seq, checkpoint)) = newest_checkpoint(tx, org, std::cmp::min(asked.at_most, *pin_seq)).await? else { return Ok(None) };
    let pinned: Option<(Vec<u8>, Vec<u8>)> = link::Entity::find_by_id((org.0.to_vec(), column(*pin_seq)))
        .select_only()
        .columns([link::Column::Payload, link::Column::Sig])
        .into_tuple()
        .one(tx.db())
        .await?;
    let before = Tree::with_nodes(seq, past::nodes(tx, org, None, Tree::needed(seq, &[])).await?).frontier();
    let path = if seq == *pin_seq {
        Some(vec![])
    } else {
        Tree::with_nodes(*pin_seq, past::nodes(tx, org, None, Tree::needed(*pin_seq, &[seq])).await?).prove(seq)
    };
    let hole = || Error::internal("the tree over a chain has a hole");
    let proof = StartProof {
        checkpoint,
        before: before.ok_or_else(hole)?,
        pinned: pinned.ok_or_else(|| Error::internal("a chain has a hole"))?,
        path: path.ok_or_else(hole)?,
    };
    Ok(Some((seq, proof)))
}

/// The newest checkpoint that signs a state, at or before a position.
async fn newest_checkpoint(tx: &Tx, org: &OrgId, at_most: u64) -> Result<Option<(u64, (Vec<u8>, Vec<u8>))>> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = link::Entity::find()
        .select_only()
        .columns([link::Column::Seq, link::Column::Payload, link::Column::Sig])
        .filter(link::Column::OrgId.eq(org.0.to_vec()).and(link::Column::Seq.lte(column(at_most))))
        .filter(link::Column::Kind.eq(CHECKPOINT))
        .order_by_desc(link::Column::Seq)
        .limit(CHECKPOINTS)
        .into_tuple()
        .all(tx.db())
        .await?;
    for (seq, payload, sig) in rows {
        let link = Link::from_bytes(&payload)?;
        if let Body::Checkpoint(Checkpoint { state_hash: Some(_) }) = Body::from_value(link.kind, link.body)? {
            return Ok(Some((number(seq), (payload, sig))));
        }
    }
    Ok(None)
}

async fn read_entries(tx: &Tx, asked: &ReadStart, seq: u64, mut after: Vec<u8>, page: &mut StartPage) -> Result<()> {
    let mut bytes = 0;
    loop {
        let rows = tx.db().query_all(&state_before(&asked.org, seq, &after)).await?;
        let last = (rows.len() as u64) < ENTRIES_PER_STATEMENT;
        for row in rows {
            let (key, value): (Vec<u8>, Vec<u8>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            bytes += key.len() + value.len();
            if bytes > asked.page_bytes && !page.entries.is_empty() {
                page.next = Some((seq, after));
                return Ok(());
            }
            after.clone_from(&key);
            page.entries.push((key, value));
        }
        if last {
            return Ok(());
        }
    }
}

/// The entries as link `seq` found them: those that are still there, and those that have changed since.
fn state_before(org: &OrgId, seq: u64, after: &[u8]) -> SelectStatement {
    let (mut now, mut past) = (Query::select(), Query::select());
    now.columns([entry::Column::Key, entry::Column::Value])
        .from(entry::Entity)
        .and_where(Expr::col(entry::Column::OrgId).eq(org.0.to_vec()))
        .and_where(Expr::col(entry::Column::Key).gt(after.to_vec()))
        .and_where(Expr::col(entry::Column::Since).lt(column(seq)));
    for (noun, end) in INDEXES {
        let key = || Expr::col(entry::Column::Key);
        now.and_where(key().lt(noun.to_vec()).or(key().gte(end.to_vec())));
    }
    past.columns([past_entry::Column::Key, past_entry::Column::Value])
        .from(past_entry::Entity)
        .and_where(Expr::col(past_entry::Column::OrgId).eq(org.0.to_vec()))
        .and_where(Expr::col(past_entry::Column::Key).gt(after.to_vec()))
        .and_where(Expr::col(past_entry::Column::Since).lt(column(seq)))
        .and_where(Expr::col(past_entry::Column::Until).gte(column(seq)));
    now.union(UnionType::All, past).order_by(entry::Column::Key, Order::Asc).limit(ENTRIES_PER_STATEMENT);
    now
}

/// Asks for members' keys.
#[derive(Clone, Debug)]
pub struct ReadBundles {
    /// Of which organization.
    pub org: OrgId,
    /// Which.
    pub keys: Vec<KeyId>,
}

impl Action for ReadBundles {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadChain]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

/// Reads the bundles of present members, payloads and signatures. Keys of nobody who belongs here are left out.
pub async fn read_bundles(permit: &Permit<'_, ReadBundles>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let ReadBundles { org, keys } = permit.action();
    let of_member = |column| (member::Entity, column);
    let of_bundle = |column| (bundle::Entity, column);
    let find = Query::select()
        .columns([of_bundle(bundle::Column::Payload), of_bundle(bundle::Column::Sig)])
        .from(member::Entity)
        .inner_join(bundle::Entity, Expr::col(of_bundle(bundle::Column::KeyId)).equals(of_member(member::Column::KeyId)))
        .and_where(Expr::col(of_member(member::Column::OrgId)).eq(org.0.to_vec()))
        .and_where(Expr::col(of_member(member::Column::KeyId)).is_in(keys.iter().map(|key| key.0.to_vec())))
        .to_owned();
    let rows = permit.tx().db().query_all(&find).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}
