//! Gathering: what happens to one recipient within a while rides in one message. An open delivery is joined until its job takes it up.

use super::timing::Slot;
use super::{DeliveryId, Notice, Recipient, State, topic};
use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::{delivery, notice};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, UpdateMany};
use std::collections::HashSet;

/// Rows of one statement: nine columns each, and engines allow 32,766 values.
const ROWS_PER_STATEMENT: usize = 500;
/// Notices of one message, which its job loads and looks up one after the other: some two megabytes with the longest labels, and seconds of the
/// time a job has. A mail names 20 and counts the rest; an import of a thousand is one mail, of ten thousand five.
pub(super) const MAX_RIDING: usize = 2_000;
/// Somebody else may open, or take up, the same delivery between two looks.
const LOOKS: usize = 4;

/// Messages to one recipient within an hour that go as they come: four a minute, which is all that gathering lets through, for half of it. Whoever
/// can cause more, by moving dates, by a service that goes up and down or by trials, fills nobody's inbox with it.
const MESSAGES_AN_HOUR: u64 = 120;
/// What comes beyond them rides together for so long, also what is urgent.
const CALM_MS: u64 = 10 * 60 * 1000;
const HOUR_MS: u64 = 60 * 60 * 1000;

/// Writes what the recipient has not heard of yet.
pub(super) async fn put(tx: &Tx, org: &OrgId, recipient: &Recipient, slot: &Slot, notices: &[&Notice]) -> Result<()> {
    let mut heard = heard(tx, org, recipient, notices).await?;
    let fresh: Vec<&Notice> = notices.iter().copied().filter(|notice| heard.insert(notice.key.clone())).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let mut left = fresh.as_slice();
    while !left.is_empty() {
        let (delivery, room) = open(tx, org, recipient, slot).await?;
        let (chunk, later) = left.split_at(left.len().min(room).min(ROWS_PER_STATEMENT));
        left = later;
        let rows = chunk.iter().map(|one| row(tx, recipient, &delivery, one)).collect::<Result<Vec<_>>>()?;
        // Raised meanwhile by another transaction: it rides there.
        let known = OnConflict::columns([notice::Column::OrgId, notice::Column::RecipientId, notice::Column::Key]).do_nothing().to_owned();
        notice::Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

async fn heard(tx: &Tx, org: &OrgId, recipient: &Recipient, notices: &[&Notice]) -> Result<HashSet<String>> {
    let mut heard = HashSet::new();
    for chunk in notices.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<String> = notice::Entity::find()
            .select_only()
            .column(notice::Column::Key)
            .filter(notice::Column::OrgId.eq(org.0.to_vec()).and(notice::Column::RecipientId.eq(recipient.id().to_vec())))
            .filter(notice::Column::Key.is_in(chunk.iter().map(|notice| notice.key.clone())))
            .into_tuple()
            .all(tx.db())
            .await?;
        heard.extend(keys);
    }
    Ok(heard)
}

/// The recipient's open delivery of this slot, held until the transaction ends, and how many may join it; a new one, with its job, where there is
/// none or it is full.
async fn open(tx: &Tx, org: &OrgId, recipient: &Recipient, slot: &Slot) -> Result<(DeliveryId, usize)> {
    for _ in 0..LOOKS {
        let open: Option<Vec<u8>> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Id)
            .filter(delivery::Column::OrgId.eq(org.0.to_vec()).and(delivery::Column::RecipientId.eq(recipient.id().to_vec())))
            .filter(delivery::Column::Gathers.eq(slot.gathers))
            .lock_exclusive()
            .into_tuple()
            .one(tx.db())
            .await?;
        if let Some(id) = open {
            let id = DeliveryId::from_slice(&id)?;
            let room = room(tx, org, &id).await?;
            if room > 0 {
                return Ok((id, room));
            }
            close(tx, org, &id).await?;
        }
        let id = DeliveryId(tx.random().ordered_id(tx.now_ms()));
        let slot = Slot { run_at_ms: calmed(tx, org, recipient, slot.run_at_ms).await?, ..*slot };
        if begin(tx, org, recipient, &slot, id).await? {
            jobs::enqueue(tx, &Job::Deliver { org: *org, delivery: id }, slot.run_at_ms, None).await?;
            return Ok((id, MAX_RIDING));
        }
    }
    Err(Error::Unavailable)
}

/// When a message goes to a recipient that may have had too many.
async fn calmed(tx: &Tx, org: &OrgId, recipient: &Recipient, run_at_ms: u64) -> Result<u64> {
    let theirs = delivery::Column::OrgId.eq(org.0.to_vec()).and(delivery::Column::RecipientId.eq(recipient.id().to_vec()));
    // Those that a clock dated ahead were not within this hour.
    let theirs = theirs.and(delivery::Column::CreatedAt.lte(column(tx.beyond_ms(0))));
    let newest =
        delivery::Entity::find().select_only().column(delivery::Column::CreatedAt).filter(theirs).order_by_desc(delivery::Column::Id);
    let last: Option<i64> = newest.offset(MESSAGES_AN_HOUR - 1).limit(1).into_tuple().one(tx.db()).await?;
    let too_many = last.is_some_and(|at| tx.now_ms().saturating_sub(number(at)) < HOUR_MS);
    Ok(if too_many { std::cmp::max(run_at_ms, tx.now_ms() + CALM_MS) } else { run_at_ms })
}

/// A message that a clock put off that was ahead goes now, as its job does; says how many there were.
pub(crate) async fn call_back(tx: &Tx) -> Result<u64> {
    Ok(calls_back(tx).exec(tx.db()).await?.rows_affected)
}

pub(crate) fn calls_back(tx: &Tx) -> UpdateMany<delivery::Entity> {
    let put_off = delivery::Column::EndedAt.is_null().and(delivery::Column::RunAt.gt(column(tx.beyond_ms(jobs::LONGEST_WAIT_MS))));
    let now = Expr::value(column(tx.now_ms()));
    delivery::Entity::update_many().col_expr(delivery::Column::RunAt, now).filter(put_off)
}

async fn room(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<usize> {
    let riding = notice::Column::OrgId.eq(org.0.to_vec()).and(notice::Column::DeliveryId.eq(id.0.to_vec()));
    let riding = notice::Entity::find().filter(riding).count(tx.db()).await?;
    Ok(MAX_RIDING.saturating_sub(usize::try_from(riding).unwrap_or(usize::MAX)))
}

/// It is full: it goes when its time comes, and another one gathers.
async fn close(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<()> {
    let full = delivery::Entity::update_many().col_expr(delivery::Column::Gathers, Expr::value(None::<String>));
    full.filter(delivery::Column::OrgId.eq(org.0.to_vec()).and(delivery::Column::Id.eq(id.0.to_vec()))).exec(tx.db()).await?;
    Ok(())
}

async fn begin(tx: &Tx, org: &OrgId, recipient: &Recipient, slot: &Slot, id: DeliveryId) -> Result<bool> {
    let row = delivery::ActiveModel {
        org_id: Set(org.0.to_vec()),
        id: Set(id.0.to_vec()),
        recipient_id: Set(recipient.id().to_vec()),
        to_channel: Set(matches!(recipient, Recipient::Channel(_))),
        gathers: Set(Some(slot.gathers.to_owned())),
        digest: Set(slot.digest),
        state: Set(State::Queued as i16),
        attempts: Set(0),
        run_at: Set(column(slot.run_at_ms)),
        last_error: Set(None),
        created_at: Set(column(tx.now_ms())),
        ended_at: Set(None),
    };
    let another = OnConflict::columns([delivery::Column::OrgId, delivery::Column::RecipientId, delivery::Column::Gathers]);
    let insert = delivery::Entity::insert(row).on_conflict(another.clone().do_nothing().to_owned());
    Ok(insert.exec_without_returning(tx.db()).await? > 0)
}

fn row(tx: &Tx, recipient: &Recipient, delivery: &DeliveryId, one: &Notice) -> Result<notice::ActiveModel> {
    Ok(notice::ActiveModel {
        org_id: Set(one.org.0.to_vec()),
        recipient_id: Set(recipient.id().to_vec()),
        key: Set(one.key.clone()),
        delivery_id: Set(delivery.0.to_vec()),
        topic: Set(topic::write(&one.topic)?),
        audience: Set(recipient.audience(one)),
        state: Set(super::WAITING),
        reason: Set(None),
        created_at: Set(column(tx.now_ms())),
    })
}
