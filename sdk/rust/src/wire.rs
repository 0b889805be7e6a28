//! The connection: one HTTP/2 channel, version headers both ways, deadlines, and retries with jitter that respect RetryInfo.
//!
//! Every call here is safe to repeat: reads are, changes carry a `request_id` or do nothing when what they say is so already, and each try of a
//! log-in signs an assertion of its own. Only a removed slot, and a code that was used, are said not to be there the second time.

use crate::clock::Clock;
use crate::error::{Error, Result, retry_after_ms};
use crate::random;
use keyvawlt_proto::{CLIENT_HEADER, MAX_MESSAGE, MIN_PROTOCOL, PROTOCOL, SERVER_HEADER, v1};
use std::error::Error as _;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

/// How long to wait for a connection: a server that is up answers a SYN within a second from anywhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take; a 16 MiB batch over a slow line is the longest.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// Tries of one call, the first included.
const TRIES: u32 = 4;
/// The first pause is random below this; each further one below twice the last.
const BACKOFF_MS: u64 = 200;
/// A server that asks for a longer pause is reported instead of waited for.
const MAX_PAUSE_MS: u64 = 5_000;
/// Beyond this difference of clocks, statements would be refused for their time.
const MAX_CLOCK_DIFFERENCE_MS: u64 = keyvawlt_ledger::limits::MAX_SKEW_MS;

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// A certificate authority to trust besides the system's, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Shorter deadlines for impatient callers.
    pub timeout: Option<Duration>,
    /// Where a client starts without history: leave sealed values at the server until [`crate::Vault::fetch`] asks for them.
    pub values_when_used: bool,
}

/// A server, by the origin the caller knows.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    origin: String,
    channel: Channel,
    clock: Clock,
    timeout: Duration,
    values_when_used: bool,
    client_header: MetadataValue<Ascii>,
    checked: OnceLock<()>,
}

impl Client {
    /// Prepares a connection; it is made at the first call. The origin is scheme://host:port, as kit, token or configuration say.
    pub fn new(origin: &str, options: Options) -> Result<Self> {
        keyvawlt_crypto::origin::check(origin).map_err(|fault| Error::invalid("address", fault.why))?;
        let invalid = |error: tonic::transport::Error| Error::invalid("address", error.to_string());
        let mut endpoint = Endpoint::from_shared(origin.to_owned()).map_err(invalid)?.tcp_nodelay(true).connect_timeout(CONNECT_TIMEOUT);
        if origin.starts_with("https://") {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(pem) = &options.ca_pem {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(invalid)?;
        }
        let client_header = concat!("rust/", env!("CARGO_PKG_VERSION"), "; protocol=");
        let client_header = format!("{client_header}{PROTOCOL}").parse().map_err(|_| Error::invalid("client", "its name is not ASCII"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                origin: origin.to_owned(),
                channel: endpoint.connect_lazy(),
                clock: options.clock,
                timeout: options.timeout.unwrap_or(CALL_TIMEOUT),
                values_when_used: options.values_when_used,
                client_header,
                checked: OnceLock::new(),
            }),
        })
    }

    /// The server's origin.
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// Whether everything between here and the server can read who calls what, and can answer in the server's place: no TLS, and not this machine.
    /// Values and names stay sealed; callers should warn all the same.
    pub fn is_in_clear(&self) -> bool {
        keyvawlt_crypto::origin::is_in_clear(self.origin())
    }

    pub(crate) fn values_when_used(&self) -> bool {
        self.inner.values_when_used
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Asks who the server is, and compares clocks.
    pub async fn check(&self) -> Result<v1::GetServerInfoResponse> {
        let call =
            |channel, request| async move { v1::server_service_client::ServerServiceClient::new(channel).get_server_info(request).await };
        let info = self.call(None, || Ok(v1::GetServerInfoRequest {}), call).await?;
        let difference = info.now_ms.abs_diff(self.clock().now_ms());
        if difference > MAX_CLOCK_DIFFERENCE_MS {
            return Err(Error::Clock { minutes: difference / 60_000 });
        }
        Ok(info)
    }

    /// Makes one call, repeated while repeating can help. `request` makes what each try sends.
    pub(crate) async fn call<Req, Res, F, Fut>(&self, token: Option<&str>, request: impl Fn() -> Result<Req>, call: F) -> Result<Res>
    where
        F: Fn(Channel, Request<Req>) -> Fut,
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let status = match self.once(token, request()?, &call).await {
                Ok(answer) => return self.accept(answer),
                Err(status) => status,
            };
            let asked = retry_after_ms(&status);
            let passing = matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) || asked.is_some();
            if !passing || tries >= TRIES || asked.is_some_and(|pause| pause > MAX_PAUSE_MS) {
                return Err(Error::from_status(self.origin(), &status));
            }
            let pause = asked.unwrap_or(0) + random::below(BACKOFF_MS << tries);
            tracing::debug!(code = ?status.code(), pause, "calling again");
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn once<Req, Res, F, Fut>(&self, token: Option<&str>, message: Req, call: &F) -> Result<Response<Res>, Status>
    where
        F: Fn(Channel, Request<Req>) -> Fut,
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let mut request = Request::new(message);
        request.metadata_mut().insert(CLIENT_HEADER, self.inner.client_header.clone());
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().map_err(|_| Status::unauthenticated("the token is not ASCII"))?;
            request.metadata_mut().insert("authorization", bearer);
        }
        request.set_timeout(self.inner.timeout);
        let late = || Status::deadline_exceeded("no answer in time");
        let answer = tokio::time::timeout(self.inner.timeout, call(self.inner.channel.clone(), request)).await.map_err(|_| late())?;
        answer.map_err(broken_is_unavailable)
    }

    /// Checks once that the server speaks a protocol this client knows.
    fn accept<Res>(&self, answer: Response<Res>) -> Result<Res> {
        if self.inner.checked.get().is_none() {
            check_server(answer.metadata())?;
            let _ = self.inner.checked.set(());
        }
        Ok(answer.into_inner())
    }
}

/// A connection that breaks in the middle of a call is a server that is away, whatever the transport calls it. Only statuses made on this side
/// have a source; what a server says comes as headers.
fn broken_is_unavailable(status: Status) -> Status {
    let broken = status.code() != Code::Unavailable && status.source().is_some();
    if broken { Status::unavailable(format!("the connection broke: {}", status.message())) } else { status }
}

fn check_server(metadata: &MetadataMap) -> Result<()> {
    let header = metadata.get(SERVER_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let field = |name: &str| {
        header.split(';').filter_map(|part| part.trim().strip_prefix(name)).find_map(|value| value.strip_prefix('=')?.parse::<u32>().ok())
    };
    match (field("protocol"), field("min")) {
        (Some(speaks), _) if speaks < MIN_PROTOCOL => Err(Error::Upgrade { why: "the server is too old for this client".to_owned() }),
        (_, Some(least)) if least > PROTOCOL => Err(Error::Upgrade { why: "this client is too old for the server".to_owned() }),
        (Some(_), Some(_)) => Ok(()),
        _ => Err(Error::Upgrade { why: "the answer is not a KeyVawlt server's".to_owned() }),
    }
}

macro_rules! rpc {
    ($name:ident: $service:ident::$client:ident, $request:ident -> $response:ident) => {
        pub(crate) async fn $name(client: &crate::Client, token: Option<&str>, request: v1::$request) -> Result<v1::$response> {
            let call = |channel, request| async move {
                v1::$service::$client::new(channel)
                    .max_decoding_message_size(MAX_MESSAGE)
                    .max_encoding_message_size(MAX_MESSAGE)
                    .$name(request)
                    .await
            };
            client.call(token, || Ok(request.clone()), call).await
        }
    };
}

/// One function per rpc.
pub(crate) mod rpc {
    use super::{MAX_MESSAGE, Result, v1};

    /// An assertion is good once: a try whose answer was lost has used its own up.
    pub(crate) async fn log_in(client: &crate::Client, assertion: impl Fn() -> Result<String>) -> Result<v1::LogInResponse> {
        let call = |channel, request| async move { v1::account_service_client::AccountServiceClient::new(channel).log_in(request).await };
        client.call(None, || Ok(v1::LogInRequest { assertion: assertion()? }), call).await
    }

    rpc!(sign_up: account_service_client::AccountServiceClient, SignUpRequest -> SignUpResponse);
    rpc!(verify_email: account_service_client::AccountServiceClient, VerifyEmailRequest -> VerifyEmailResponse);
    rpc!(resend_email_code: account_service_client::AccountServiceClient, ResendEmailCodeRequest -> ResendEmailCodeResponse);
    rpc!(read_account: account_service_client::AccountServiceClient, ReadAccountRequest -> ReadAccountResponse);
    rpc!(update_account: account_service_client::AccountServiceClient, UpdateAccountRequest -> UpdateAccountResponse);
    rpc!(add_slot: account_service_client::AccountServiceClient, AddSlotRequest -> AddSlotResponse);
    rpc!(remove_slot: account_service_client::AccountServiceClient, RemoveSlotRequest -> RemoveSlotResponse);
    rpc!(list_slots: account_service_client::AccountServiceClient, ListSlotsRequest -> ListSlotsResponse);
    rpc!(offer_link: account_service_client::AccountServiceClient, OfferLinkRequest -> OfferLinkResponse);
    rpc!(read_link_offer: account_service_client::AccountServiceClient, ReadLinkOfferRequest -> ReadLinkOfferResponse);
    rpc!(answer_link: account_service_client::AccountServiceClient, AnswerLinkRequest -> AnswerLinkResponse);
    rpc!(read_link_answer: account_service_client::AccountServiceClient, ReadLinkAnswerRequest -> ReadLinkAnswerResponse);
    rpc!(create_organization: organization_service_client::OrganizationServiceClient, CreateOrganizationRequest -> CreateOrganizationResponse);
    rpc!(read_chain: organization_service_client::OrganizationServiceClient, ReadChainRequest -> ReadChainResponse);
    rpc!(read_start: organization_service_client::OrganizationServiceClient, ReadStartRequest -> ReadStartResponse);
    rpc!(read_bundles: organization_service_client::OrganizationServiceClient, ReadBundlesRequest -> ReadBundlesResponse);
    rpc!(commit: organization_service_client::OrganizationServiceClient, CommitRequest -> CommitResponse);
    rpc!(list_audit_events: organization_service_client::OrganizationServiceClient, ListAuditEventsRequest -> ListAuditEventsResponse);
    rpc!(read_changes: namespace_service_client::NamespaceServiceClient, ReadChangesRequest -> ReadChangesResponse);
    rpc!(read_listing: namespace_service_client::NamespaceServiceClient, ReadListingRequest -> ReadListingResponse);
    rpc!(list_manifest_heads: namespace_service_client::NamespaceServiceClient, ListManifestHeadsRequest -> ListManifestHeadsResponse);
    rpc!(report_key_health: key_health_service_client::KeyHealthServiceClient, ReportKeyHealthRequest -> ReportKeyHealthResponse);
    rpc!(list_key_health: key_health_service_client::KeyHealthServiceClient, ListKeyHealthRequest -> ListKeyHealthResponse);
    rpc!(lease_key_checks: key_health_service_client::KeyHealthServiceClient, LeaseKeyChecksRequest -> LeaseKeyChecksResponse);
    rpc!(snooze_reminder: rotation_service_client::RotationServiceClient, SnoozeReminderRequest -> SnoozeReminderResponse);
    rpc!(read_version: namespace_service_client::NamespaceServiceClient, ReadVersionRequest -> ReadVersionResponse);
    rpc!(create_monitor: monitor_service_client::MonitorServiceClient, CreateMonitorRequest -> CreateMonitorResponse);
    rpc!(list_monitors: monitor_service_client::MonitorServiceClient, ListMonitorsRequest -> ListMonitorsResponse);
    rpc!(get_monitor: monitor_service_client::MonitorServiceClient, GetMonitorRequest -> GetMonitorResponse);
    rpc!(update_monitor: monitor_service_client::MonitorServiceClient, UpdateMonitorRequest -> UpdateMonitorResponse);
    rpc!(pause_monitor: monitor_service_client::MonitorServiceClient, PauseMonitorRequest -> PauseMonitorResponse);
    rpc!(resume_monitor: monitor_service_client::MonitorServiceClient, ResumeMonitorRequest -> ResumeMonitorResponse);
    rpc!(delete_monitor: monitor_service_client::MonitorServiceClient, DeleteMonitorRequest -> DeleteMonitorResponse);
    rpc!(list_incidents: monitor_service_client::MonitorServiceClient, ListIncidentsRequest -> ListIncidentsResponse);
    rpc!(get_incident: monitor_service_client::MonitorServiceClient, GetIncidentRequest -> GetIncidentResponse);
    rpc!(acknowledge_incident: monitor_service_client::MonitorServiceClient, AcknowledgeIncidentRequest -> AcknowledgeIncidentResponse);
    rpc!(add_maintenance: monitor_service_client::MonitorServiceClient, AddMaintenanceRequest -> AddMaintenanceResponse);
    rpc!(list_maintenances: monitor_service_client::MonitorServiceClient, ListMaintenancesRequest -> ListMaintenancesResponse);
    rpc!(remove_maintenance: monitor_service_client::MonitorServiceClient, RemoveMaintenanceRequest -> RemoveMaintenanceResponse);
    rpc!(get_preferences: notification_service_client::NotificationServiceClient, GetPreferencesRequest -> GetPreferencesResponse);
    rpc!(set_preferences: notification_service_client::NotificationServiceClient, SetPreferencesRequest -> SetPreferencesResponse);
    rpc!(get_thresholds: notification_service_client::NotificationServiceClient, GetThresholdsRequest -> GetThresholdsResponse);
    rpc!(set_thresholds: notification_service_client::NotificationServiceClient, SetThresholdsRequest -> SetThresholdsResponse);
    rpc!(list_channels: notification_service_client::NotificationServiceClient, ListChannelsRequest -> ListChannelsResponse);
    rpc!(add_channel: notification_service_client::NotificationServiceClient, AddChannelRequest -> AddChannelResponse);
    rpc!(remove_channel: notification_service_client::NotificationServiceClient, RemoveChannelRequest -> RemoveChannelResponse);
    rpc!(pause_channel: notification_service_client::NotificationServiceClient, PauseChannelRequest -> PauseChannelResponse);
    rpc!(resume_channel: notification_service_client::NotificationServiceClient, ResumeChannelRequest -> ResumeChannelResponse);
    rpc!(rotate_channel_secret: notification_service_client::NotificationServiceClient, RotateChannelSecretRequest -> RotateChannelSecretResponse);
    rpc!(test_channel: notification_service_client::NotificationServiceClient, TestChannelRequest -> TestChannelResponse);
    rpc!(send_channel_code: notification_service_client::NotificationServiceClient, SendChannelCodeRequest -> SendChannelCodeResponse);
    rpc!(verify_channel: notification_service_client::NotificationServiceClient, VerifyChannelRequest -> VerifyChannelResponse);
    rpc!(list_deliveries: notification_service_client::NotificationServiceClient, ListDeliveriesRequest -> ListDeliveriesResponse);
}
