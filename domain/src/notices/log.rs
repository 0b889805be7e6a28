//! The record of deliveries: what was to be sent to whom, and what became of it. One's own for everybody, the organization's for its admins.

use super::delivery::{DeliveryId, State};
use super::topic::{self, Kind};
use super::unsubscribe;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::{delivery, notice};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};

/// How long deliveries and their notices are kept. Nothing that is raised again later than this is the same happening.
pub const KEPT_MS: u64 = 180 * 24 * 60 * 60 * 1000;
/// A delivery that never came to an end is given up: its job was lost for good. Longer than a digest waits and messages are tried.
const LOST_AFTER_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Deliveries forgotten in one transaction.
const PRUNE_PAGE: u64 = 1_000;

/// Deliveries, the newest first.
#[derive(Clone, Copy, Debug)]
pub struct ListDeliveries {
    /// Whose organization.
    pub org: OrgId,
    /// Everybody's and the channels', not only one's own.
    pub everybody: bool,
    /// How many at most.
    pub limit: u64,
    /// Before this one.
    pub before: Option<DeliveryId>,
}

impl Action for ListDeliveries {
    fn deeds(&self) -> Vec<Deed> {
        vec![if self.everybody { Deed::ListAllDeliveries } else { Deed::UseNotices }]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// One delivery, as the record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub id: DeliveryId,
    /// An identity or a channel.
    pub recipient: [u8; 16],
    /// Whether it is a channel.
    pub to_channel: bool,
    /// What it is about.
    pub kinds: Vec<Kind>,
    /// How many notices ride in it.
    pub notices: u64,
    /// How many of them were left out, being true no longer.
    pub dropped: u64,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed, nothing was sent, or what was sent lacks something.
    pub error: Option<String>,
    /// Not before, epoch milliseconds.
    pub run_at_ms: u64,
    /// Epoch milliseconds.
    pub created_at_ms: u64,
    /// Epoch milliseconds.
    pub ended_at_ms: Option<u64>,
}

/// A page of the record.
pub async fn list_deliveries(permit: &Permit<'_, ListDeliveries>) -> Result<(Vec<Entry>, Option<DeliveryId>)> {
    let ListDeliveries { org, everybody, limit, before } = permit.action();
    let mut find =
        delivery::Entity::find().filter(delivery::Column::OrgId.eq(org.0.to_vec())).order_by_desc(delivery::Column::Id).limit(*limit + 1);
    if !everybody {
        let (id, _) = permit.caller().identity().ok_or(Error::Forbidden)?;
        find = find.filter(delivery::Column::RecipientId.eq(id.0.to_vec()));
    }
    if let Some(before) = before {
        find = find.filter(delivery::Column::Id.lt(before.0.to_vec()));
    }
    let mut rows = find.all(permit.tx().db()).await?;
    let more = rows.len() as u64 > *limit;
    rows.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| DeliveryId::from_slice(&row.id)).transpose()?;
    let mut riding = riding(permit.tx(), org, &rows).await?;
    let entries = rows.into_iter().map(|row| {
        let riding = riding.remove(&row.id).unwrap_or_default();
        entry(row, riding)
    });
    Ok((entries.collect::<Result<_>>()?, next))
}

#[derive(Default)]
struct Riding {
    kinds: BTreeSet<Kind>,
    notices: u64,
    dropped: u64,
}

async fn riding(tx: &Tx, org: &OrgId, rows: &[delivery::Model]) -> Result<BTreeMap<Vec<u8>, Riding>> {
    let mut found: BTreeMap<Vec<u8>, Riding> = BTreeMap::new();
    let theirs = notice::Column::DeliveryId.is_in(rows.iter().map(|row| row.id.clone()));
    let notices: Vec<(Vec<u8>, String, i16)> = notice::Entity::find()
        .select_only()
        .columns([notice::Column::DeliveryId, notice::Column::Topic, notice::Column::State])
        .filter(notice::Column::OrgId.eq(org.0.to_vec()).and(theirs))
        .into_tuple()
        .all(tx.db())
        .await?;
    for (delivery, topic, state) in notices {
        let riding = found.entry(delivery).or_default();
        riding.kinds.insert(topic::read(&topic)?.kind());
        riding.notices += 1;
        riding.dropped += u64::from(state == super::DROPPED);
    }
    Ok(found)
}

fn entry(row: delivery::Model, riding: Riding) -> Result<Entry> {
    Ok(Entry {
        id: DeliveryId::from_slice(&row.id)?,
        recipient: row.recipient_id.as_slice().try_into().map_err(|_| Error::internal("a recipient must be 16 bytes"))?,
        to_channel: row.to_channel,
        kinds: riding.kinds.into_iter().collect(),
        notices: riding.notices,
        dropped: riding.dropped,
        state: State::from_column(row.state)?,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        error: row.last_error,
        run_at_ms: number(row.run_at),
        created_at_ms: number(row.created_at),
        ended_at_ms: row.ended_at.map(number),
    })
}

/// Forgets a page of what is long past, and gives up what never came to an end; says whether there may be more.
pub async fn prune(tx: &Tx) -> Result<bool> {
    let tx = tx.without_permit("the worker forgets what it was told to send long ago");
    let before = |age: u64| column(tx.now_ms().saturating_sub(age));
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(State::GivenUp as i16))
        .col_expr(delivery::Column::LastError, Expr::value("its job was lost"))
        .col_expr(delivery::Column::Gathers, Expr::value(None::<String>))
        .col_expr(delivery::Column::EndedAt, Expr::value(column(tx.now_ms())))
        .filter(delivery::Column::EndedAt.is_null().and(delivery::Column::RunAt.lte(before(LOST_AFTER_MS))))
        .exec(tx.db())
        .await?;
    let old: Vec<(Vec<u8>, Vec<u8>)> = delivery::Entity::find()
        .select_only()
        .columns([delivery::Column::OrgId, delivery::Column::Id])
        .filter(delivery::Column::CreatedAt.lte(before(KEPT_MS)))
        .order_by_asc(delivery::Column::CreatedAt)
        .limit(PRUNE_PAGE)
        .into_tuple()
        .all(tx.db())
        .await?;
    let full = old.len() as u64 == PRUNE_PAGE;
    for (org, id) in old {
        let theirs = Condition::all().add(notice::Column::OrgId.eq(org.clone())).add(notice::Column::DeliveryId.eq(id.clone()));
        notice::Entity::delete_many().filter(theirs).exec(tx.db()).await?;
        delivery::Entity::delete_by_id((org, id)).exec(tx.db()).await?;
    }
    unsubscribe::prune(tx).await?;
    Ok(full)
}
