//! Where the requests go, and whether they may go there.
//!
//! A load generator aimed at somebody else's machine is an attack, so everything beyond loopback
//! must be allowed in so many words.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

use http::Uri;
use thiserror::Error;

/// The default port of `http` (RFC 9110, section 4.2.1).
const HTTP_PORT: u16 = 80;

/// The parts of a URL that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Host and port as they stand in the URL: the `Host` field.
    pub(crate) authority: String,
    /// Path and query: the request target. At least `/`.
    pub(crate) path: String,
    host: String,
    port: u16,
}

impl Target {
    /// Reads `http://host[:port][/path]`.
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let invalid = || TargetError::Invalid { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Tls { url: url.to_owned() }),
            _ => return Err(invalid()),
        }
        let authority = uri.authority().ok_or_else(invalid)?;
        if authority.as_str().contains('@') {
            return Err(invalid());
        }
        Ok(Self {
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(HTTP_PORT),
        })
    }

    /// Finds the address. One that is not of this machine is refused unless `allow_remote`.
    pub(crate) fn resolve(&self, allow_remote: bool) -> Result<SocketAddr, TargetError> {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses =
            addresses.map_err(|source| TargetError::Unknown { host: self.host.clone(), source })?;
        let address = prefer_v4(addresses)
            .ok_or_else(|| TargetError::NoAddress { host: self.host.clone() })?;
        if address.ip().is_loopback() || allow_remote {
            Ok(address)
        } else {
            Err(TargetError::Remote { address })
        }
    }
}

/// `localhost` often names `::1` first, where a server bound to 127.0.0.1 does not listen.
fn prefer_v4(addresses: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
    addresses.min_by_key(SocketAddr::is_ipv6)
}

/// Why there is nowhere to send to.
#[derive(Debug, Error)]
pub enum TargetError {
    /// Not a URL of the form we need.
    #[error("{url:?} is not a URL like http://127.0.0.1:8080/metrics")]
    Invalid {
        /// What was given.
        url: String,
    },
    /// TLS would measure the cipher more than the server.
    #[error("{url:?} needs TLS, which this generator does not speak: use http://")]
    Tls {
        /// What was given.
        url: String,
    },
    /// The address is another machine's.
    #[error(
        "{address} is not this machine; load on a machine that is not yours is an attack, so say --allow-remote if it is yours"
    )]
    Remote {
        /// What the host resolved to.
        address: SocketAddr,
    },
    /// The name service does not know the host.
    #[error("cannot find the address of {host:?}")]
    Unknown {
        /// The host of the URL.
        host: String,
        /// What the name service said.
        source: io::Error,
    },
    /// The name service knows the host and no address of it.
    #[error("{host:?} has no address")]
    NoAddress {
        /// The host of the URL.
        host: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts_of_a_url() {
        let target = Target::parse("http://localhost:8080/metrics?x=1").unwrap();
        assert_eq!(target.authority, "localhost:8080");
        assert_eq!(target.path, "/metrics?x=1");
        assert_eq!(Target::parse("http://127.0.0.1").unwrap().path, "/");
    }

    #[test]
    fn refuses_what_is_not_plain_http() {
        for url in ["", "127.0.0.1:8080", "/metrics", "ftp://x/", "http://", "http://a@b/"] {
            assert!(matches!(Target::parse(url), Err(TargetError::Invalid { .. })), "{url}");
        }
        let tls = Target::parse("https://127.0.0.1/").unwrap_err();
        assert!(matches!(tls, TargetError::Tls { .. }));
    }

    #[test]
    fn takes_every_spelling_of_this_machine() {
        for url in ["http://127.0.0.1:1/", "http://127.0.3.9:1/", "http://[::1]:1/"] {
            let address = Target::parse(url).unwrap().resolve(false).unwrap();
            assert!(address.ip().is_loopback(), "{url}");
        }
    }

    #[test]
    fn refuses_another_machine_unless_it_is_allowed() {
        let target = Target::parse("http://192.0.2.1:9/").unwrap();
        assert!(matches!(target.resolve(false), Err(TargetError::Remote { .. })));
        assert_eq!(target.resolve(true).unwrap().to_string(), "192.0.2.1:9");
    }

    #[test]
    fn prefers_the_older_protocol_where_a_name_has_both() {
        let both = ["[::1]:80", "127.0.0.1:80"].map(|text| text.parse().unwrap());
        assert!(prefer_v4(both.into_iter()).unwrap().is_ipv4());
    }
}
