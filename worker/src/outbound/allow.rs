//! The operator's exceptions: what may be gone to though it is not public.
//!
//! An address or a range opens addresses of the kinds that may be opened at all; a name opens what it resolves to, of the same kinds, and is
//! looked up as it stands, so that the hosts file and search domains count.

use super::address;
use super::target::Port;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One exception: `127.0.0.1:9000`, `10.1.0.0/16`, `hooks.internal`, `[::1]:9000`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    place: Place,
    /// `None`: any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Net(IpAddr, u8),
    Name(String),
}

/// The operator's list.
#[derive(Clone, Debug, Default)]
pub struct Allow(Vec<Exception>);

/// An entry of the list that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// Neither of the forms.
    #[error("{0:?} is none of address, address:port, address/bits, name, name:port")]
    Form(String),
    /// No exception opens it.
    #[error("{entry:?} is {} and is never opened", kind.words())]
    Never {
        /// The entry.
        entry: String,
        /// What it is.
        kind: address::Kind,
    },
    /// A port on which no HTTP is spoken.
    #[error("{0:?} names a port that is never dialled")]
    Port(String),
}

impl Allow {
    /// Reads the setting.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, AllowError> {
        entries.iter().map(|entry| parse(entry.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the name is on the list itself.
    pub fn has_name(&self, name: &str, port: Port) -> bool {
        self.0.iter().any(|exception| exception.fits(port) && matches!(&exception.place, Place::Name(own) if own == name))
    }

    /// Whether the address is.
    pub fn has_address(&self, address: IpAddr, port: Port) -> bool {
        let holds = |place: &Place| matches!(place, Place::Net(net, bits) if address::within(address, *net, *bits));
        self.0.iter().any(|exception| exception.fits(port) && holds(&exception.place))
    }
}

impl Exception {
    fn fits(&self, port: Port) -> bool {
        self.port.is_none_or(|own| own == port.get())
    }
}

fn parse(entry: &str) -> Result<Exception, AllowError> {
    let wrong = || AllowError::Form(entry.to_owned());
    let exception = if let Ok(address) = IpAddr::from_str(entry) {
        Exception { place: Place::Net(address, full(address)), port: None }
    } else if let Ok(socket) = SocketAddr::from_str(entry) {
        Exception { place: Place::Net(socket.ip(), full(socket.ip())), port: Some(socket.port()) }
    } else if let Some((net, bits)) = entry.split_once('/') {
        let net = IpAddr::from_str(net).map_err(|_| wrong())?;
        let bits = bits.parse().ok().filter(|bits| *bits <= full(net)).ok_or_else(wrong)?;
        Exception { place: Place::Net(net, bits), port: None }
    } else {
        let (name, port) = match entry.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
            None => (entry, None),
        };
        // Read as a URL's host is, so that both are compared in one form.
        let host = url::Host::parse(name).map_err(|_| wrong())?;
        let url::Host::Domain(name) = host else { return Err(wrong()) };
        if name.ends_with('.') {
            return Err(wrong());
        }
        Exception { place: Place::Name(name), port }
    };
    if exception.port.is_some_and(|port| Port::new(port).is_none()) {
        return Err(AllowError::Port(entry.to_owned()));
    }
    if let Place::Net(net, _) = exception.place
        && let Some(kind) = address::kind(net).filter(|kind| !kind.may_be_opened())
    {
        return Err(AllowError::Never { entry: entry.to_owned(), kind });
    }
    Ok(exception)
}

fn full(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
