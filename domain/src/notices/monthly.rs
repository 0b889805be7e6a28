//! The monthly digest: what a month brings, once, to everybody who entered an organization and wants it, and to channels that ask for it.
//!
//! When a month's first morning comes somewhere, one job after the other goes through the organizations, and opens a message for each recipient
//! that has something to hear, to be sent on the morning of the first where that person is. The message's own job counts anew, so what it says
//! is true when it is sent. The happening is the month: however many replicas look, and however often, it is told once.

use super::people::People;
use super::topics::month::{self, MonthAhead};
use super::{Audience, Kind, Notice, Recipient, Topic, gather, preferences, routes, timing, unsubscribe};
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::store::Tx;
use crate::zone::{Month, Zone};
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use keyvawlt_schema::{member, org};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// A server that was away for longer on the first says nothing of the month: whatever ends is told by itself. Jobs remember for as long that
/// they were done.
const LATE_MS: u64 = jobs::DONE_KEPT_MS;
/// People of one transaction: for each, what the month brings is counted, while writers wait.
const PEOPLE_PAGE: u64 = 20;

/// Writes the first job of a month whose first morning comes now. For every tick.
pub async fn begin_month(tx: &Tx) -> Result<()> {
    let tx = tx.without_permit("the worker's tick writes the month's job, which holds no id");
    match timing::month_to_tell(tx.now_ms(), LATE_MS) {
        Some(month) => write_job(tx, month, None).await,
        None => Ok(()),
    }
}

/// The organization after `after`, with the job of the one after it.
pub async fn next_org(tx: &Tx, month: Month, after: Option<OrgId>) -> Result<Option<OrgId>> {
    let tx = tx.without_permit("the worker goes through the organizations by their ids");
    let mut find = org::Entity::find().select_only().column(org::Column::Id).order_by_asc(org::Column::Id);
    if let Some(after) = after {
        find = find.filter(org::Column::Id.gt(after.0.to_vec()));
    }
    let Some(id) = find.into_tuple::<Vec<u8>>().one(tx.db()).await? else { return Ok(None) };
    let id = OrgId::from_slice(&id)?;
    write_job(tx, month, Some(id)).await?;
    Ok(Some(id))
}

/// Opens the messages of a page of an organization's people after `after`, and of its channels after the last; returns where to go on.
pub async fn open_month(tx: &Tx, org: &OrgId, month: Month, after: Option<IdentityId>) -> Result<Option<IdentityId>> {
    let tx =
        tx.without_permit("the worker counts what owners tell in clear, and writes notices of ids, for those whom the chain lets read");
    let page = page(tx, org, after).await?;
    let last = page.last().copied().filter(|_| page.len() as u64 == PEOPLE_PAGE);
    let mut people = People::of(*org);
    let reached = people.reached(tx, &Audience::People(page), None).await?;
    let mut wishes = preferences::find(tx, org, &reached).await?;
    let ended = unsubscribe::ended(tx, org, &reached).await?;
    for id in reached {
        let wishes = wishes.remove(&id).unwrap_or_default();
        let wanted = wishes.want(Kind::MonthlyDigest, &[]) && !ended.contains(&id);
        let recipient = Recipient::Person(id);
        if wanted && ahead(tx, &mut people, &recipient, month).await?.is_some() {
            let slot = timing::monthly_slot(tx.now_ms(), month, &wishes);
            gather::put(tx, org, &recipient, &slot, &[&notice(*org, month, vec![id])]).await?;
        }
    }
    if last.is_none() {
        open_for_channels(tx, &mut people, month).await?;
    }
    Ok(last)
}

/// What the month brings to a recipient now.
pub(super) async fn ahead(tx: &Tx, people: &mut People, recipient: &Recipient, month: Month) -> Result<Option<MonthAhead>> {
    let org = people.org();
    let (who, zone, chosen) = match recipient {
        Recipient::Person(id) => {
            let wishes = preferences::find(tx, &org, &[*id]).await?.remove(id).unwrap_or_default();
            (Some(id), timing::zone_of(&wishes), wishes.namespaces)
        }
        Recipient::Channel(id) => {
            let Some(channel) = routes::find(tx, &org, id).await? else { return Ok(None) };
            (None, Zone::utc(), routes::namespaces(&channel)?)
        }
    };
    let namespaces: Vec<NsId> = people.readable(tx, who, &chosen).await?;
    month::ahead(tx, &org, &namespaces, month, zone.first_of(month.next(), 0)).await
}

async fn open_for_channels(tx: &Tx, people: &mut People, month: Month) -> Result<()> {
    let org = people.org();
    for id in routes::that_carry(tx, &org, Kind::MonthlyDigest).await? {
        let recipient = Recipient::Channel(id);
        if ahead(tx, people, &recipient, month).await?.is_some() {
            let slot = timing::Slot { digest: false, ..timing::monthly_slot(tx.now_ms(), month, &preferences::Preferences::default()) };
            gather::put(tx, &org, &recipient, &slot, &[&notice(org, month, vec![])]).await?;
        }
    }
    Ok(())
}

fn notice(org: OrgId, month: Month, people: Vec<IdentityId>) -> Notice {
    let (topic, audience) = (Topic::MonthlyDigest { month }, Audience::People(people));
    Notice { org, topic, audience, key: format!("monthly-digest/{month}"), urgent: false }
}

/// People who entered the organization themselves, by their ids.
async fn page(tx: &Tx, org: &OrgId, after: Option<IdentityId>) -> Result<Vec<IdentityId>> {
    use member::Column::{IdentityId as Id, OrgId as Org, Own};
    let mut find = member::Entity::find().select_only().column(Id).filter(Org.eq(org.0.to_vec()).and(Own.eq(true)));
    if let Some(after) = after {
        find = find.filter(Id.gt(after.0.to_vec()));
    }
    let ids: Vec<Vec<u8>> = find.order_by_asc(Id).limit(PEOPLE_PAGE).into_tuple().all(tx.db()).await?;
    ids.iter().map(|id| Ok(IdentityId::from_slice(id)?)).collect()
}

async fn write_job(tx: &Tx, month: Month, after: Option<OrgId>) -> Result<()> {
    let after_whom = after.map_or_else(String::new, |org| org.to_string());
    jobs::enqueue(tx, &Job::MonthlyDigest { month, after }, tx.now_ms(), Some(format!("monthly_digest@{month}/{after_whom}"))).await?;
    Ok(())
}
