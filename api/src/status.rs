//! Errors as gRPC says them: a code, a reason from `error_reason.proto`, and what a program needs to react.
//!
//! Messages carry no secret, address or driver text; absent and forbidden are one answer.

use keyvawlt_domain::Error;
use keyvawlt_ledger::Code as FaultCode;
use keyvawlt_proto::{ERROR_DOMAIN, MIN_PROTOCOL};
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// When to come back after a passing trouble: the writer of another process is done by then.
const UNAVAILABLE_RETRY: Duration = Duration::from_millis(200);

/// The status of an error, under the request's id.
pub(crate) fn of(error: &Error, request_id: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.set_request_info(request_id, "");
    let mut metadata = HashMap::new();
    let (code, reason, message) = match error {
        Error::Unauthenticated { why } => (Code::Unauthenticated, "UNAUTHENTICATED", why.to_string()),
        Error::Forbidden => (Code::PermissionDenied, "FORBIDDEN", error.to_string()),
        Error::Invalid { field, why } => {
            details.add_bad_request_violation(*field, why.to_string());
            (Code::InvalidArgument, "INVALID", error.to_string())
        }
        Error::Conflict { why, current } => {
            if let Some(current) = current {
                metadata.insert("current".to_owned(), current.to_string());
            }
            (Code::Aborted, "CONFLICT", why.to_string())
        }
        Error::Fault(fault) => {
            metadata.insert("code".to_owned(), fault.code.as_str().to_owned());
            match fault.code {
                FaultCode::Limit => (Code::ResourceExhausted, "TOO_LARGE", fault.why.to_string()),
                _ => (Code::FailedPrecondition, "REFUSED", fault.why.to_string()),
            }
        }
        Error::RateLimited { retry_after_ms } => {
            details.set_retry_info(Some(Duration::from_millis(*retry_after_ms)));
            (Code::ResourceExhausted, "RATE_LIMITED", error.to_string())
        }
        Error::TooLarge { .. } => (Code::ResourceExhausted, "TOO_LARGE", error.to_string()),
        Error::Upgrade => {
            metadata.insert("minimum".to_owned(), MIN_PROTOCOL.to_string());
            (Code::FailedPrecondition, "UPGRADE_REQUIRED", "this client is too old for the server, or is none: upgrade required".to_owned())
        }
        Error::Unavailable => {
            details.set_retry_info(Some(UNAVAILABLE_RETRY));
            (Code::Unavailable, "UNAVAILABLE", error.to_string())
        }
        Error::Restoring => (Code::FailedPrecondition, "RESTORING", error.to_string()),
        Error::Internal(_) => (Code::Internal, "INTERNAL", error.to_string()),
    };
    details.set_error_info(reason, ERROR_DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::Fault;
    use keyvawlt_proto::v1::ErrorReason;

    #[test]
    fn every_reason_is_in_the_contract_and_every_reason_of_the_contract_is_given() {
        let errors = [
            Error::unauthenticated("x"),
            Error::Forbidden,
            Error::invalid("x", "y"),
            Error::Conflict { why: "x".into(), current: Some(7) },
            Error::Fault(Fault::new(FaultCode::Owed, "x")),
            Error::RateLimited { retry_after_ms: 5 },
            Error::TooLarge { what: "x", limit: 1 },
            Error::Upgrade,
            Error::Unavailable,
            Error::internal("x"),
            Error::Restoring,
        ];
        let mut given: Vec<i32> = errors
            .iter()
            .map(|error| {
                let reason = of(error, "r").get_details_error_info().unwrap().reason;
                ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).unwrap().into()
            })
            .collect();
        given.sort_unstable();
        assert_eq!(given, (1..=11).collect::<Vec<i32>>());
    }

    #[test]
    fn the_source_of_an_internal_error_does_not_leave() {
        let status = of(&Error::internal("connection to 10.0.0.7 refused"), "r");
        assert!(!format!("{status:?}").contains("10.0.0.7"));
    }
}
