//! Notices: who must hear of what, once, in as few messages as can be.
//!
//! A *notice* is one happening for one recipient: a person, or a channel of the organization. A *delivery* is one message to one destination;
//! notices ride in it. [`raise`] writes both, and the job that delivers, in the transaction of what happened; the job reloads every notice by its
//! ids before a word is sent: whoever lost a right, or what is true no longer, is left out, and the delivery's record says so.

pub(crate) mod again;
mod delivery;
mod expiry;
mod gather;
mod log;
mod monthly;
mod people;
mod preferences;
mod routes;
mod timing;
mod topic;
mod topics;
mod unsubscribe;
mod wishes;

use crate::error::Result;
use crate::store::Tx;
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use people::People;
use std::collections::BTreeMap;

pub use delivery::{Attempt, Delivery, DeliveryId, Destination, Ending, State, Told, begin, end, is_posted, load};
pub use expiry::{BEHIND_MS, DEFAULT_THRESHOLDS, Place, scan, sweep};
pub(crate) use expiry::{after_write, first_moment, hears_from_now, nearest, remind_anew};
pub(crate) use gather::call_back;
#[cfg(test)]
pub(crate) use gather::calls_back;
pub use log::{Entry, KEPT_MS, ListDeliveries, list_deliveries, prune};
pub use monthly::{begin_month, next_org, open_month};
pub use preferences::{OwnPreferences, Preferences, own_preferences};
pub use routes::{
    Change as ChannelChange, ChangeChannels, Changed, Channel, ChannelId, Form, ListChannels, MAX_CHANNELS, MAX_PROOFS_PER_HOUR,
    PAUSED_AFTER_MS, all_kinds, change_channels, draw_channel_code, list_channels,
};
pub use timing::{GATHER_MS, MAX_GATHER_MS};
pub use topic::{Kind, Kinds, Topic};
#[cfg(test)]
pub(crate) use topics::reload_trial;
pub use topics::{
    AboutChannel, COUNTED, Change, DueSecret, EndingCertificate, Expiring, Item, MonthAhead, OnTrial, Outage, Replacing, Sort, Wants,
};
pub use unsubscribe::{unsubscribe, unsubscribe_token};
pub(crate) use wishes::thresholds;
pub use wishes::{MAX_THRESHOLD_DAYS, MAX_THRESHOLDS, Thresholds, org_thresholds};

/// Whom a notice is for. Always only people who entered the organization themselves, with a proved address, whose right still stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Whoever reads a namespace.
    Readers(NsId),
    /// Owners and admins.
    Admins,
    /// These; of a namespace's matters, those of them who read it.
    People(Vec<IdentityId>),
}

/// A happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose.
    pub org: OrgId,
    /// What.
    pub topic: Topic,
    /// For whom.
    pub audience: Audience,
    /// Names the happening: one notice for each (organization, key, recipient), for ever.
    pub key: String,
    /// It does not wait: not for company, not for quiet hours, not for a digest.
    pub urgent: bool,
}

/// Lets those hear of something who want to. In the caller's transaction, which writes what happened.
pub async fn raise(tx: &Tx, notice: &Notice) -> Result<()> {
    let tx = tx.without_permit("whoever changes something has those told who may know it; nothing is returned");
    raise_with(tx, &mut People::of(notice.org), std::slice::from_ref(notice)).await
}

/// Waiting to be told, or being told.
const WAITING: i16 = 0;
/// Told.
const TOLD: i16 = 1;
/// Not told: not true any more, or not the recipient's any more.
const DROPPED: i16 = 2;

/// The same for many happenings of one organization.
async fn raise_with(tx: &Tx, people: &mut People, notices: &[Notice]) -> Result<()> {
    let mut groups: BTreeMap<(&Audience, Option<NsId>, bool), Vec<&Notice>> = BTreeMap::new();
    for notice in notices {
        groups.entry((&notice.audience, notice.topic.ns(), notice.urgent)).or_default().push(notice);
    }
    for ((audience, ns, urgent), notices) in groups {
        let org = notices[0].org;
        let lineage = match ns {
            Some(ns) => people.lineage(tx, &ns).await?,
            None => Vec::new(),
        };
        let reached = people.reached(tx, audience, ns.as_ref()).await?;
        let mut preferences = preferences::find(tx, &org, &reached).await?;
        let ended = unsubscribe::ended(tx, &org, &reached).await?;
        for id in reached {
            let wishes = preferences.remove(&id).unwrap_or_default();
            let wanted: Vec<&Notice> = notices.iter().filter(|notice| wishes.want(notice.topic.kind(), &lineage)).copied().collect();
            let slot = timing::slot(tx.now_ms(), tx.gather_ms(), urgent, &wishes);
            let silent = slot.digest && ended.contains(&id);
            if !wanted.is_empty() && !silent {
                gather::put(tx, &org, &Recipient::Person(id), &slot, &wanted).await?;
            }
        }
        routes::route(tx, &routes::all(tx, &org).await?, &lineage, urgent, &notices).await?;
    }
    Ok(())
}

/// A person, or a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipient {
    Person(IdentityId),
    Channel(ChannelId),
}

impl Recipient {
    fn id(&self) -> [u8; 16] {
        match self {
            Self::Person(id) => id.0,
            Self::Channel(id) => id.0,
        }
    }

    /// Why the notice is the recipient's, as rows keep it.
    fn audience(&self, notice: &Notice) -> i16 {
        match (self, &notice.audience) {
            (Self::Person(_), Audience::Readers(_)) => READS,
            (Self::Person(_), Audience::Admins) => ADMINISTERS,
            (Self::Person(_), Audience::People(_)) => NAMED,
            (Self::Channel(_), _) => ROUTED,
        }
    }
}

const READS: i16 = 0;
const ADMINISTERS: i16 = 1;
const NAMED: i16 = 2;
const ROUTED: i16 = 3;

#[cfg(test)]
mod tests;
