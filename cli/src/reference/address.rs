//! Addresses of secrets: `NAME` in the chosen environment, or `keyvawlt://project/environment/NAME[?version=N]` wherever it lies.

use std::str::FromStr;

use super::{Malformed, SecretName, Version, parse_version};

/// What an address that names its place begins with.
const SCHEME: &str = "keyvawlt://";

/// Where a secret lies, and which version is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Project and environment; those of the settings when absent.
    pub place: Option<(String, String)>,
    /// The secret.
    pub name: SecretName,
    /// The version; the newest when absent.
    pub version: Option<Version>,
}

impl FromStr for Address {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Ok(Self { place: None, name: SecretName::parse(text)?, version: None });
        };
        let (path, version) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(parse_version(query.strip_prefix("version=").ok_or(Malformed::Address)?)?)),
            None => (rest, None),
        };
        let mut parts = path.splitn(3, '/');
        let (Some(project), Some(environment), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Malformed::Address);
        };
        if project.is_empty() || environment.is_empty() {
            return Err(Malformed::Address);
        }
        Ok(Self { place: Some((project.to_owned(), environment.to_owned())), name: SecretName::parse(name)?, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_place_or_leaves_it_to_the_settings() {
        let name = |text: &str| SecretName::parse(text).unwrap();
        let bare: Address = "stripe/key".parse().unwrap();
        assert_eq!(bare, Address { place: None, name: name("stripe/key"), version: None });
        let place = Some(("payments".to_owned(), "production".to_owned()));
        let cases = [
            ("keyvawlt://payments/production/key", "key", None),
            ("keyvawlt://payments/production/stripe/live/key", "stripe/live/key", None),
            ("keyvawlt://payments/production/key?version=3", "key", Some(Version::Number(3))),
            ("keyvawlt://payments/production/key?version=previous", "key", Some(Version::Previous)),
            ("keyvawlt://payments/production/key?version=current", "key", Some(Version::Current)),
        ];
        for (text, secret, version) in cases {
            assert_eq!(text.parse(), Ok(Address { place: place.clone(), name: name(secret), version }), "{text}");
        }
        for text in
            ["keyvawlt://a/b", "keyvawlt:///b/c", "keyvawlt://a//c", "keyvawlt://a/b/c?", "keyvawlt://a/b/c?v=1", "vault://a/b/c", "a/-b"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert_eq!("keyvawlt://a/b/c?version=0".parse::<Address>(), Err(Malformed::Version));
    }
}
