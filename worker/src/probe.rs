//! One look at a monitor's URL, and whether what came back is as expected. No secret is sent, and none is known here.

mod lag;
pub(crate) mod rounds;
mod slots;
#[cfg(test)]
mod tests;

use crate::outbound::{Answer, Outbound, Reason, Request, Trace};
use http::{HeaderMap, StatusCode, Version};
use keyvawlt_domain::monitors::{BodyRule, HeaderRule, Method, Outcome, Rules};
use std::time::Duration;

pub(crate) use lag::Lag;
pub use lag::LagSeen;

/// What a redirect answers with: whoever expects one of these wants to see it, and not what lies behind it.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// What a look found.
#[derive(Debug)]
pub struct Look {
    /// Whether it is as expected.
    pub verdict: Verdict,
    /// What the last hop answered, if it did.
    pub status: Option<StatusCode>,
    /// HTTP/1.0 or HTTP/1.1, if it answered.
    pub version: Option<Version>,
    /// How long each phase took, and when the certificate ends.
    pub trace: Trace,
}

/// Whether a look is as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Passed,
    /// We are asked to come less often: no failure of the service.
    Throttled,
    /// It is not.
    Failed(Fault),
}

/// Why a look failed. Words without the target's own: an answer may say anything, also something that its owner must not be mailed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer.
    #[error("{0}")]
    NoAnswer(#[from] Reason),
    /// Another status than those expected.
    #[error("it answered {0}")]
    Status(u16),
    /// A header is missing.
    #[error("the header {0} is missing")]
    HeaderMissing(String),
    /// A header says something else.
    #[error("the header {0} is not as expected")]
    HeaderOtherwise(String),
    /// What should be in the body is not; of a longer body, in its beginning.
    #[error("the expected text is not in the first 64 KiB of the answer")]
    TextMissing,
    /// What should not be in the body is.
    #[error("the answer contains a text that it must not contain")]
    TextPresent,
}

/// Looks once.
pub async fn probe(outbound: &Outbound, url: &str, rules: &Rules) -> Look {
    match outbound.send(&request(url, rules)).await {
        Ok(answer) => {
            let verdict = verdict(&answer, rules);
            Look { verdict, status: Some(answer.status), version: Some(answer.version), trace: answer.trace }
        }
        Err(failed) => Look { verdict: Verdict::Failed(failed.reason.into()), status: None, version: None, trace: failed.trace },
    }
}

impl Look {
    /// As it is written down.
    fn outcome(&self) -> Outcome {
        match &self.verdict {
            Verdict::Passed => Outcome::Passed,
            Verdict::Throttled => Outcome::Throttled,
            Verdict::Failed(fault) => Outcome::Failed(fault.to_string()),
        }
    }
}

fn request(url: &str, rules: &Rules) -> Request {
    let method = match rules.method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Options => http::Method::OPTIONS,
    };
    let request = Request::new(method, url).within(Duration::from_millis(rules.timeout_ms));
    if REDIRECTS.iter().any(|status| rules.expects(*status)) { request } else { request.following_redirects() }
}

fn verdict(answer: &Answer, rules: &Rules) -> Verdict {
    let status = answer.status;
    if !rules.expects(status.as_u16()) {
        let throttled = status == StatusCode::TOO_MANY_REQUESTS;
        return if throttled { Verdict::Throttled } else { Verdict::Failed(Fault::Status(status.as_u16())) };
    }
    let headers = rules.headers.iter().find_map(|rule| header_fault(&answer.headers, rule));
    let fault = headers.or_else(|| rules.body.as_ref().and_then(|rule| body_fault(&answer.body, rule)));
    fault.map_or(Verdict::Passed, Verdict::Failed)
}

fn header_fault(headers: &HeaderMap, rule: &HeaderRule) -> Option<Fault> {
    let mut values = headers.get_all(&rule.name).iter().peekable();
    if values.peek().is_none() {
        return Some(Fault::HeaderMissing(rule.name.clone()));
    }
    let said = values.any(|value| has(value.as_bytes(), rule.contains.as_bytes()));
    (!said).then(|| Fault::HeaderOtherwise(rule.name.clone()))
}

fn body_fault(body: &[u8], rule: &BodyRule) -> Option<Fault> {
    match (has(body, rule.text.as_bytes()), rule.absent) {
        (false, false) => Some(Fault::TextMissing),
        (true, true) => Some(Fault::TextPresent),
        _ => None,
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
