//! RotationService: what the server reminds of.

use crate::call::{Call, WRITE_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::Caller;
use keyvawlt_domain::rotation::{SnoozeReminder, snooze_reminder};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_proto::v1;
use keyvawlt_proto::v1::rotation_service_server::RotationService;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl RotationService for Api {
    async fn snooze_reminder(&self, request: Request<v1::SnoozeReminderRequest>) -> Result<Response<v1::SnoozeReminderResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(WRITE_DEADLINE, async {
            let subject = call.subject()?;
            let asked = SnoozeReminder {
                org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
                ns: fields::id("ns_id", &request.ns_id, NsId::from_slice)?,
                secret: fields::id("secret_id", &request.secret_id, SecretId::from_slice)?,
                until_ms: request.until_ms,
            };
            let tx = self.parts.store.write().await?;
            let caller = Caller::find(&tx, subject).await?;
            let permit = self.permit(&tx, caller, asked).await?;
            let until_ms = snooze_reminder(permit).await?;
            tx.commit().await?;
            Ok(v1::SnoozeReminderResponse { until_ms })
        })
        .await
    }
}
