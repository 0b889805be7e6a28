//! Of what somebody can hear. A topic holds ids only, and is reloaded by them before anything is said.
//!
//! One more: a variant of [`Topic`], its [`Kind`], a file in `topics/` that reloads it, and one in the worker that words it.

use super::routes::ChannelId;
use super::topics::Change;
use crate::error::{Error, Result};
use crate::jobs::{maybe_text, text};
use crate::monitors::{IncidentId, MonitorId};
use crate::rotation::stages::Stage;
use crate::zone::Month;
use keyvawlt_ledger::{NsId, SecretId};
use serde::{Deserialize, Serialize};

/// Of what somebody should hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "topic", rename_all = "snake_case", deny_unknown_fields)]
pub enum Topic {
    /// A secret's end comes, or has come.
    Expiry {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
        /// How many days before its end this is; 0 at the end.
        threshold_days: u16,
    },
    /// A secret is as old as its owner wanted it to get.
    Rotation {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
        /// Who is told.
        stage: Stage,
    },
    /// A secret could be read by somebody who left.
    WorkOwed {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
        /// Who is told.
        stage: Stage,
    },
    /// A secret was replaced, and its new version does not work: what watches it is bad.
    Trial {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// The new version.
        version: u64,
        /// Who is told.
        stage: Stage,
    },
    /// A monitored service fails, or is up again.
    Monitor {
        /// Where the monitor belongs; else to the organization.
        #[serde(with = "maybe_text")]
        ns: Option<NsId>,
        /// The first incident of those that began together at one host.
        incident: IncidentId,
        /// What changed.
        change: Change,
    },
    /// The certificate of a monitored service ends.
    Certificate {
        /// Where the monitor belongs; else to the organization.
        #[serde(with = "maybe_text")]
        ns: Option<NsId>,
        /// Which monitor saw it.
        monitor: MonitorId,
        /// When it ends, epoch milliseconds: another certificate is another story.
        ends_ms: u64,
        /// How many days before its end this is.
        threshold_days: u16,
    },
    /// A key is refused by its provider, ends there, or nobody checks it.
    KeyHealth {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
    },
    /// A replaced key works still.
    OldKeyAlive {
        /// In which namespace.
        #[serde(with = "text")]
        ns: NsId,
        /// Which secret.
        #[serde(with = "text")]
        secret: SecretId,
        /// Which version.
        version: u64,
    },
    /// Most keys of one provider are refused at once.
    ProviderIncident {
        /// A namespace with one of them.
        #[serde(with = "text")]
        ns: NsId,
        /// Whose keys, as their owners say.
        provider: String,
        /// Since when, epoch milliseconds.
        since_ms: u64,
    },
    /// What a month brings to one recipient.
    MonthlyDigest {
        /// Which month.
        #[serde(with = "text")]
        month: Month,
    },
    /// A channel fails and was paused.
    ChannelPaused {
        /// Which.
        #[serde(with = "text")]
        channel: ChannelId,
    },
    /// A trial of a channel.
    Test {
        /// Which.
        #[serde(with = "text")]
        channel: ChannelId,
    },
}

impl Topic {
    /// What preferences and routes call it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Expiry { .. } => Kind::Expiry,
            // A rotation is done when its new version works.
            Self::Rotation { .. } | Self::Trial { .. } => Kind::Rotation,
            Self::WorkOwed { .. } => Kind::WorkOwed,
            Self::Monitor { .. } => Kind::Monitor,
            Self::Certificate { .. } => Kind::Certificate,
            Self::KeyHealth { .. } => Kind::KeyHealth,
            Self::OldKeyAlive { .. } => Kind::OldKeyAlive,
            Self::ProviderIncident { .. } => Kind::ProviderIncident,
            Self::MonthlyDigest { .. } => Kind::MonthlyDigest,
            Self::ChannelPaused { .. } => Kind::ChannelPaused,
            Self::Test { .. } => Kind::Test,
        }
    }

    /// The namespace it is about, by which preferences and routes may choose. Whoever hears of it must be able to read there, but for admins to whom a
    /// reminder goes that nobody heeded, and for channels.
    pub fn ns(&self) -> Option<NsId> {
        match self {
            Self::Expiry { ns, .. }
            | Self::Rotation { ns, .. }
            | Self::WorkOwed { ns, .. }
            | Self::Trial { ns, .. }
            | Self::KeyHealth { ns, .. }
            | Self::OldKeyAlive { ns, .. }
            | Self::ProviderIncident { ns, .. } => Some(*ns),
            Self::Monitor { ns, .. } | Self::Certificate { ns, .. } => *ns,
            Self::MonthlyDigest { .. } | Self::ChannelPaused { .. } | Self::Test { .. } => None,
        }
    }

    /// Whether a channel may carry it. Of a channel that fails the others may tell.
    pub(super) fn may_be_routed_to(&self, id: &ChannelId) -> bool {
        match self {
            Self::ChannelPaused { channel } => channel != id,
            // Each recipient has one of its own.
            Self::MonthlyDigest { .. } | Self::Test { .. } => false,
            Self::Expiry { .. }
            | Self::Rotation { .. }
            | Self::WorkOwed { .. }
            | Self::Trial { .. }
            | Self::Monitor { .. }
            | Self::Certificate { .. }
            | Self::KeyHealth { .. }
            | Self::OldKeyAlive { .. }
            | Self::ProviderIncident { .. } => true,
        }
    }
}

/// A kind of notice, as preferences and routes name it. The numbers stand in rows: a new kind gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A secret ends.
    Expiry = 0,
    /// A secret should be replaced.
    Rotation = 1,
    /// Somebody left, and work is owed for it.
    WorkOwed = 2,
    /// A replaced key works still.
    OldKeyAlive = 3,
    /// A key works no longer.
    KeyHealth = 4,
    /// Many keys of one provider fail at once.
    ProviderIncident = 5,
    /// A monitored service is down, or up again.
    Monitor = 6,
    /// A monitored service's certificate ends.
    Certificate = 7,
    /// A channel fails and was paused.
    ChannelPaused = 8,
    /// What a month brings.
    MonthlyDigest = 9,
    /// A trial of a channel.
    Test = 10,
}

impl Kind {
    /// Every kind, in the order of its numbers.
    pub const ALL: [Self; 11] = [
        Self::Expiry,
        Self::Rotation,
        Self::WorkOwed,
        Self::OldKeyAlive,
        Self::KeyHealth,
        Self::ProviderIncident,
        Self::Monitor,
        Self::Certificate,
        Self::ChannelPaused,
        Self::MonthlyDigest,
        Self::Test,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Rotation => "rotation",
            Self::WorkOwed => "work-owed",
            Self::OldKeyAlive => "old-key-alive",
            Self::KeyHealth => "key-health",
            Self::ProviderIncident => "provider-incident",
            Self::Monitor => "monitor",
            Self::Certificate => "certificate",
            Self::ChannelPaused => "channel-paused",
            Self::MonthlyDigest => "monthly-digest",
            Self::Test => "test",
        }
    }

    /// The kind of this number, as rows keep it.
    pub(super) fn numbered(number: i16) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == number).ok_or_else(|| Error::internal("an unknown kind of notice"))
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A set of kinds: one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(i64);

impl Kinds {
    /// As columns keep it.
    pub(super) fn from_column(bits: i64) -> Self {
        Self(bits)
    }

    /// As columns keep it.
    pub(super) fn column(self) -> i64 {
        self.0
    }

    /// Whether it holds a kind.
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// With one more.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | bit(kind))
    }

    /// Without one.
    #[must_use]
    pub fn without(self, kind: Kind) -> Self {
        Self(self.0 & !bit(kind))
    }

    /// In order.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}

fn bit(kind: Kind) -> i64 {
    1 << (kind as u8)
}

pub(super) fn write(topic: &Topic) -> Result<String> {
    serde_json::to_string(topic).map_err(Error::internal)
}

pub(super) fn read(text: &str) -> Result<Topic> {
    serde_json::from_str(text).map_err(Error::internal)
}
