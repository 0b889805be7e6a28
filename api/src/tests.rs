//! The server on a port of its own: what holds before any organization exists.

use crate::{ApiParts, serve};
use keyvawlt_domain::audit::AuditWriter;
use keyvawlt_domain::namespaces::Revisions;
use keyvawlt_domain::policy::{Deed, OPEN_RPCS};
use keyvawlt_domain::tokens::Tokens;
use keyvawlt_domain::{Clock, Random, Store};
use keyvawlt_proto::v1::account_service_client::AccountServiceClient;
use keyvawlt_proto::v1::server_service_client::ServerServiceClient;
use keyvawlt_proto::{CLIENT_HEADER, DESCRIPTORS, SERVER_HEADER, v1};
use prost::Message as _;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

const ORIGIN: &str = "http://vault.example:80";

struct Running {
    channel: Channel,
    address: String,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("vault.db").display());
        let store = Store::open(&url, Clock::System, Random::System).await.unwrap();
        let tokens = Tokens::load(&folder.path().join("token.key"), Random::System).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let audit = AuditWriter::start(store.clone(), &tasks);
        let revisions = Revisions::start(store.clone(), &tasks);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let parts = ApiParts {
            store,
            tokens: Arc::new(tokens),
            audit,
            revisions,
            origins: Arc::from([ORIGIN.to_owned()]),
            restored: false,
            counting: Arc::default(),
        };
        let ended = stop.clone().cancelled_owned();
        tasks.spawn(async move { serve(parts, listener, ended).await.unwrap() });
        let channel = Channel::from_shared(address.clone()).unwrap().connect().await.unwrap();
        Self { channel, address, stop, tasks, _folder: folder }
    }

    async fn stop(self) {
        drop(self.channel);
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(CLIENT_HEADER, "test/1.0; protocol=1".parse().unwrap());
    request
}

#[tokio::test]
async fn versions_are_told_both_ways() {
    let server = Running::start().await;
    let mut client = ServerServiceClient::new(server.channel.clone());
    let info = client.get_server_info(call(v1::GetServerInfoRequest {})).await.unwrap();
    assert_eq!(info.metadata().get(SERVER_HEADER).unwrap(), concat!(env!("CARGO_PKG_VERSION"), "; protocol=1; min=1"));
    assert!(info.get_ref().now_ms > 1_700_000_000_000);
    for header in [None, Some("curl"), Some("old/0.1; protocol=0")] {
        let mut request = Request::new(v1::GetServerInfoRequest {});
        if let Some(header) = header {
            request.metadata_mut().insert(CLIENT_HEADER, header.parse().unwrap());
        }
        let status = client.get_server_info(request).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::FailedPrecondition, "UPGRADE_REQUIRED"));
        assert_eq!(info.metadata["minimum"], "1");
        assert!(status.metadata().get(SERVER_HEADER).is_some() && status.get_details_request_info().is_some());
    }
    server.stop().await;
}

#[tokio::test]
async fn health_and_reflection_need_no_version() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    let server = Running::start().await;
    let mut health = HealthClient::new(server.channel.clone());
    for service in ["", "keyvawlt.v1.AccountService", "keyvawlt.v1.NamespaceService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    {
        use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest};
        let list = ServerReflectionRequest { host: String::new(), message_request: Some(MessageRequest::ListServices(String::new())) };
        let mut client = ServerReflectionClient::new(server.channel.clone());
        let mut answers = client.server_reflection_info(tokio_stream_of(list)).await.unwrap().into_inner();
        assert!(format!("{:?}", answers.message().await.unwrap().unwrap()).contains("keyvawlt.v1.OrganizationService"));
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_token_nothing_is_said() {
    let server = Running::start().await;
    let mut client = AccountServiceClient::new(server.channel.clone());
    let missing = client.read_account(call(v1::ReadAccountRequest {})).await.unwrap_err();
    let mut request = call(v1::ReadAccountRequest {});
    request.metadata_mut().insert("authorization", "Bearer x.y.z".parse().unwrap());
    let wrong = client.read_account(request).await.unwrap_err();
    assert_eq!((missing.code(), wrong.code()), (Code::Unauthenticated, Code::Unauthenticated));
    let status = client.log_in(call(v1::LogInRequest { assertion: "x.y.z".to_owned() })).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_wrong_log_ins_is_slowed() {
    let server = Running::start().await;
    let mut client = AccountServiceClient::new(server.channel.clone());
    let mut reasons = BTreeSet::new();
    for _ in 0..70 {
        let status = client.log_in(call(v1::LogInRequest { assertion: "x.y.z".to_owned() })).await.unwrap_err();
        if status.get_details_retry_info().is_some() {
            assert_eq!(status.code(), Code::ResourceExhausted);
        }
        reasons.insert(status.get_details_error_info().unwrap().reason);
    }
    assert_eq!(reasons, BTreeSet::from(["RATE_LIMITED".to_owned(), "UNAUTHENTICATED".to_owned()]));
    server.stop().await;
}

#[tokio::test]
async fn browsers_call_from_the_configured_origin_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Running::start().await;
    let ask = async |origin: &str| {
        let mut stream = tokio::net::TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
        let preflight = format!(
            "OPTIONS /keyvawlt.v1.ServerService/GetServerInfo HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(preflight.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.to_ascii_lowercase()
    };
    assert!(ask("http://vault.example").await.contains("access-control-allow-origin: http://vault.example\r\n"));
    assert!(!ask("http://evil.example").await.contains("access-control-allow-origin"));
    server.stop().await;
}

#[test]
fn every_rpc_is_open_or_has_a_policy() {
    let files = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let own = files.file.iter().filter(|file| file.package() == "keyvawlt.v1");
    let rpcs: BTreeSet<&str> =
        own.flat_map(|file| &file.service).flat_map(|service| &service.method).map(prost_types::MethodDescriptorProto::name).collect();
    let deeds = Deed::all();
    let known = deeds.iter().flat_map(|deed| deed.rpcs()).chain(&OPEN_RPCS).copied().collect::<BTreeSet<_>>();
    assert_eq!(rpcs, known);
}

fn tokio_stream_of<T: Send + 'static>(message: T) -> impl futures::Stream<Item = T> + Send + 'static {
    futures::stream::once(std::future::ready(message))
}
