//! Gathering: what happens to one recipient within a while rides in one message. An open delivery is joined until its job takes it up.

use super::timing::Slot;
use super::{DeliveryId, Notice, Recipient, State, topic};
use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::{delivery, notice};
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashSet;

/// Rows of one statement: nine columns each, and engines allow 32,766 values.
const ROWS_PER_STATEMENT: usize = 500;
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
    let delivery = open(tx, org, recipient, slot).await?;
    for chunk in fresh.chunks(ROWS_PER_STATEMENT) {
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

/// The recipient's open delivery of this slot, held until the transaction ends; a new one, with its job, where there is none.
async fn open(tx: &Tx, org: &OrgId, recipient: &Recipient, slot: &Slot) -> Result<DeliveryId> {
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
            return DeliveryId::from_slice(&id);
        }
        let id = DeliveryId(tx.random().ordered_id(tx.now_ms()));
        let slot = Slot { run_at_ms: calmed(tx, org, recipient, slot.run_at_ms).await?, ..*slot };
        if begin(tx, org, recipient, &slot, id).await? {
            jobs::enqueue(tx, &Job::Deliver { org: *org, delivery: id }, slot.run_at_ms, None).await?;
            return Ok(id);
        }
    }
    Err(Error::Unavailable)
}

/// When a message goes to a recipient that may have had too many.
async fn calmed(tx: &Tx, org: &OrgId, recipient: &Recipient, run_at_ms: u64) -> Result<u64> {
    let theirs = delivery::Column::OrgId.eq(org.0.to_vec()).and(delivery::Column::RecipientId.eq(recipient.id().to_vec()));
    let newest =
        delivery::Entity::find().select_only().column(delivery::Column::CreatedAt).filter(theirs).order_by_desc(delivery::Column::Id);
    let last: Option<i64> = newest.offset(MESSAGES_AN_HOUR - 1).limit(1).into_tuple().one(tx.db()).await?;
    let too_many = last.is_some_and(|at| tx.now_ms().saturating_sub(number(at)) < HOUR_MS);
    Ok(if too_many { std::cmp::max(run_at_ms, tx.now_ms() + CALM_MS) } else { run_at_ms })
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
