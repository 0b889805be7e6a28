//! ServerService: what anybody may know.

use crate::Api;
use keyvawlt_proto::v1::server_service_server::ServerService;
use keyvawlt_proto::{MIN_PROTOCOL, PROTOCOL, v1};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl ServerService for Api {
    async fn get_server_info(&self, _: Request<v1::GetServerInfoRequest>) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            min_protocol: MIN_PROTOCOL,
            now_ms: self.parts.store.clock().now_ms(),
        }))
    }
}
