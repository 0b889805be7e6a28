//! Mails one person about one version of one secret. Its message id is the same in every attempt: a mail sent twice is one mail.

use super::Outcome;
use crate::context::Context;
use crate::message::Message;
use crate::words;
use keyvawlt_domain::jobs::{IdentityId, NsId, OrgId, SecretId};
use keyvawlt_domain::notices::{self, ExpiryNotice};
use keyvawlt_domain::{Result, Store};

#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) org: &'a OrgId,
    pub(super) ns: &'a NsId,
    pub(super) secret: &'a SecretId,
    pub(super) version: u64,
    pub(super) recipient: &'a IdentityId,
}

pub(super) async fn run(context: &Context, about: About<'_>) -> Outcome {
    let notice = match reload(&context.store, about).await {
        Ok(Some(notice)) => notice,
        // Replaced, deleted, or no longer this person's to read.
        Ok(None) => return Outcome::Done,
        Err(error) => return error.into(),
    };
    let now_ms = context.store.clock().now_ms();
    // Ids are unique without the organization's: a header line has its limits.
    let About { ns, secret, version, recipient, .. } = about;
    let id = format!("expiry.{ns}.{secret}.{version}.{recipient}");
    let message = Message::one(words::expiry::piece(&notice, now_ms));
    context.mailer.send(&notice.email, &id, &message, now_ms).await.into()
}

async fn reload(store: &Store, about: About<'_>) -> Result<Option<ExpiryNotice>> {
    let tx = store.read().await?;
    let place = (*about.org, *about.ns);
    let notice = notices::expiry_notice(&tx, place, *about.secret, about.version, *about.recipient).await?;
    tx.commit().await?;
    Ok(notice)
}
