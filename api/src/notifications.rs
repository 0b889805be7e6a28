//! NotificationService: who wants to hear of what, where notices go besides, and what became of them.

use crate::call::{ACCOUNT_DEADLINE, Call, READ_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::notices::{
    self, ChangeChannels, Changed, ChannelChange as Change, ChannelId, DeliveryId, Entry, Form, Kind, Kinds, ListChannels, ListDeliveries,
    OwnPreferences, Preferences, Thresholds,
};
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_proto::v1;
use keyvawlt_proto::v1::notification_service_server::NotificationService;
use tonic::{Request, Response, Status};

/// Deliveries of one page.
const DELIVERIES: (u32, u32) = (50, 200);

#[tonic::async_trait]
impl NotificationService for Api {
    async fn get_preferences(&self, request: Request<v1::GetPreferencesRequest>) -> Result<Response<v1::GetPreferencesResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let asked = OwnPreferences { org: org(&request.org_id)?, set: None };
            let preferences = self.look(&call, asked, |permit| Box::pin(notices::own_preferences(permit))).await?;
            Ok(v1::GetPreferencesResponse { preferences: Some(spoken(preferences)) })
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn set_preferences(&self, request: Request<v1::SetPreferencesRequest>) -> Result<Response<v1::SetPreferencesResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let wanted = understood(fields::present("preferences", request.preferences)?)?;
            let asked = OwnPreferences { org: org(&request.org_id)?, set: Some(wanted) };
            self.change(&call, asked, |permit| Box::pin(notices::own_preferences(permit))).await?;
            Ok(v1::SetPreferencesResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn get_thresholds(&self, request: Request<v1::GetThresholdsRequest>) -> Result<Response<v1::GetThresholdsResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let asked = Thresholds { org: org(&request.org_id)?, set: None };
            let days = self.look(&call, asked, |permit| Box::pin(notices::org_thresholds(permit))).await?;
            Ok(v1::GetThresholdsResponse { days: days.into_iter().map(u32::from).collect() })
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn set_thresholds(&self, request: Request<v1::SetThresholdsRequest>) -> Result<Response<v1::SetThresholdsResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            // What is too large stays too large.
            let wanted = request.days.into_iter().map(|days| u16::try_from(days).unwrap_or(u16::MAX)).collect();
            let asked = Thresholds { org: org(&request.org_id)?, set: Some(wanted) };
            let days = self.change(&call, asked, |permit| Box::pin(notices::org_thresholds(permit))).await?;
            Ok(v1::SetThresholdsResponse { days: days.into_iter().map(u32::from).collect() })
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn list_channels(&self, request: Request<v1::ListChannelsRequest>) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let asked = ListChannels { org: org(&request.org_id)? };
            let channels = self.look(&call, asked, |permit| Box::pin(notices::list_channels(permit))).await?;
            Ok(v1::ListChannelsResponse { channels: channels.into_iter().map(channel).collect() })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn add_channel(&self, request: Request<v1::AddChannelRequest>) -> Result<Response<v1::AddChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let form = match request.form() {
                v1::ChannelForm::Email => Form::Email,
                v1::ChannelForm::Webhook => Form::Webhook,
                v1::ChannelForm::Slack => Form::Slack,
                v1::ChannelForm::Unspecified => return Err(Error::invalid("form", "say what the channel speaks")),
            };
            let kinds = if request.kinds.is_empty() { notices::all_kinds() } else { kinds("kinds", &request.kinds)? };
            let namespaces = namespaces(&request.namespaces)?;
            let add = Change::Add { form, name: request.name, target: request.target, kinds, namespaces };
            let change = ChangeChannels { org: org(&request.org_id)?, change: add };
            let once = ("AddChannel", &request.request_id[..]);
            let answer = |Changed { id, secret, .. }: Changed| v1::AddChannelResponse {
                channel_id: id.0.to_vec().into(),
                secret: secret.unwrap_or_default().into(),
            };
            self.once(&call, once, change, |permit| Box::pin(notices::change_channels(permit)), answer).await
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn remove_channel(&self, request: Request<v1::RemoveChannelRequest>) -> Result<Response<v1::RemoveChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::Remove)?;
            self.change(&call, change, |permit| Box::pin(notices::change_channels(permit))).await?;
            Ok(v1::RemoveChannelResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn pause_channel(&self, request: Request<v1::PauseChannelRequest>) -> Result<Response<v1::PauseChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::Pause)?;
            self.change(&call, change, |permit| Box::pin(notices::change_channels(permit))).await?;
            Ok(v1::PauseChannelResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn resume_channel(&self, request: Request<v1::ResumeChannelRequest>) -> Result<Response<v1::ResumeChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::Resume)?;
            self.change(&call, change, |permit| Box::pin(notices::change_channels(permit))).await?;
            Ok(v1::ResumeChannelResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn rotate_channel_secret(
        &self,
        request: Request<v1::RotateChannelSecretRequest>,
    ) -> Result<Response<v1::RotateChannelSecretResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::Rotate)?;
            let once = ("RotateChannelSecret", &request.request_id[..]);
            let answer = |changed: Changed| v1::RotateChannelSecretResponse { secret: changed.secret.unwrap_or_default().into() };
            self.once(&call, once, change, |permit| Box::pin(notices::change_channels(permit)), answer).await
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn test_channel(&self, request: Request<v1::TestChannelRequest>) -> Result<Response<v1::TestChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::Test)?;
            let once = ("TestChannel", &request.request_id[..]);
            let answer = |_: Changed| v1::TestChannelResponse {};
            self.once(&call, once, change, |permit| Box::pin(notices::change_channels(permit)), answer).await
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn send_channel_code(
        &self,
        request: Request<v1::SendChannelCodeRequest>,
    ) -> Result<Response<v1::SendChannelCodeResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, Change::SendCode)?;
            self.change(&call, change, |permit| Box::pin(notices::change_channels(permit))).await?;
            Ok(v1::SendChannelCodeResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn verify_channel(&self, request: Request<v1::VerifyChannelRequest>) -> Result<Response<v1::VerifyChannelResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = of_channel(&request.org_id, &request.channel_id, |id| Change::Verify(id, request.code))?;
            // A wrong guess is counted: refused only when that is stored.
            let changed = self.change(&call, change, |permit| Box::pin(notices::change_channels(permit))).await?;
            if changed.wrong_code {
                return Err(Error::invalid("code", "it is wrong or has expired: ask for another one"));
            }
            Ok(v1::VerifyChannelResponse {})
        };
        call.answer(ACCOUNT_DEADLINE, Box::pin(work)).await
    }

    async fn list_deliveries(&self, request: Request<v1::ListDeliveriesRequest>) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let limit = fields::page_size(request.page_size, DELIVERIES.0, DELIVERIES.1)?;
            let before = fields::page_token(&request.page_token)?.map(DeliveryId);
            let asked = ListDeliveries { org: org(&request.org_id)?, everybody: request.everybody, limit, before };
            let (entries, next) = self.look(&call, asked, |permit| Box::pin(notices::list_deliveries(permit))).await?;
            Ok(v1::ListDeliveriesResponse {
                deliveries: entries.into_iter().map(delivery).collect(),
                next_page_token: next.map_or_else(String::new, |id| id.to_string()),
            })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }
}

/// A change of one channel.
fn of_channel(org_id: &[u8], channel_id: &[u8], change: impl FnOnce(ChannelId) -> Change) -> Result<ChangeChannels> {
    Ok(ChangeChannels { org: org(org_id)?, change: change(ChannelId::from_slice(channel_id)?) })
}

fn org(id: &[u8]) -> Result<OrgId> {
    fields::id("org_id", id, OrgId::from_slice)
}

fn kinds(field: &'static str, names: &[String]) -> Result<Kinds> {
    let unknown = |name: &String| {
        let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        Error::invalid(field, format!("there is no kind of notice of the name {name:?}: name some of {}", known.join(", ")))
    };
    names.iter().map(|name| Kind::named(name).ok_or_else(|| unknown(name))).collect()
}

fn names(kinds: Kinds) -> Vec<String> {
    kinds.iter().map(|kind| kind.name().to_owned()).collect()
}

fn namespaces(ids: &[bytes::Bytes]) -> Result<Vec<NsId>> {
    ids.iter().map(|id| fields::id("namespaces", id, NsId::from_slice)).collect()
}

fn understood(wanted: v1::Preferences) -> Result<Preferences> {
    // What is too large stays too large.
    let minute = |minute: u32| u16::try_from(minute).unwrap_or(u16::MAX);
    Ok(Preferences {
        muted: kinds("muted", &wanted.muted)?,
        namespaces: namespaces(&wanted.namespaces)?,
        digest_hour: wanted.digest_hour.map(|hour| u8::try_from(hour).unwrap_or(u8::MAX)),
        quiet: wanted.quiet_hours.map(|hours| (minute(hours.from), minute(hours.to))),
        zone: wanted.time_zone,
        digest_ended_ms: Some(wanted.digest_ended_ms).filter(|ended| *ended > 0),
    })
}

fn spoken(preferences: Preferences) -> v1::Preferences {
    v1::Preferences {
        muted: names(preferences.muted),
        namespaces: preferences.namespaces.iter().map(|ns| ns.0.to_vec().into()).collect(),
        digest_hour: preferences.digest_hour.map(u32::from),
        quiet_hours: preferences.quiet.map(|(from, to)| v1::QuietHours { from: from.into(), to: to.into() }),
        time_zone: preferences.zone,
        digest_ended_ms: preferences.digest_ended_ms.unwrap_or(0),
    }
}

fn channel(channel: notices::Channel) -> v1::Channel {
    let form = match channel.form {
        Form::Email => v1::ChannelForm::Email,
        Form::Webhook => v1::ChannelForm::Webhook,
        Form::Slack => v1::ChannelForm::Slack,
    };
    v1::Channel {
        channel_id: channel.id.0.to_vec().into(),
        form: form.into(),
        name: channel.name,
        leads_to: channel.leads_to,
        kinds: names(channel.kinds),
        namespaces: channel.namespaces.iter().map(|ns| ns.0.to_vec().into()).collect(),
        paused_at_ms: channel.paused_at_ms.unwrap_or(0),
        failing_since_ms: channel.failing_since_ms.unwrap_or(0),
        unproved: channel.unproved,
    }
}

fn delivery(entry: Entry) -> v1::Delivery {
    v1::Delivery {
        delivery_id: entry.id.0.to_vec().into(),
        recipient_id: entry.recipient.to_vec().into(),
        to_channel: entry.to_channel,
        kinds: entry.kinds.into_iter().map(|kind| kind.name().to_owned()).collect(),
        notices: entry.notices,
        dropped: entry.dropped,
        state: entry.state.name().to_owned(),
        attempts: entry.attempts,
        error: entry.error.unwrap_or_default(),
        run_at_ms: entry.run_at_ms,
        created_at_ms: entry.created_at_ms,
        ended_at_ms: entry.ended_at_ms.unwrap_or(0),
    }
}
