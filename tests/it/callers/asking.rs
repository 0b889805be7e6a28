//! Asking: one request of any rpc, sent as a caller, and what came back.

use keyvawlt_crypto::Identity;
use keyvawlt_proto::{CLIENT_HEADER, v1};
use prost::Message as _;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// The table's columns.
pub const CALLER_ORDER: [&str; 14] = [
    "anonymous",
    "person",
    "invite",
    "member",
    "reader",
    "writer",
    "machine",
    "auditor",
    "admin",
    "owner",
    "other owner",
    "removed",
    "expired",
    "revoked",
];

/// A kind of caller.
pub struct Caller {
    pub name: &'static str,
    /// What it logged in to; none for the anonymous.
    pub token: Option<String>,
    /// What it signs with; somebody fresh for those who are nobody.
    pub identity: Identity,
}

impl Caller {
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(CLIENT_HEADER, "test/1.0; protocol=1".parse().expect("a header"));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        }
        request
    }
}

macro_rules! rpcs {
    ($($module:ident::$client:ident { $($rpc:ident($request:ident) = $method:ident;)+ })+) => {
        /// A request of any rpc.
        #[derive(Clone)]
        pub enum Ask { $($($rpc(v1::$request),)+)+ }

        impl Ask {
            /// All of them.
            pub const RPCS: &[&str] = &[$($(stringify!($rpc),)+)+];

            /// Its rpc.
            pub fn rpc(&self) -> &'static str {
                match self { $($(Ask::$rpc(_) => stringify!($rpc),)+)+ }
            }

            /// Sends it as `caller`; the answer as it was encoded.
            pub async fn send(self, channel: &Channel, caller: &Caller) -> Result<Vec<u8>, Status> {
                match self { $($(Ask::$rpc(message) => {
                    let mut client = v1::$module::$client::new(channel.clone());
                    client.$method(caller.request(message)).await.map(|answer| answer.into_inner().encode_to_vec())
                })+)+ }
            }
        }
    };
}

rpcs! {
    account_service_client::AccountServiceClient {
        SignUp(SignUpRequest) = sign_up;
        LogIn(LogInRequest) = log_in;
        VerifyEmail(VerifyEmailRequest) = verify_email;
        ResendEmailCode(ResendEmailCodeRequest) = resend_email_code;
        ReadAccount(ReadAccountRequest) = read_account;
        UpdateAccount(UpdateAccountRequest) = update_account;
        AddSlot(AddSlotRequest) = add_slot;
        RemoveSlot(RemoveSlotRequest) = remove_slot;
        ListSlots(ListSlotsRequest) = list_slots;
        OfferLink(OfferLinkRequest) = offer_link;
        ReadLinkOffer(ReadLinkOfferRequest) = read_link_offer;
        AnswerLink(AnswerLinkRequest) = answer_link;
        ReadLinkAnswer(ReadLinkAnswerRequest) = read_link_answer;
    }
    organization_service_client::OrganizationServiceClient {
        CreateOrganization(CreateOrganizationRequest) = create_organization;
        ListOrganizations(ListOrganizationsRequest) = list_organizations;
        ReadChain(ReadChainRequest) = read_chain;
        ReadStart(ReadStartRequest) = read_start;
        ReadBundles(ReadBundlesRequest) = read_bundles;
        Commit(CommitRequest) = commit;
        ListAuditEvents(ListAuditEventsRequest) = list_audit_events;
    }
    namespace_service_client::NamespaceServiceClient {
        ReadChanges(ReadChangesRequest) = read_changes;
        ReadListing(ReadListingRequest) = read_listing;
        ReadVersion(ReadVersionRequest) = read_version;
        ListManifestHeads(ListManifestHeadsRequest) = list_manifest_heads;
    }
    key_health_service_client::KeyHealthServiceClient {
        ReportKeyHealth(ReportKeyHealthRequest) = report_key_health;
        ListKeyHealth(ListKeyHealthRequest) = list_key_health;
        LeaseKeyChecks(LeaseKeyChecksRequest) = lease_key_checks;
    }
    monitor_service_client::MonitorServiceClient {
        CreateMonitor(CreateMonitorRequest) = create_monitor;
        ListMonitors(ListMonitorsRequest) = list_monitors;
        GetMonitor(GetMonitorRequest) = get_monitor;
        UpdateMonitor(UpdateMonitorRequest) = update_monitor;
        PauseMonitor(PauseMonitorRequest) = pause_monitor;
        ResumeMonitor(ResumeMonitorRequest) = resume_monitor;
        DeleteMonitor(DeleteMonitorRequest) = delete_monitor;
        ListIncidents(ListIncidentsRequest) = list_incidents;
        GetIncident(GetIncidentRequest) = get_incident;
        AcknowledgeIncident(AcknowledgeIncidentRequest) = acknowledge_incident;
        AddMaintenance(AddMaintenanceRequest) = add_maintenance;
        ListMaintenances(ListMaintenancesRequest) = list_maintenances;
        RemoveMaintenance(RemoveMaintenanceRequest) = remove_maintenance;
    }
    notification_service_client::NotificationServiceClient {
        GetPreferences(GetPreferencesRequest) = get_preferences;
        SetPreferences(SetPreferencesRequest) = set_preferences;
        GetThresholds(GetThresholdsRequest) = get_thresholds;
        SetThresholds(SetThresholdsRequest) = set_thresholds;
        ListChannels(ListChannelsRequest) = list_channels;
        AddChannel(AddChannelRequest) = add_channel;
        RemoveChannel(RemoveChannelRequest) = remove_channel;
        PauseChannel(PauseChannelRequest) = pause_channel;
        ResumeChannel(ResumeChannelRequest) = resume_channel;
        RotateChannelSecret(RotateChannelSecretRequest) = rotate_channel_secret;
        TestChannel(TestChannelRequest) = test_channel;
        SendChannelCode(SendChannelCodeRequest) = send_channel_code;
        VerifyChannel(VerifyChannelRequest) = verify_channel;
        ListDeliveries(ListDeliveriesRequest) = list_deliveries;
    }
    rotation_service_client::RotationServiceClient {
        SnoozeReminder(SnoozeReminderRequest) = snooze_reminder;
    }
    server_service_client::ServerServiceClient {
        GetServerInfo(GetServerInfoRequest) = get_server_info;
    }
}

/// An outcome in a word, and its code: ✔ and ✘ as in the policy's matrix, else the reason, or the fault of a refusal.
pub fn outcome(answer: &Result<Vec<u8>, Status>) -> (String, Code) {
    let Err(status) = answer else { return ("✔".to_owned(), Code::Ok) };
    let info = status.get_details_error_info().expect("every refusal has a reason");
    let word = match info.reason.as_str() {
        "FORBIDDEN" => "✘".to_owned(),
        "UNAUTHENTICATED" => "log in".to_owned(),
        "REFUSED" => info.metadata["code"].clone(),
        reason => reason.to_owned(),
    };
    (word, status.code())
}

/// A refusal without its request's random id and the time of day.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    message: String,
    details: Vec<u8>,
    headers: Vec<String>,
}

/// Everything of an answer that could tell one from another.
pub fn without_request_id(answer: Result<Vec<u8>, Status>) -> Result<Vec<u8>, Refusal> {
    answer.map_err(|status| {
        let mut details = status.get_error_details();
        assert!(details.request_info().is_some_and(|info| !info.request_id.is_empty()), "a refusal names its request");
        details.set_request_info("", "");
        let details = Status::with_error_details(status.code(), status.message(), details).details().to_vec();
        let headers = status.metadata().clone().into_headers();
        let kept = headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "grpc-status-details-bin"));
        let headers = kept.map(|(name, value)| format!("{name}: {value:?}")).collect();
        Refusal { code: status.code(), message: status.message().to_owned(), details, headers }
    })
}
