//! Headers lettre has no name for. Their values are fixed, or checked where they were taken (`Message::unsubscribe`).

use lettre::message::header::{Header, HeaderName, HeaderValue};
use std::error::Error;

/// RFC 3834: a program wrote this, so vacation notices are not sent back.
#[derive(Clone)]
pub(super) struct AutoSubmitted;

/// RFC 8058: where one POST ends such mails.
#[derive(Clone)]
pub(super) struct ListUnsubscribe(pub(super) String);

/// RFC 8058: what is posted there. Without it a mail program may not do it by one click.
#[derive(Clone)]
pub(super) struct ListUnsubscribePost;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(text.trim_matches(['<', '>']).to_owned()))
    }

    fn display(&self) -> HeaderValue {
        // As it is: encoded words are for text, and nobody would find the URL in them.
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.clone(), format!("<{}>", self.0))
    }
}

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}
