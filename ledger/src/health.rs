//! Health reports: what somebody who may decrypt a key found out about it, signed so that a server can neither invent nor replace it.
//!
//! A report binds organization, namespace, secret, version, outcome and time. It carries nothing of the key. Whoever could use the key could lie about
//! it; nobody else can.

use crate::canon::Canon;
use crate::chain::{Questions, permission};
use crate::fault::{Code, Fault};
use crate::ids::{IdentityId, KeyId, NsId, OrgId, SecretId};
use crate::limits::{MAX_HEALTH_REPORT, MAX_SKEW_MS};
use crate::record;
use crate::sign::{Domain, Signed};

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The key works.
    Valid = 1,
    /// The provider does not accept it.
    Invalid = 2,
    /// It is accepted, and may not do this.
    Limited = 3,
    /// It is accepted, and nothing is left to spend.
    Quota = 4,
    /// Refused because of the place or a rule.
    Blocked = 5,
    /// Too many calls.
    Throttled = 6,
    /// The provider failed.
    ProviderError = 7,
    /// No answer.
    NetworkError = 8,
}

impl Outcome {
    /// Every outcome, in order of their numbers.
    pub const ALL: [Self; 8] =
        [Self::Valid, Self::Invalid, Self::Limited, Self::Quota, Self::Blocked, Self::Throttled, Self::ProviderError, Self::NetworkError];

    /// By its number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| *outcome as u8 == number)
    }

    /// The provider accepted the key, whatever else it said.
    pub fn accepts(self) -> bool {
        matches!(self, Self::Valid | Self::Limited | Self::Quota)
    }

    /// It says whether the key works; the others say something of the way there.
    pub fn decides(self) -> bool {
        self.accepts() || self == Self::Invalid
    }

    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Limited => "limited",
            Self::Quota => "quota",
            Self::Blocked => "blocked",
            Self::Throttled => "throttled",
            Self::ProviderError => "provider_error",
            Self::NetworkError => "network_error",
        }
    }
}

impl Canon for Outcome {
    fn to_value(&self) -> crate::cbor::Value {
        (*self as u8).to_value()
    }
    fn from_value(value: crate::cbor::Value) -> Result<Self, Fault> {
        Self::of(u8::from_value(value)?).ok_or_else(|| Fault::new(Code::Upgrade, "an unknown outcome: upgrade required"))
    }
}

record! {
    /// One check of one version of one secret.
    pub struct HealthReport {
        /// Format version, 1.
        1 => v: u64,
        /// The organization.
        2 => org_id: OrgId,
        /// The namespace.
        3 => ns_id: NsId,
        /// The secret.
        4 => secret_id: SecretId,
        /// The version of its leaf.
        5 => version: u64,
        /// What was found out.
        6 => outcome: Outcome,
        /// When, epoch milliseconds.
        7 => at_ms: u64,
        /// By whom.
        8 => prober_id: IdentityId,
        /// With which keys.
        9 => prober_key_id: KeyId,
        /// When the key ends, as the provider says, epoch milliseconds.
        10 => expires_ms: Option<u64>,
    }
}

impl HealthReport {
    /// Reads a report: short, canonical, of this version. Says nothing of who signed it.
    pub fn read(signed: &Signed) -> Result<Self, Fault> {
        if signed.payload().len() > MAX_HEALTH_REPORT {
            return Err(Fault::new(Code::Limit, format!("a health report must not exceed {MAX_HEALTH_REPORT} bytes")));
        }
        let report = Self::from_bytes(signed.payload())?;
        if report.v == crate::FORMAT {
            Ok(report)
        } else {
            Err(Fault::new(Code::Upgrade, "a health report of an unknown version: upgrade required"))
        }
    }

    /// It is of this place and not from the future.
    pub fn check_place(&self, org_id: &OrgId, ns_id: &NsId, now_ms: u64) -> Result<(), Fault> {
        if self.org_id != *org_id {
            return Err(Fault::new(Code::OrgId, "the health report belongs to another organization"));
        }
        if self.ns_id != *ns_id {
            return Err(Fault::new(Code::UnknownNamespace, "the health report belongs to another namespace"));
        }
        if self.at_ms > now_ms.saturating_add(MAX_SKEW_MS) {
            return Err(Fault::new(Code::Clock, "the health report is dated too far ahead"));
        }
        Ok(())
    }

    /// Judges a report in a state of the chain: its place, that its prober is an active member with that key, the signature, and that he reads
    /// there.
    pub fn judge(signed: &Signed, state: &impl Questions, org_id: &OrgId, ns_id: &NsId, now_ms: u64) -> Result<Self, Fault> {
        let report = Self::read(signed)?;
        report.check_place(org_id, ns_id, now_ms)?;
        let prober = state.active_member(&report.prober_id, now_ms).filter(|member| member.key_id == report.prober_key_id);
        let prober = prober.ok_or_else(|| Fault::new(Code::Author, "the prober is not an active member with this key"))?;
        signed.verify(&prober.sign_pk, Domain::HealthReport)?;
        if state.permissions(ns_id, &report.prober_id, now_ms) & permission::READ == 0 {
            return Err(Fault::new(Code::Authority, "the prober does not read this namespace"));
        }
        Ok(report)
    }
}
