//! One call: its name in the log, who makes it, how long it may take, and how it ends.

use crate::status;
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::assertion::Subject;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// Small calls of one person: a signature, a few rows.
pub(crate) const ACCOUNT_DEADLINE: Duration = Duration::from_secs(10);
/// A page of two megabytes, behind others.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(20);
/// A batch of 16 MiB, behind other writers. Clients wait twice as long.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// What the layer in front found out.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: Arc<str>,
    pub(crate) subject: Option<Subject>,
    pub(crate) peer: Option<IpAddr>,
}

impl Call {
    /// Takes a request apart.
    pub(crate) fn open<T>(mut request: Request<T>) -> (Self, T) {
        let call = request.extensions_mut().remove::<Self>();
        let call = call.unwrap_or_else(|| Self { id: Arc::from("none"), subject: None, peer: None });
        (call, request.into_inner())
    }

    /// Who calls; an error without a valid token.
    pub(crate) fn subject(&self) -> Result<Subject> {
        self.subject.ok_or_else(|| Error::unauthenticated("an access token is needed: log in"))
    }

    /// Does the work in time, and answers.
    pub(crate) async fn answer<T>(&self, limit: Duration, work: impl Future<Output = Result<T>> + Send) -> Result<Response<T>, Status> {
        let outcome = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            tracing::warn!(request = %self.id, "a call took too long");
            Err(Error::Unavailable)
        });
        outcome.map(Response::new).map_err(|error| {
            match &error {
                Error::Internal(source) => tracing::error!(request = %self.id, %source, "a call failed"),
                error => tracing::debug!(request = %self.id, %error, "a call was refused"),
            }
            status::of(&error, &self.id)
        })
    }
}
