//! Why an exchange came to nothing: a closed list, each with words for the person whose target it was. No driver's text, no address.

use super::address::Kind;

/// How the text of a [`Reason`] begins that is a rule of this server's operator. It is kept with what failed, and words are chosen by it.
pub(crate) const BY_RULE: &str = "refused by this server's rules: ";

/// Why a target is not gone to. Nothing was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The URL cannot be read.
    #[error("this is not a URL")]
    NotAUrl,
    /// Longer than [`super::MAX_URL_LENGTH`].
    #[error("the URL is too long")]
    TooLong,
    /// Neither http nor https.
    #[error("only http and https are spoken")]
    Scheme,
    /// A user or a password in the URL.
    #[error("a URL must not carry a user or a password")]
    Credentials,
    /// A port of another protocol.
    #[error("port {0} belongs to another protocol")]
    Port(u16),
    /// `example.com.`
    #[error("the name must not end in a dot")]
    TrailingDot,
    /// A name that only the server's own network knows.
    #[error("the name belongs to a local network")]
    LocalName,
    /// The URL names, or its name resolves to, an address that is not public.
    #[error("the target leads to {}", .0.words())]
    Address(Kind),
    /// The name resolves to public addresses and to others: which one is dialled would be the name server's choice.
    #[error("the name leads to the public Internet and to {}", .0.words())]
    Mixed(Kind),
    /// The operator lets this server go nowhere but where his list says.
    #[error("this server goes only to targets that its operator listed")]
    NotListed,
    /// A redirect from https to http.
    #[error("a redirect leads from https to http")]
    Downgrade,
    /// More hops than [`super::MAX_REDIRECTS`].
    #[error("there are too many redirects")]
    TooManyRedirects,
    /// A redirect without a readable place.
    #[error("a redirect does not say where to")]
    Location,
}

impl Refusal {
    /// Whether it is a rule about where this server may go, which is its operator's business, and not a flaw of the URL or of an answer.
    fn is_by_rule(self) -> bool {
        matches!(self, Self::Port(_) | Self::LocalName | Self::Address(_) | Self::Mixed(_) | Self::NotListed)
    }

    fn begin(self) -> &'static str {
        if self.is_by_rule() { BY_RULE } else { "refused: " }
    }
}

/// What was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Asking for the name's addresses.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Shaking hands in TLS.
    Tls,
    /// Waiting for the answer's first byte, and its head.
    Head,
    /// Reading the answer's body.
    Body,
}

impl Phase {
    fn words(self) -> &'static str {
        match self {
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Tls => "the TLS handshake",
            Self::Head => "waiting for the answer",
            Self::Body => "reading the answer",
        }
    }
}

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// Its time has not come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// It is another name's.
    #[error("the certificate is for another name")]
    WrongName,
    /// Nobody known signed it.
    #[error("the certificate is signed by nobody who is trusted")]
    UnknownIssuer,
    /// It was withdrawn.
    #[error("the certificate was revoked")]
    Revoked,
    /// Something else is wrong with it.
    #[error("the certificate is not acceptable")]
    Other,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The target is none to go to.
    #[error("{}{}", .0.begin(), .0)]
    Refused(#[from] Refusal),
    /// The name exists and has no address, or does not exist.
    #[error("the name has no address")]
    NoAddress,
    /// The system's resolver does not tell a name that is missing from name servers that are.
    #[error("the name could not be looked up: it does not exist, or its name servers do not answer")]
    Lookup,
    /// Nobody listens there.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// There is no way there.
    #[error("there is no way to the target")]
    Unreachable,
    /// The other end hung up.
    #[error("the connection was closed while {}", .0.words())]
    Closed(Phase),
    /// The time was over.
    #[error("it took too long: {}", .0.words())]
    TimedOut(Phase),
    /// The certificate.
    #[error("{0}")]
    Certificate(#[from] CertificateFault),
    /// TLS, but not the certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The answer is no HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// The answer's head is too large.
    #[error("the answer's headers are too large")]
    HeadTooLarge,
    /// The request could not be made: a header that is none.
    #[error("the request cannot be made")]
    Request,
}

impl Reason {
    /// Whether the same request would be refused again, without anything being dialled, until somebody changes URL or settings.
    /// A name's addresses may change by themselves.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Refused(refusal) => !matches!(refusal, Refusal::Address(_) | Refusal::Mixed(_)),
            Self::Request => true,
            _ => false,
        }
    }
}
