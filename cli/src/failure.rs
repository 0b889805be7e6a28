//! What a command reports when it fails.
//!
//! Invariant: no field ever holds a secret's value, a password or a token; names and reasons only.
//! Absent: printing (see `output`).

use std::borrow::Cow;
use std::fmt;

use keyvawlt_client::ledger::evidence::Evidence;
use serde::Serialize;

use crate::exit::Exit;

mod client;

/// One failure: what failed, on which resource, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<Details>);

/// The fields of a failure, in the order `--json` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Details {
    /// How the process ends.
    #[serde(skip)]
    pub exit: Exit,
    /// A stable word for programs: the exit's word, or a finer one such as `E_ROLLBACK`.
    pub code: Cow<'static, str>,
    /// What failed and why.
    pub message: String,
    /// The thing it happened to.
    pub resource: Option<String>,
    /// The next step.
    pub hint: Option<String>,
    /// The server's number for the call.
    pub request_id: Option<String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// How long the server asks to wait.
    pub retry_after_ms: Option<u64>,
    /// The file with the statements that did not verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What that file will hold.
    #[serde(skip)]
    found: Option<Box<Evidence>>,
}

/// What every fallible part of the CLI answers.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with this exit and message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            exit,
            code: Cow::Borrowed(exit.word()),
            message: message.into(),
            resource: None,
            hint: None,
            request_id: None,
            retryable: exit.is_retryable(),
            retry_after_ms: None,
            evidence: None,
            found: None,
        }))
    }

    /// A mistake in the command line or in a file it names.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A local failure.
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Exit::Local, message)
    }

    /// A local failure of reading or writing `path`.
    pub fn file(path: &std::path::Path, doing: &str, error: &std::io::Error) -> Self {
        Self::local(format!("cannot {doing} the file: {error}")).on(path.display().to_string())
    }

    /// Names the thing it happened to.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.0.resource = Some(resource.into());
        self
    }

    /// Names the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Names the next step for a login that was not accepted; other failures have their own.
    #[must_use]
    pub fn if_not_accepted(self, hint: &str) -> Self {
        if self.exit() == Exit::Unauthenticated { self.hint(hint) } else { self }
    }

    /// Replaces the exit's word by a finer one.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Notes the server's number for the call, if there is one.
    #[must_use]
    pub fn request(mut self, request_id: Option<String>) -> Self {
        self.0.request_id = request_id;
        self
    }

    /// Says whether, and after how long, the same call may succeed.
    #[must_use]
    pub fn retry(mut self, retryable: bool, after_ms: Option<u64>) -> Self {
        self.0.retryable = retryable;
        self.0.retry_after_ms = after_ms;
        self
    }

    /// Keeps the statements that did not verify.
    #[must_use]
    pub fn found(mut self, evidence: Option<Evidence>) -> Self {
        self.0.found = evidence.map(Box::new);
        self
    }

    /// The statements that did not verify.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.0.found.as_deref()
    }

    /// Names the file that holds them.
    #[must_use]
    pub fn kept_in(mut self, path: &std::path::Path) -> Self {
        self.0.evidence = Some(path.display().to_string());
        self
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// All fields.
    pub fn details(&self) -> &Details {
        &self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(resource) = &self.0.resource {
            write!(f, "{resource}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "; {hint}")?;
        }
        if let Some(path) = &self.0.evidence {
            write!(f, "; evidence: {path}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
