//! Reloading: what is true now of a topic that was raised a while ago. `None`: it is true no longer, and nobody is told.

mod channel;
mod expiry;
mod monitor;
pub(super) mod month;
mod rotation;
mod trial;

use super::people::People;
use super::{Recipient, Topic, monthly};
use crate::error::Result;
use crate::key_health::{KeyNews, ProviderTrouble, key_news, provider_news};
use crate::store::Tx;

pub use channel::AboutChannel;
pub use expiry::Expiring;
pub use monitor::{Change, EndingCertificate, Outage};
pub use month::{COUNTED, DueSecret, MonthAhead, Sort, Wants};
pub use rotation::Replacing;
pub use trial::OnTrial;
#[cfg(test)]
pub(crate) use trial::reload as reload_trial;

/// What words need of a topic: ids, moments, and what owners chose to tell in clear. Never a name or a value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A secret's end comes, or has come.
    Expiry(Expiring),
    /// A monitored service fails, or is up again.
    Monitor(Outage),
    /// The certificate of a monitored service ends.
    Certificate(EndingCertificate),
    /// A key is refused by its provider, ends there, or nobody checks it.
    KeyHealth(KeyNews),
    /// A replaced key works still.
    OldKeyAlive(KeyNews),
    /// Most keys of one provider are refused at once.
    ProviderIncident(ProviderTrouble),
    /// A secret is as old as its owner wanted it to get.
    Rotation(Replacing),
    /// A secret could be read by somebody who left.
    WorkOwed(Replacing),
    /// What a month brings.
    MonthlyDigest(Box<MonthAhead>),
    /// A secret was replaced, and what watches it is bad.
    Trial(OnTrial),
    /// A channel fails and was paused.
    ChannelPaused(AboutChannel),
    /// A trial of a channel.
    Test(AboutChannel),
}

impl Item {
    /// What messages sort by within a kind: the moment it is about.
    pub fn at_ms(&self) -> u64 {
        match self {
            Self::Expiry(expiring) => expiring.expires_ms,
            Self::Monitor(outage) => outage.opened_ms,
            Self::Certificate(certificate) => certificate.ends_ms,
            Self::KeyHealth(news) | Self::OldKeyAlive(news) => news.what.at_ms(),
            Self::ProviderIncident(trouble) => trouble.since_ms,
            Self::Rotation(replacing) | Self::WorkOwed(replacing) => replacing.due_ms,
            Self::MonthlyDigest(ahead) => ahead.until_ms,
            Self::Trial(failing) => failing.trouble.since_ms(),
            Self::ChannelPaused(about) | Self::Test(about) => about.since_ms,
        }
    }
}

/// A topic as it stands now.
pub(super) async fn reload(tx: &Tx, people: &mut People, recipient: &Recipient, topic: &Topic) -> Result<Option<Item>> {
    let org = &people.org();
    match topic {
        Topic::Expiry { ns, secret, version, threshold_days } => {
            let found = expiry::reload(tx, org, (ns, secret), *version, *threshold_days).await?;
            Ok(found.map(Item::Expiry))
        }
        Topic::KeyHealth { ns, secret, version } => Ok(key_news(tx, org, (ns, secret), *version).await?.map(Item::KeyHealth)),
        Topic::OldKeyAlive { ns, secret, version } => Ok(key_news(tx, org, (ns, secret), *version).await?.map(Item::OldKeyAlive)),
        Topic::ProviderIncident { ns, provider, since_ms } => {
            Ok(provider_news(tx, org, ns, provider, *since_ms).await?.map(Item::ProviderIncident))
        }
        Topic::Rotation { ns, secret, version, stage } => {
            Ok(rotation::reload(tx, org, (ns, secret), *version, *stage, |row| row.rotate_at).await?.map(Item::Rotation))
        }
        Topic::WorkOwed { ns, secret, version, stage } => {
            Ok(rotation::reload(tx, org, (ns, secret), *version, *stage, |row| row.owed_at).await?.map(Item::WorkOwed))
        }
        Topic::Trial { ns, secret, version, stage } => Ok(trial::reload(tx, org, (ns, secret), *version, *stage).await?.map(Item::Trial)),
        Topic::Monitor { incident, change, .. } => Ok(monitor::outage(tx, org, *incident, *change).await?.map(Item::Monitor)),
        Topic::Certificate { monitor, ends_ms, .. } => Ok(monitor::certificate(tx, org, *monitor, *ends_ms).await?.map(Item::Certificate)),
        Topic::MonthlyDigest { month } => Ok(monthly::ahead(tx, people, recipient, *month).await?.map(Box::new).map(Item::MonthlyDigest)),
        Topic::ChannelPaused { channel } => {
            Ok(channel::reload(tx, org, channel).await?.filter(|about| about.paused).map(Item::ChannelPaused))
        }
        Topic::Test { channel } => Ok(channel::reload(tx, org, channel).await?.map(Item::Test)),
    }
}
