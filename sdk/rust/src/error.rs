//! Why a call to the library fails: one variant per distinct reaction.

use keyvawlt_ledger::Fault;
use keyvawlt_ledger::evidence::Evidence;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The outcome of every operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why it failed, and so what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server did not answer in time, or at all. Try again later.
    #[error("the server {origin} cannot be reached: {why}")]
    Unreachable {
        /// Which server.
        origin: String,
        /// What the transport said.
        why: String,
    },
    /// The login was refused: a wrong password, Secret Key or account, a revoked or expired machine, or a clock that is off.
    #[error("the server refused the login: {why}")]
    Unauthenticated {
        /// What to look at.
        why: String,
        /// The server's number for the call.
        request_id: Option<String>,
    },
    /// It does not exist, or is not for this caller.
    #[error("not found, or not allowed")]
    Forbidden,
    /// Verified state says that there is no such thing.
    #[error("there is no {what} named {name}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Somebody else was first, more often than this call retries.
    #[error("the change conflicts with another: {why}")]
    Conflict {
        /// What is in the way.
        why: String,
    },
    /// Too many calls.
    #[error("too many calls: try again in {retry_after_ms} ms")]
    RateLimited {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// The server was restored from a backup, and takes nothing new until it has back what that lacks.
    #[error("the server was restored from a backup, and takes nothing new until it has back what the backup lacks")]
    Restoring,
    /// Client and server speak different versions.
    #[error("upgrade required: {why}")]
    Upgrade {
        /// Which side.
        why: String,
    },
    /// An argument is wrong.
    #[error("{field}: {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The rules of the protocol, or this identity's rights, do not allow it. Found before anything was sent, or by the server.
    #[error("{0}")]
    Refused(Fault),
    /// What the server delivered does not verify. Nothing of it is used; the last good state stays.
    #[error("verification failed: {0}")]
    Verification(Unverified),
    /// A file of this machine cannot be read or written.
    #[error("{path}: {why}", path = path.display())]
    Storage {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// This machine's clock is off; signatures carry the time.
    #[error("this machine's clock differs from the server's by {minutes} minutes: set it right and try again")]
    Clock {
        /// By how much.
        minutes: u64,
    },
    /// The server failed.
    #[error("the server reported a fault: {why}")]
    Server {
        /// What it said.
        why: String,
        /// Its number for the call, to be found in its log.
        request_id: Option<String>,
    },
}

/// What did not verify: why, and the signed statements that show it, where there are some. Reads as its [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    fault: Fault,
    evidence: Option<Box<Evidence>>,
}

impl Unverified {
    /// Why.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// For somebody else to check.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_deref()
    }
}

impl From<Fault> for Unverified {
    fn from(fault: Fault) -> Self {
        Self { fault, evidence: None }
    }
}

impl Deref for Unverified {
    type Target = Fault;

    fn deref(&self) -> &Fault {
        self.fault()
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl Error {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into() }
    }

    /// The protocol's code, where there is one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Error::Refused(fault) => Some(fault),
            Error::Verification(unverified) => Some(unverified),
            _ => None,
        }
    }

    /// Adds what shows it, to a verification failure that has nothing yet.
    pub(crate) fn shown_by(mut self, evidence: impl FnOnce(&Fault) -> Evidence) -> Self {
        if let Error::Verification(unverified) = &mut self
            && unverified.evidence.is_none()
        {
            unverified.evidence = Some(Box::new(evidence(&unverified.fault)));
        }
        self
    }

    /// Reads a server's answer.
    pub(crate) fn from_status(origin: &str, status: &Status) -> Self {
        let why = status.message().to_owned();
        let request_id = status.get_details_request_info().map(|info| info.request_id).filter(|id| !id.is_empty());
        let info = status.get_details_error_info();
        let reason = info.as_ref().map_or("", |info| info.reason.as_str());
        match (reason, status.code()) {
            ("RESTORING", _) => Self::Restoring,
            ("UPGRADE_REQUIRED", _) => Self::Upgrade { why },
            ("REFUSED", _) => {
                let code = info.and_then(|info| info.metadata.get("code").cloned()).unwrap_or_default();
                let code = keyvawlt_ledger::Code::ALL.iter().find(|known| known.as_str() == code).copied();
                Self::Refused(Fault::new(code.unwrap_or(keyvawlt_ledger::Code::Authority), why))
            }
            ("TOO_LARGE", _) => Self::Refused(Fault::new(keyvawlt_ledger::Code::Limit, why)),
            ("CONFLICT", _) | (_, Code::Aborted | Code::AlreadyExists) => Self::Conflict { why },
            (_, Code::Unauthenticated) => Self::Unauthenticated { why, request_id },
            (_, Code::PermissionDenied | Code::NotFound) => Self::Forbidden,
            (_, Code::ResourceExhausted) => Self::RateLimited { retry_after_ms: retry_after_ms(status).unwrap_or(1_000) },
            (_, Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange) => Self::Invalid { field: "request", why },
            (_, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) => Self::Unreachable { origin: origin.to_owned(), why },
            (_, Code::Unimplemented) => Self::Upgrade { why: "the server does not know this call: it is too old".to_owned() },
            _ => Self::Server { why, request_id },
        }
    }
}

/// What a server asked the client to wait.
pub(crate) fn retry_after_ms(status: &Status) -> Option<u64> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    u64::try_from(delay.as_millis()).ok()
}
