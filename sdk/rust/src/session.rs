//! A logged-in caller: signs assertions, and keeps the short access token it gets for one.

use crate::error::{Error, Result};
use crate::random;
use crate::wire::{Client, rpc};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::{Fault, SlotId};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A token is renewed this long before it ends, so that none expires on the way.
const RENEW_BEFORE_MS: u64 = 30_000;

/// Signs the caller's assertions. The closure holds the key; a session prints nothing of it.
type Signer = dyn Fn(Subject, &str, u64, [u8; 16]) -> Result<String, Fault> + Send + Sync;

/// A caller at a server.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    subject: Subject,
    signer: Arc<Signer>,
    token: Arc<Mutex<Option<(String, u64)>>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.client.origin())
    }
}

impl Session {
    /// A session that logs in when it is first needed. `sign` makes an assertion with the subject's key.
    pub(crate) fn new(
        client: Client,
        subject: Subject,
        sign: impl Fn(Subject, &str, u64, [u8; 16]) -> Result<String, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { client, subject, signer: Arc::new(sign), token: Arc::default() }
    }

    /// A session by an account's slot.
    pub(crate) fn by_slot(client: Client, subject: Subject, slot: keyvawlt_crypto::account::SlotKey) -> Self {
        Self::new(client, subject, move |subject, origin, now_s, jti| assertion::make(subject, origin, now_s, jti, &slot.login_key()))
    }

    /// The way in, for people.
    pub(crate) fn slot(&self) -> Option<SlotId> {
        match self.subject {
            Subject::Slot(_, slot) => Some(slot),
            Subject::Identity(..) | Subject::Invite(..) => None,
        }
    }

    /// The server.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A token good for the next call.
    async fn token(&self) -> Result<String> {
        let mut held = self.token.lock().await;
        let now_ms = self.client.clock().now_ms();
        if let Some((token, ends_ms)) = held.as_ref()
            && now_ms + RENEW_BEFORE_MS < *ends_ms
        {
            return Ok(token.clone());
        }
        let assertion = || {
            let now_s = self.client.clock().now_ms() / 1000;
            (self.signer)(self.subject, self.client.origin(), now_s, random::bytes()).map_err(Error::Refused)
        };
        let answer = match rpc::log_in(&self.client, assertion).await {
            // A wrong clock looks like a wrong password from the outside: look before blaming the user.
            Err(refused @ Error::Unauthenticated { .. }) => {
                self.client.check().await?;
                return Err(refused);
            }
            answer => answer?,
        };
        *held = Some((answer.access_token.clone(), now_ms + u64::from(answer.expires_in_s) * 1000));
        Ok(answer.access_token)
    }

    /// Makes a call as this caller; logs in again once when the token is refused.
    pub(crate) async fn call<Res>(&self, call: impl AsyncFn(&Client, &str) -> Result<Res>) -> Result<Res> {
        match call(&self.client, &self.token().await?).await {
            Err(Error::Unauthenticated { .. }) => {
                *self.token.lock().await = None;
                call(&self.client, &self.token().await?).await
            }
            answer => answer,
        }
    }
}
