//! AccountService: people's accounts and ways in, and logging in for everybody.

use crate::call::{ACCOUNT_DEADLINE, Call};
use crate::{Api, fields};
use keyvawlt_domain::accounts::{self, Changes, NewAccount, Slot, SlotKind};
use keyvawlt_domain::authorize::UseAccount;
use keyvawlt_domain::{Caller, Error, Result, Tx};
use keyvawlt_ledger::account::LinkId;
use keyvawlt_ledger::{AccountId, SlotId, assertion};
use keyvawlt_proto::v1;
use keyvawlt_proto::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

/// The first blob's generation.
const FIRST_GENERATION: u64 = 1;

#[tonic::async_trait]
impl AccountService for Api {
    async fn sign_up(&self, request: Request<v1::SignUpRequest>) -> Result<Response<v1::SignUpResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                self.limits.sign_up(call.peer, self.parts.store.clock().now_ms()).await?;
                let new = new_account(request)?;
                let tx = self.parts.store.write().await?;
                accounts::sign_up(&tx, new, &self.parts.origins).await?;
                tx.commit().await?;
                Ok(v1::SignUpResponse {})
            }),
        )
        .await
    }

    async fn log_in(&self, request: Request<v1::LogInRequest>) -> Result<Response<v1::LogInResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let (store, now_ms) = (&self.parts.store, self.parts.store.clock().now_ms());
                // Claimed, not proved: whoever claims another one's gets in the way of himself.
                let claimed = assertion::claimed_subject(&request.assertion).ok();
                self.limits.log_in(call.peer, claimed, now_ms).await?;
                let access = accounts::log_in(store, &self.parts.tokens, &self.parts.origins, &request.assertion).await;
                if access.as_ref().is_err_and(|error| matches!(error, Error::Unauthenticated { .. })) {
                    self.limits.log_in_failed(call.peer, claimed, now_ms).await;
                }
                let access = access?;
                let expires_in_s = u32::try_from(access.expires_at_ms.saturating_sub(now_ms) / 1000).unwrap_or(0);
                Ok(v1::LogInResponse { access_token: access.token, expires_in_s })
            }),
        )
        .await
    }

    async fn verify_email(&self, request: Request<v1::VerifyEmailRequest>) -> Result<Response<v1::VerifyEmailResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let tx = self.parts.store.read().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                tx.commit().await?;
                self.limits.code(account, self.parts.store.clock().now_ms()).await?;
                // A wrong guess is written down, so it commits although it fails.
                accounts::verify_email(&self.parts.store, &account, &request.code).await?;
                Ok(v1::VerifyEmailResponse {})
            }),
        )
        .await
    }

    async fn resend_email_code(
        &self,
        request: Request<v1::ResendEmailCodeRequest>,
    ) -> Result<Response<v1::ResendEmailCodeResponse>, Status> {
        let (call, _) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let tx = self.parts.store.write().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                accounts::resend_code(&tx, &account).await?;
                tx.commit().await?;
                Ok(v1::ResendEmailCodeResponse {})
            }),
        )
        .await
    }

    async fn read_account(&self, request: Request<v1::ReadAccountRequest>) -> Result<Response<v1::ReadAccountResponse>, Status> {
        let (call, _) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let tx = self.parts.store.read().await?;
                let (account, slot) = self.own_account(&tx, &call).await?;
                let sealed_account_key = accounts::sealed_account_key(&tx, &account, &slot).await?;
                let account = accounts::read_account(&tx, &account).await?;
                tx.commit().await?;
                Ok(v1::ReadAccountResponse {
                    sealed_account_key: sealed_account_key.into(),
                    blob: account.blob.into(),
                    generation: account.generation,
                    pins: account.pins.unwrap_or_default().into(),
                    email: account.email,
                    email_verified: account.email_verified_at.is_some(),
                })
            }),
        )
        .await
    }

    async fn update_account(&self, request: Request<v1::UpdateAccountRequest>) -> Result<Response<v1::UpdateAccountResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let blob = (!request.blob.is_empty()).then(|| (request.generation, fields::owned(request.blob)));
                let pins = (!request.pins.is_empty()).then(|| fields::owned(request.pins));
                let keys = match (request.bundle, request.claim) {
                    (None, None) => None,
                    (bundle, claim) => {
                        let (bundle, claim) = (fields::present("bundle", bundle)?, fields::present("claim", claim)?);
                        Some((fields::signed("bundle", &bundle)?, fields::signed("claim", &claim)?))
                    }
                };
                let slots = request.slots.into_iter().map(slot).collect::<Result<_>>()?;
                let tx = self.parts.store.write().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                accounts::update_account(&tx, &account, Changes { blob, pins, keys, slots }, &self.parts.origins).await?;
                tx.commit().await?;
                Ok(v1::UpdateAccountResponse {})
            }),
        )
        .await
    }

    async fn add_slot(&self, request: Request<v1::AddSlotRequest>) -> Result<Response<v1::AddSlotResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let slot = slot(fields::present("slot", request.slot)?)?;
                let tx = self.parts.store.write().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                accounts::add_slot(&tx, &account, slot).await?;
                tx.commit().await?;
                Ok(v1::AddSlotResponse {})
            }),
        )
        .await
    }

    async fn remove_slot(&self, request: Request<v1::RemoveSlotRequest>) -> Result<Response<v1::RemoveSlotResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let slot = fields::id("slot_id", &request.slot_id, SlotId::from_slice)?;
                let tx = self.parts.store.write().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                accounts::remove_slot(&tx, &account, &slot).await?;
                tx.commit().await?;
                Ok(v1::RemoveSlotResponse {})
            }),
        )
        .await
    }

    async fn list_slots(&self, request: Request<v1::ListSlotsRequest>) -> Result<Response<v1::ListSlotsResponse>, Status> {
        let (call, _) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let tx = self.parts.store.read().await?;
                let (account, _) = self.own_account(&tx, &call).await?;
                let slots = accounts::list_slots(&tx, &account).await?;
                tx.commit().await?;
                let listed = slots.into_iter().map(|slot| v1::ListedSlot {
                    slot_id: slot.id.0.to_vec().into(),
                    r#type: slot_type(slot.kind).into(),
                    created_ms: slot.created_at_ms,
                    label: slot.label,
                });
                Ok(v1::ListSlotsResponse { slots: listed.collect() })
            }),
        )
        .await
    }

    async fn offer_link(&self, request: Request<v1::OfferLinkRequest>) -> Result<Response<v1::OfferLinkResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                self.limits.link_offer(call.peer, self.parts.store.clock().now_ms()).await?;
                let link = LinkId(fields::array("link_id", &request.link_id)?);
                let tx = self.parts.store.write().await?;
                accounts::offer_link(&tx, &link, &request.kem_pk).await?;
                tx.commit().await?;
                Ok(v1::OfferLinkResponse {})
            }),
        )
        .await
    }

    async fn read_link_offer(&self, request: Request<v1::ReadLinkOfferRequest>) -> Result<Response<v1::ReadLinkOfferResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let link = LinkId(fields::array("link_id", &request.link_id)?);
                let tx = self.parts.store.read().await?;
                self.own_account(&tx, &call).await?;
                let kem_pk = accounts::link_offer(&tx, &link).await?;
                tx.commit().await?;
                Ok(v1::ReadLinkOfferResponse { kem_pk: kem_pk.into() })
            }),
        )
        .await
    }

    async fn answer_link(&self, request: Request<v1::AnswerLinkRequest>) -> Result<Response<v1::AnswerLinkResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let link = LinkId(fields::array("link_id", &request.link_id)?);
                let tx = self.parts.store.write().await?;
                self.own_account(&tx, &call).await?;
                accounts::answer_link(&tx, &link, fields::owned(request.sealed)).await?;
                tx.commit().await?;
                Ok(v1::AnswerLinkResponse {})
            }),
        )
        .await
    }

    async fn read_link_answer(&self, request: Request<v1::ReadLinkAnswerRequest>) -> Result<Response<v1::ReadLinkAnswerResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            ACCOUNT_DEADLINE,
            Box::pin(async {
                let link = LinkId(fields::array("link_id", &request.link_id)?);
                self.limits.link_look(call.peer, &link, self.parts.store.clock().now_ms()).await?;
                let tx = self.parts.store.read().await?;
                let sealed = accounts::link_answer(&tx, &link).await?;
                tx.commit().await?;
                Ok(v1::ReadLinkAnswerResponse { sealed: sealed.unwrap_or_default().into() })
            }),
        )
        .await
    }
}

impl Api {
    /// The caller's own account, and the way in.
    async fn own_account(&self, tx: &Tx, call: &Call) -> Result<(AccountId, SlotId)> {
        let caller = Caller::find(tx, call.subject()?).await?;
        let permit = self.permit(tx, caller, UseAccount).await?;
        match *permit.caller() {
            Caller::Account { account_id, slot_id, .. } => Ok((account_id, slot_id)),
            Caller::Identity { .. } | Caller::Invite { .. } => Err(Error::Forbidden),
        }
    }
}

fn new_account(request: v1::SignUpRequest) -> Result<NewAccount> {
    Ok(NewAccount {
        account_id: fields::id("account_id", &request.account_id, AccountId::from_slice)?,
        email: request.email,
        bundle: fields::signed("bundle", &fields::present("bundle", request.bundle)?)?,
        claim: fields::signed("claim", &fields::present("claim", request.claim)?)?,
        slots: request.slots.into_iter().map(slot).collect::<Result<_>>()?,
        blob: fields::owned(request.blob),
        generation: FIRST_GENERATION,
        request_id: fields::array("request_id", &request.request_id)?,
    })
}

fn slot(slot: v1::Slot) -> Result<Slot> {
    let kind = match slot.r#type() {
        v1::SlotType::Password => SlotKind::Password,
        v1::SlotType::Recovery => SlotKind::Recovery,
        v1::SlotType::Passkey => SlotKind::Passkey,
        v1::SlotType::Device => SlotKind::Device,
        v1::SlotType::Unspecified => return Err(Error::invalid("slot.type", "unknown")),
    };
    Ok(Slot {
        id: fields::id("slot.slot_id", &slot.slot_id, SlotId::from_slice)?,
        kind,
        login_pk: fields::array("slot.login_pk", &slot.login_pk)?,
        sealed_ak: fields::owned(slot.sealed_account_key),
        label: slot.label,
    })
}

fn slot_type(kind: SlotKind) -> v1::SlotType {
    match kind {
        SlotKind::Password => v1::SlotType::Password,
        SlotKind::Recovery => v1::SlotType::Recovery,
        SlotKind::Passkey => v1::SlotType::Passkey,
        SlotKind::Device => v1::SlotType::Device,
    }
}
