//! What most calls are once their words are understood: a transaction, who calls, a permit, and what it permits.

use crate::call::Call;
use crate::{Api, fields};
use futures::future::BoxFuture;
use keyvawlt_domain::authorize::{Action, Permit};
use keyvawlt_domain::{Caller, Error, Result, requests};
use prost::Message;

impl Api {
    /// Reads something, in a transaction of its own.
    pub(crate) async fn look<A: Action + Send + Sync + 'static, T>(
        &self,
        call: &Call,
        action: A,
        act: impl for<'a> FnOnce(&'a Permit<'a, A>) -> BoxFuture<'a, Result<T>> + Send,
    ) -> Result<T> {
        let tx = self.parts.store.read().await?;
        let caller = Caller::find(&tx, call.subject()?).await?;
        let done = {
            let permit = self.permit(&tx, caller, action).await?;
            act(&permit).await?
        };
        tx.commit().await?;
        Ok(done)
    }

    /// Changes something, in a transaction of its own.
    pub(crate) async fn change<A: Action + Send + Sync + 'static, T>(
        &self,
        call: &Call,
        action: A,
        act: impl for<'a> FnOnce(&'a Permit<'a, A>) -> BoxFuture<'a, Result<T>> + Send,
    ) -> Result<T> {
        let tx = self.parts.store.write().await?;
        let caller = Caller::find(&tx, call.subject()?).await?;
        let done = {
            let permit = self.permit(&tx, caller, action).await?;
            act(&permit).await?
        };
        tx.commit().await?;
        Ok(done)
    }

    /// Changes something once for each request: whoever asks again by its id, and may do it still, gets the first answer.
    pub(crate) async fn once<A: Action + Send + Sync + 'static, T, R: Message + Default>(
        &self,
        call: &Call,
        (rpc, request_id): (&'static str, &[u8]),
        action: A,
        act: impl for<'a> FnOnce(&'a Permit<'a, A>) -> BoxFuture<'a, Result<T>> + Send,
        answer: impl FnOnce(T) -> R + Send,
    ) -> Result<R> {
        let request_id = fields::array("request_id", request_id)?;
        let tx = self.parts.store.write().await?;
        let caller = Caller::find(&tx, call.subject()?).await?;
        let requester = caller.requester();
        let permit = self.permit(&tx, caller, action).await?;
        if let Some(kept) = requests::answered(&tx, &requester, &request_id, rpc).await? {
            return R::decode(&kept[..]).map_err(Error::internal);
        }
        let answer = answer(act(&permit).await?);
        requests::keep(&tx, &requester, &request_id, rpc, answer.encode_to_vec()).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
