//! Exit codes: the contract scripts build on.
//!
//! A number never changes its meaning. `run` passes the child's own code through, so a child may
//! use the same numbers; the `keyvawlt: error[CODE]` line on stderr tells the two apart.

use std::process::ExitCode;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// A local failure that no other code describes.
    Local = 1,
    /// The command line or a file it names is wrong.
    Usage = 2,
    /// Nobody is logged in, or the login is no longer accepted.
    Unauthenticated = 10,
    /// Logged in, but not allowed.
    PermissionDenied = 11,
    /// No such thing, or none that may be seen.
    NotFound = 12,
    /// Somebody else was faster, or the version is not the expected one.
    Conflict = 13,
    /// A rate limit or quota.
    RateLimited = 14,
    /// The server does not answer.
    Unreachable = 15,
    /// Offline, and the cache is missing or too old.
    CacheUnavailable = 16,
    /// A signature, hash or pin does not fit: never retried, never falls back.
    VerificationFailed = 17,
    /// A key or the keyring cannot be used.
    KeyUnavailable = 18,
    /// Waiting for somebody's approval.
    ApprovalPending = 19,
    /// Something is due within the time that was asked about.
    Due = 20,
    /// The command of `run` exists but cannot be executed (shell convention).
    CannotExecute = 126,
    /// The command of `run` was not found (shell convention).
    CommandNotFound = 127,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::Local,
        Self::Usage,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::Conflict,
        Self::RateLimited,
        Self::Unreachable,
        Self::CacheUnavailable,
        Self::VerificationFailed,
        Self::KeyUnavailable,
        Self::ApprovalPending,
        Self::Due,
        Self::CannotExecute,
        Self::CommandNotFound,
    ];

    /// The number the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word shown in `error[CODE]` and in `--json`, unless the failure has a finer one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Local => "LOCAL",
            Self::Usage => "USAGE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unreachable => "UNREACHABLE",
            Self::CacheUnavailable => "CACHE_UNAVAILABLE",
            Self::VerificationFailed => "VERIFICATION_FAILED",
            Self::KeyUnavailable => "KEY_UNAVAILABLE",
            Self::ApprovalPending => "APPROVAL_PENDING",
            Self::Due => "DUE",
            Self::CannotExecute => "CANNOT_EXECUTE",
            Self::CommandNotFound => "COMMAND_NOT_FOUND",
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Conflict | Self::RateLimited | Self::Unreachable | Self::ApprovalPending)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_numbers_are_the_published_ones() {
        let published = [
            (Exit::Ok, 0),
            (Exit::Local, 1),
            (Exit::Usage, 2),
            (Exit::Unauthenticated, 10),
            (Exit::PermissionDenied, 11),
            (Exit::NotFound, 12),
            (Exit::Conflict, 13),
            (Exit::RateLimited, 14),
            (Exit::Unreachable, 15),
            (Exit::CacheUnavailable, 16),
            (Exit::VerificationFailed, 17),
            (Exit::KeyUnavailable, 18),
            (Exit::ApprovalPending, 19),
            (Exit::Due, 20),
            (Exit::CannotExecute, 126),
            (Exit::CommandNotFound, 127),
        ];
        for (exit, number) in published {
            assert_eq!(exit.number(), number, "{}", exit.word());
        }
        assert_eq!(Exit::ALL, published.map(|(exit, _)| exit));
    }

    #[test]
    fn a_failed_verification_is_never_worth_a_retry() {
        assert!(!Exit::VerificationFailed.is_retryable());
    }
}
