//! What the client library reports, in the words and exit codes of the command line.

use keyvawlt_client::Error;
use keyvawlt_client::ledger::{Code, Fault};

use super::Failure;
use crate::exit::Exit;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unreachable { origin, why } => Self::new(Exit::Unreachable, format!("the server cannot be reached: {why}"))
                .on(origin)
                .hint("is it running, and is the address right? see keyvawlt config debug"),
            Error::Unauthenticated { request_id, .. } => {
                Self::new(Exit::Unauthenticated, "the server does not accept this login").hint("keyvawlt login").request(request_id)
            }
            Error::Forbidden => {
                Self::new(Exit::PermissionDenied, message).hint("ask an admin for access; keyvawlt whoami shows who you are")
            }
            Error::NotFound { what: "provider", name } => {
                Self::new(Exit::NotFound, "no provider of this name is known here").on(name).hint("keyvawlt health providers lists them")
            }
            Error::NotFound { what, name } => {
                Self::new(Exit::NotFound, format!("there is no such {what}, or none that you may see")).on(name)
            }
            Error::Conflict { .. } => Self::new(Exit::Conflict, message).hint("look at the present state, then try again"),
            Error::RateLimited { retry_after_ms } => Self::new(Exit::RateLimited, message).retry(true, Some(retry_after_ms)),
            Error::Restoring => Self::local(message)
                .code("RESTORING")
                .hint("keyvawlt org bring-back gives it what this machine holds; its operator says when it is open again"),
            Error::Upgrade { .. } => Self::local(message).code("UPGRADE_REQUIRED"),
            // The server's own words name the field.
            Error::Invalid { field: "request", why } => Self::usage(why),
            Error::Invalid { .. } => Self::usage(message),
            Error::Refused(fault) if fault.code == Code::Clock => Self::local(fault.why).code("CLOCK").hint("set it right and try again"),
            Error::Refused(fault) => refused(&fault),
            Error::Verification(error) => unverified(error.fault()).found(error.evidence().cloned()),
            Error::Storage { path, why } => Self::local(why).on(path.display().to_string()).code("STORAGE"),
            Error::Clock { minutes } => Self::local(format!("this machine's clock and the server's differ by {minutes} minutes"))
                .code("CLOCK")
                .hint("set it right and try again"),
            Error::Server { request_id, .. } => Self::local(message).code("SERVER_FAULT").retry(true, None).request(request_id),
            // The library may learn further reasons; their own words serve until they get a place here.
            _ => Self::local(message),
        }
    }
}

impl From<Fault> for Failure {
    /// A text of ours (a code, a token, a key file) that does not parse.
    fn from(fault: Fault) -> Self {
        Self::usage(fault.why.into_owned()).code(fault.code.as_str())
    }
}

/// The rules do not allow it.
fn refused(fault: &Fault) -> Failure {
    let exit = match fault.code {
        Code::Authority => Exit::PermissionDenied,
        Code::Limit => Exit::Usage,
        _ => Exit::Local,
    };
    Failure::new(exit, fault.why.to_string()).code(fault.code.as_str())
}

/// Never retried, and nothing older is shown instead.
fn unverified(fault: &Fault) -> Failure {
    let failure = Failure::new(Exit::VerificationFailed, format!("what the server delivered does not verify: {}", fault.why))
        .code(fault.code.as_str());
    match fault.code {
        // Not only a server can do that: a member may have signed garbage.
        Code::Aead | Code::Canon | Code::Name => failure.hint(
            "nothing of it was used and nothing was written; tell your admin. What a member wrote in bad faith is shown and deleted by keyvawlt \
             secrets delete --damaged",
        ),
        _ => failure
            .hint("nothing of it was used and nothing was written; tell your admin, and compare keyvawlt status with a colleague's"),
    }
}
