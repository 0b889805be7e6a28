//! Every rpc by its types, so that a lie is a closure over messages; and which of them write.

use keyvawlt_proto::v1;
use prost::Message;

/// An rpc.
pub trait Rpc {
    type Request: Message + Default;
    type Response: Message + Default;
    const PATH: &'static str;
}

macro_rules! rpcs {
    ($($service:ident: $($rpc:ident($request:ident) -> $response:ident),+;)+) => {
        $($(
            #[derive(Debug)]
            pub enum $rpc {}

            impl Rpc for $rpc {
                type Request = v1::$request;
                type Response = v1::$response;
                const PATH: &'static str = concat!("/keyvawlt.v1.", stringify!($service), "/", stringify!($rpc));
            }
        )+)+

        #[cfg(test)]
        const PATHS: &[&str] = &[$($($rpc::PATH),+),+];
    };
}

rpcs! {
    AccountService:
        SignUp(SignUpRequest) -> SignUpResponse,
        LogIn(LogInRequest) -> LogInResponse,
        VerifyEmail(VerifyEmailRequest) -> VerifyEmailResponse,
        ResendEmailCode(ResendEmailCodeRequest) -> ResendEmailCodeResponse,
        ReadAccount(ReadAccountRequest) -> ReadAccountResponse,
        UpdateAccount(UpdateAccountRequest) -> UpdateAccountResponse,
        AddSlot(AddSlotRequest) -> AddSlotResponse,
        RemoveSlot(RemoveSlotRequest) -> RemoveSlotResponse,
        ListSlots(ListSlotsRequest) -> ListSlotsResponse,
        OfferLink(OfferLinkRequest) -> OfferLinkResponse,
        ReadLinkOffer(ReadLinkOfferRequest) -> ReadLinkOfferResponse,
        AnswerLink(AnswerLinkRequest) -> AnswerLinkResponse,
        ReadLinkAnswer(ReadLinkAnswerRequest) -> ReadLinkAnswerResponse;
    OrganizationService:
        CreateOrganization(CreateOrganizationRequest) -> CreateOrganizationResponse,
        ListOrganizations(ListOrganizationsRequest) -> ListOrganizationsResponse,
        ReadChain(ReadChainRequest) -> ReadChainResponse,
        ReadStart(ReadStartRequest) -> ReadStartResponse,
        ReadBundles(ReadBundlesRequest) -> ReadBundlesResponse,
        Commit(CommitRequest) -> CommitResponse,
        ListAuditEvents(ListAuditEventsRequest) -> ListAuditEventsResponse;
    NamespaceService:
        ReadChanges(ReadChangesRequest) -> ReadChangesResponse,
        ReadListing(ReadListingRequest) -> ReadListingResponse,
        ReadVersion(ReadVersionRequest) -> ReadVersionResponse,
        ListManifestHeads(ListManifestHeadsRequest) -> ListManifestHeadsResponse;
    KeyHealthService:
        ReportKeyHealth(ReportKeyHealthRequest) -> ReportKeyHealthResponse,
        ListKeyHealth(ListKeyHealthRequest) -> ListKeyHealthResponse,
        LeaseKeyChecks(LeaseKeyChecksRequest) -> LeaseKeyChecksResponse;
    MonitorService:
        CreateMonitor(CreateMonitorRequest) -> CreateMonitorResponse,
        ListMonitors(ListMonitorsRequest) -> ListMonitorsResponse,
        GetMonitor(GetMonitorRequest) -> GetMonitorResponse,
        UpdateMonitor(UpdateMonitorRequest) -> UpdateMonitorResponse,
        PauseMonitor(PauseMonitorRequest) -> PauseMonitorResponse,
        ResumeMonitor(ResumeMonitorRequest) -> ResumeMonitorResponse,
        DeleteMonitor(DeleteMonitorRequest) -> DeleteMonitorResponse,
        ListIncidents(ListIncidentsRequest) -> ListIncidentsResponse,
        GetIncident(GetIncidentRequest) -> GetIncidentResponse,
        AcknowledgeIncident(AcknowledgeIncidentRequest) -> AcknowledgeIncidentResponse,
        AddMaintenance(AddMaintenanceRequest) -> AddMaintenanceResponse,
        ListMaintenances(ListMaintenancesRequest) -> ListMaintenancesResponse,
        RemoveMaintenance(RemoveMaintenanceRequest) -> RemoveMaintenanceResponse;
    NotificationService:
        GetPreferences(GetPreferencesRequest) -> GetPreferencesResponse,
        SetPreferences(SetPreferencesRequest) -> SetPreferencesResponse,
        GetThresholds(GetThresholdsRequest) -> GetThresholdsResponse,
        SetThresholds(SetThresholdsRequest) -> SetThresholdsResponse,
        ListChannels(ListChannelsRequest) -> ListChannelsResponse,
        AddChannel(AddChannelRequest) -> AddChannelResponse,
        RemoveChannel(RemoveChannelRequest) -> RemoveChannelResponse,
        PauseChannel(PauseChannelRequest) -> PauseChannelResponse,
        ResumeChannel(ResumeChannelRequest) -> ResumeChannelResponse,
        RotateChannelSecret(RotateChannelSecretRequest) -> RotateChannelSecretResponse,
        TestChannel(TestChannelRequest) -> TestChannelResponse,
        SendChannelCode(SendChannelCodeRequest) -> SendChannelCodeResponse,
        VerifyChannel(VerifyChannelRequest) -> VerifyChannelResponse,
        ListDeliveries(ListDeliveriesRequest) -> ListDeliveriesResponse;
    RotationService:
        SnoozeReminder(SnoozeReminderRequest) -> SnoozeReminderResponse;
    ServerService:
        GetServerInfo(GetServerInfoRequest) -> GetServerInfoResponse;
}

/// Whether a call may change something. What is not known to read, writes.
pub fn writes(path: &str) -> bool {
    let rpc = path.rsplit('/').next().unwrap_or_default();
    rpc != "LogIn" && !["Get", "List", "Read"].iter().any(|reads| rpc.starts_with(reads))
}

#[test]
fn every_rpc_of_the_contract_can_be_rewritten() {
    let set = prost_types::FileDescriptorSet::decode(keyvawlt_proto::DESCRIPTORS).unwrap();
    let mut contract: Vec<String> = Vec::new();
    for file in set.file {
        for service in &file.service {
            contract.extend(service.method.iter().map(|rpc| format!("/{}.{}/{}", file.package(), service.name(), rpc.name())));
        }
    }
    let mut known: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).collect();
    contract.sort();
    known.sort();
    assert_eq!(known, contract);
}
