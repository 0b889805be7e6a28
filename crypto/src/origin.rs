//! A server's origin as codes, tokens and kits carry it: `scheme://host:port`, nothing before, nothing behind.

use crate::armor::refused;
use keyvawlt_ledger::Fault;

/// Its length stands in one byte.
pub const MAX_ORIGIN: usize = 255;

/// Refuses what is not an origin: a path, a query, user names, spaces, upper case, a missing port or another scheme than http and https.
pub fn check(origin: &str) -> Result<(), Fault> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let (host, port) = authority.and_then(|rest| rest.rsplit_once(':')).unwrap_or_default();
    let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_[]:".contains(&b));
    let is_port = port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port);
    if is_host && is_port && origin.len() <= MAX_ORIGIN {
        return Ok(());
    }
    Err(refused("a server's origin is http:// or https://, a host in lower case, and a port, as in https://vault.example.com:443"))
}

/// Whether calls to this origin travel over a network without TLS.
pub fn is_in_clear(origin: &str) -> bool {
    let Some((host, _)) = origin.strip_prefix("http://").and_then(|rest| rest.rsplit_once(':')) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    !(host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback()))
}

/// Appends `len(1) || origin`.
pub(crate) fn write(origin: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    check(origin)?;
    out.push(u8::try_from(origin.len()).map_err(|_| refused("a server's origin must not exceed 255 bytes"))?);
    out.extend_from_slice(origin.as_bytes());
    Ok(())
}

/// Reads what [`write`] wrote, to the last byte.
pub(crate) fn read(bytes: &[u8]) -> Result<String, Fault> {
    let broken = || refused("the server's origin in it is malformed");
    let (length, origin) = bytes.split_first().ok_or_else(broken)?;
    let origin = std::str::from_utf8(origin).map_err(|_| broken())?;
    if origin.len() != usize::from(*length) {
        return Err(broken());
    }
    check(origin).map(|()| origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_in_clear_without_a_warning() {
        for quiet in ["https://vault.example.com:443", "http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200"] {
            assert!(!is_in_clear(quiet), "{quiet}");
        }
        for clear in ["http://vault.example.com:80", "http://10.0.0.1:8200", "http://localhost.example.com:1", "http://[::2]:1"] {
            assert!(is_in_clear(clear), "{clear}");
        }
    }

    #[test]
    fn only_scheme_host_and_port_are_an_origin() {
        for good in ["https://vault.example.com:443", "http://127.0.0.1:8200", "https://[::1]:8443"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "vault:1",
            "https://a",
            "https://a:0",
            "https://a:443/",
            "https://u@a:443",
            "https://A:443",
            "ftp://a:1",
            "https://a:+443",
            "https://a:0443",
            "https://a b:1",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
