//! Notices: what this person wants to hear of, where the organization's notices go besides, and what became of them. All of it is the server's
//! word: a lying one could only be silent, and what is due is computed from verified facts (`secrets/due.rs`).

use crate::error::Result;
use crate::random;
use crate::vault::Vault;
use crate::wire::rpc;
use keyvawlt_ledger::NsId;
use keyvawlt_proto::v1;

pub use keyvawlt_proto::v1::{
    Channel as NoticeChannel, ChannelForm, Delivery as NoticeDelivery, Preferences as NoticePreferences, QuietHours,
};

/// A channel to be made.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// What it speaks.
    pub form: ChannelForm,
    /// What people call it.
    pub name: String,
    /// Where messages go: a URL, or an e-mail address.
    pub target: String,
    /// Names of the kinds that go there; none for all.
    pub kinds: Vec<String>,
    /// Only what is about these namespaces or what lies in them; none for everything.
    pub namespaces: Vec<NsId>,
}

impl Vault {
    /// What this person wants to hear of here.
    pub async fn notice_preferences(&self) -> Result<v1::Preferences> {
        let request = v1::GetPreferencesRequest { org_id: self.org() };
        let answer = self.session.call(async |client, token| rpc::get_preferences(client, Some(token), request.clone()).await).await?;
        Ok(answer.preferences.unwrap_or_default())
    }

    /// Replaces it.
    pub async fn set_notice_preferences(&self, preferences: v1::Preferences) -> Result<()> {
        let request = v1::SetPreferencesRequest { org_id: self.org(), preferences: Some(preferences) };
        self.session.call(async |client, token| rpc::set_preferences(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// How many days before its end a secret is spoken of.
    pub async fn notice_thresholds(&self) -> Result<Vec<u32>> {
        let request = v1::GetThresholdsRequest { org_id: self.org() };
        Ok(self.session.call(async |client, token| rpc::get_thresholds(client, Some(token), request.clone()).await).await?.days)
    }

    /// Replaces that.
    pub async fn set_notice_thresholds(&self, days: &[u32]) -> Result<Vec<u32>> {
        let request = v1::SetThresholdsRequest { org_id: self.org(), days: days.to_vec() };
        Ok(self.session.call(async |client, token| rpc::set_thresholds(client, Some(token), request.clone()).await).await?.days)
    }

    /// Where the organization's notices go besides its people.
    pub async fn channels(&self) -> Result<Vec<v1::Channel>> {
        let request = v1::ListChannelsRequest { org_id: self.org() };
        Ok(self.session.call(async |client, token| rpc::list_channels(client, Some(token), request.clone()).await).await?.channels)
    }

    /// Makes a channel; gives its id, and the key of a webhook, which is shown only now.
    pub async fn add_channel(&self, new: &NewChannel) -> Result<([u8; 16], Vec<u8>)> {
        let request = v1::AddChannelRequest {
            org_id: self.org(),
            form: new.form.into(),
            name: new.name.clone(),
            target: new.target.clone(),
            kinds: new.kinds.clone(),
            namespaces: new.namespaces.iter().map(|ns| ns.0.to_vec().into()).collect(),
            request_id: random::request_id(),
        };
        let answer = self.session.call(async |client, token| rpc::add_channel(client, Some(token), request.clone()).await).await?;
        Ok((answer.channel_id.as_ref().try_into().unwrap_or_default(), answer.secret.to_vec()))
    }

    /// Takes a channel away.
    pub async fn remove_channel(&self, id: [u8; 16]) -> Result<()> {
        let request = v1::RemoveChannelRequest { org_id: self.org(), channel_id: id.to_vec().into() };
        self.session.call(async |client, token| rpc::remove_channel(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// Sends nothing there until it is resumed.
    pub async fn pause_channel(&self, id: [u8; 16]) -> Result<()> {
        let request = v1::PauseChannelRequest { org_id: self.org(), channel_id: id.to_vec().into() };
        self.session.call(async |client, token| rpc::pause_channel(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// Sends there again.
    pub async fn resume_channel(&self, id: [u8; 16]) -> Result<()> {
        let request = v1::ResumeChannelRequest { org_id: self.org(), channel_id: id.to_vec().into() };
        self.session.call(async |client, token| rpc::resume_channel(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// Another key for a webhook, shown only now.
    pub async fn rotate_channel_secret(&self, id: [u8; 16]) -> Result<Vec<u8>> {
        let request =
            v1::RotateChannelSecretRequest { org_id: self.org(), channel_id: id.to_vec().into(), request_id: random::request_id() };
        let answer =
            self.session.call(async |client, token| rpc::rotate_channel_secret(client, Some(token), request.clone()).await).await?;
        Ok(answer.secret.to_vec())
    }

    /// Has a trial notice sent there.
    pub async fn test_channel(&self, id: [u8; 16]) -> Result<()> {
        let request = v1::TestChannelRequest { org_id: self.org(), channel_id: id.to_vec().into(), request_id: random::request_id() };
        self.session.call(async |client, token| rpc::test_channel(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// Has another code mailed to a channel's address.
    pub async fn send_channel_code(&self, id: [u8; 16]) -> Result<()> {
        let request = v1::SendChannelCodeRequest { org_id: self.org(), channel_id: id.to_vec().into() };
        self.session.call(async |client, token| rpc::send_channel_code(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// Proves a channel's address with the code that was mailed there.
    pub async fn verify_channel(&self, id: [u8; 16], code: &str) -> Result<()> {
        let request = v1::VerifyChannelRequest { org_id: self.org(), channel_id: id.to_vec().into(), code: code.to_owned() };
        self.session.call(async |client, token| rpc::verify_channel(client, Some(token), request.clone()).await).await?;
        Ok(())
    }

    /// The newest messages and what became of them: this person's own, or everybody's. `page_token` comes from the last page.
    pub async fn notice_deliveries(&self, everybody: bool, page_token: &str) -> Result<(Vec<v1::Delivery>, String)> {
        let request = v1::ListDeliveriesRequest { org_id: self.org(), everybody, page_token: page_token.to_owned(), ..Default::default() };
        let answer = self.session.call(async |client, token| rpc::list_deliveries(client, Some(token), request.clone()).await).await?;
        Ok((answer.deliveries, answer.next_page_token))
    }
}
