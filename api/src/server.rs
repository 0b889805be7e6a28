//! Assembling the services: limits, layers, health, reflection, gRPC-Web, and an end in time.

use crate::door::DoorLayer;
use crate::unsubscribe::UnsubscribeLayer;
use crate::{Api, ApiParts};
use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use keyvawlt_proto::v1::account_service_server::AccountServiceServer;
use keyvawlt_proto::v1::key_health_service_server::KeyHealthServiceServer;
use keyvawlt_proto::v1::monitor_service_server::MonitorServiceServer;
use keyvawlt_proto::v1::namespace_service_server::NamespaceServiceServer;
use keyvawlt_proto::v1::notification_service_server::NotificationServiceServer;
use keyvawlt_proto::v1::organization_service_server::OrganizationServiceServer;
use keyvawlt_proto::v1::rotation_service_server::RotationServiceServer;
use keyvawlt_proto::v1::server_service_server::ServerServiceServer;
use keyvawlt_proto::{CLIENT_HEADER, DESCRIPTORS, MAX_MESSAGE, SERVER_HEADER};
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::server::NamedService as _;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_web::GrpcWebLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Sealed pins are the largest thing of an account, at most 1 MiB, with blob and slots beside them.
const MAX_ACCOUNT_MESSAGE: usize = 2 * 1024 * 1024;
/// A thousand positions of 30 bytes, with room.
const MAX_QUESTION: usize = 256 * 1024;
/// A connection nobody answers on is given up.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls of one connection at once: beyond what any client does, below what would fill memory with batches.
const MAX_STREAMS: u32 = 128;
/// A token, two versions and some tracing headers.
const MAX_HEADERS: u32 = 16 * 1024;
/// A batch of 16 MiB arrives without waiting for a window update every 64 KiB.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How long a browser may remember what it may send.
const CORS_MAX_AGE: Duration = Duration::from_hours(1);

/// Why calls are not answered (any longer).
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors are not what reflection expects.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The connection failed.
    #[error("serving: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// An origin cannot be a header's value.
    #[error("the origin {0:?} is not a valid header value")]
    Origin(String),
}

/// Answers calls until `shutdown`, then lets running ones end.
pub async fn serve(parts: ApiParts, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
    let cors = cors(&parts.origins)?;
    let api = Api::new(parts);
    let (mut health, health_service) = tonic_health::server::health_reporter();
    let watched = [
        "",
        AccountServiceServer::<Api>::NAME,
        OrganizationServiceServer::<Api>::NAME,
        NamespaceServiceServer::<Api>::NAME,
        KeyHealthServiceServer::<Api>::NAME,
        MonitorServiceServer::<Api>::NAME,
        NotificationServiceServer::<Api>::NAME,
        RotationServiceServer::<Api>::NAME,
        ServerServiceServer::<Api>::NAME,
    ];
    for service in watched {
        health.set_service_status(service, tonic_health::ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let ending = async {
        shutdown.await;
        // Watchers hear of it, and their streams end: a stop would wait for them otherwise.
        for service in watched {
            health.set_service_status(service, tonic_health::ServingStatus::NotServing).await;
            health.clear_service_status(service).await;
        }
    };
    Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(MAX_HEADERS)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .layer(cors)
        .layer(UnsubscribeLayer(api.clone()))
        .layer(GrpcWebLayer::new())
        .layer(DoorLayer::new(api.parts.clone()))
        .add_service(AccountServiceServer::new(api.clone()).max_decoding_message_size(MAX_ACCOUNT_MESSAGE))
        .add_service(
            OrganizationServiceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            NamespaceServiceServer::new(api.clone()).max_decoding_message_size(MAX_QUESTION).max_encoding_message_size(MAX_MESSAGE),
        )
        .add_service(KeyHealthServiceServer::new(api.clone()).max_decoding_message_size(MAX_QUESTION))
        .add_service(MonitorServiceServer::new(api.clone()).max_decoding_message_size(MAX_QUESTION))
        .add_service(NotificationServiceServer::new(api.clone()).max_decoding_message_size(MAX_QUESTION))
        .add_service(RotationServiceServer::new(api.clone()).max_decoding_message_size(MAX_QUESTION))
        .add_service(ServerServiceServer::new(api).max_decoding_message_size(MAX_QUESTION))
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .serve_with_incoming_shutdown(incoming, ending)
        .await?;
    Ok(())
}

/// Browsers may call from the configured origins, and from nowhere else.
fn cors(origins: &[String]) -> Result<CorsLayer, ServeError> {
    let allowed = origins.iter().map(|origin| browser_form(origin).parse().map_err(|_| ServeError::Origin(origin.clone())));
    let own = [HeaderName::from_static(CLIENT_HEADER), HeaderName::from_static("x-grpc-web"), HeaderName::from_static("grpc-timeout")];
    let exposed = ["grpc-status", "grpc-message", "grpc-status-details-bin"].map(HeaderName::from_static);
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed.collect::<Result<Vec<_>, _>>()?))
        .allow_methods([http::Method::POST])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION].into_iter().chain(own).collect::<Vec<_>>())
        .expose_headers(exposed.into_iter().chain([HeaderName::from_static(SERVER_HEADER)]).collect::<Vec<_>>())
        .max_age(CORS_MAX_AGE))
}

/// Browsers leave default ports out.
fn browser_form(origin: &str) -> &str {
    match origin.split_once("://") {
        Some(("https", rest)) if rest.ends_with(":443") => origin.trim_end_matches(":443"),
        Some(("http", rest)) if rest.ends_with(":80") => origin.trim_end_matches(":80"),
        _ => origin,
    }
}
