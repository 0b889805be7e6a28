//! Gathering: what happens to one recipient within a while rides in one message. An open delivery is joined until its job takes it up.

use super::timing::Slot;
use super::{DeliveryId, Notice, Recipient, State, topic};
use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::store::{Tx, column};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::{delivery, notice};
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashSet;

/// Rows of one statement: nine columns each, and engines allow 32,766 values.
const ROWS_PER_STATEMENT: usize = 500;
/// Somebody else may open, or take up, the same delivery between two looks.
const LOOKS: usize = 4;

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
        if begin(tx, org, recipient, slot, id).await? {
            jobs::enqueue(tx, &Job::Deliver { org: *org, delivery: id }, slot.run_at_ms, None).await?;
            return Ok(id);
        }
    }
    Err(Error::Unavailable)
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
