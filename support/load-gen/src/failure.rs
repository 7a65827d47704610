//! The ways in which a request can fail. Each is counted by itself and none is averaged in.
//!
//! The names say what the client saw, because that is all it knows: a server that crashes, one that
//! refuses work and one that is too slow look different from here, and the report keeps them apart.

use std::{fmt, io, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What became of a request that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// Nobody listens there.
    ConnectRefused,
    /// The connection was not established within the request's time.
    ConnectTimedOut,
    /// The connection failed in another way: no route, a firewall.
    ConnectFailed,
    /// This machine has no free local port left. The generator's limit, not the server's.
    OutOfPorts,
    /// This process has no free file descriptor left. The generator's limit, not the server's.
    OutOfFiles,
    /// The server ended the connection with a TCP reset, or the kernel did on its behalf.
    Reset,
    /// The server closed the connection in good order before the response was complete.
    ClosedEarly,
    /// The complete response was not there in time.
    TimedOut,
    /// No connection became free in time, so the request never left.
    NeverSent,
    /// An earlier request on the same connection failed and took this one with it.
    Abandoned,
    /// The answer was not HTTP/1.1.
    Malformed,
    /// A complete response with a status outside 200 to 299.
    Status(u16),
}

/// Every kind without a number in it, with its name in reports.
const NAMES: [(Failure, &str); 11] = [
    (Failure::ConnectRefused, "connect refused"),
    (Failure::ConnectTimedOut, "connect timed out"),
    (Failure::ConnectFailed, "connect failed"),
    (Failure::OutOfPorts, "out of local ports"),
    (Failure::OutOfFiles, "out of file descriptors"),
    (Failure::Reset, "reset"),
    (Failure::ClosedEarly, "closed early"),
    (Failure::TimedOut, "timed out"),
    (Failure::NeverSent, "never sent"),
    (Failure::Abandoned, "abandoned"),
    (Failure::Malformed, "malformed response"),
];

impl Failure {
    /// What an error while connecting means.
    pub fn of_connect(error: &io::Error) -> Self {
        // EMFILE and ENFILE have no stable `ErrorKind`.
        let errno = error.raw_os_error();
        if [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .iter()
            .any(|limit| errno == Some(limit.raw_os_error()))
        {
            return Self::OutOfFiles;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::TimedOut => Self::ConnectTimedOut,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::OutOfPorts,
            _ => Self::ConnectFailed,
        }
    }

    /// What an error on an established connection means.
    pub fn of_stream(error: &io::Error) -> Self {
        match error.kind() {
            // EPIPE: the server had closed in good order before a reset came for what we still sent.
            io::ErrorKind::BrokenPipe => Self::ClosedEarly,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Reset,
        }
    }

    /// Whether the failure is this machine's and says nothing about the server.
    pub fn is_local(self) -> bool {
        matches!(self, Self::OutOfPorts | Self::OutOfFiles)
    }

    /// Whether the request failed before there was a connection.
    pub fn is_connect(self) -> bool {
        matches!(self, Self::ConnectRefused | Self::ConnectTimedOut | Self::ConnectFailed)
            || self.is_local()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(failure, _)| failure == self) {
            Some((_, name)) => out.pad(name),
            None => match self {
                Self::Status(status) => out.pad(&format!("status {status}")),
                other => unreachable!("{other:?} has no name"),
            },
        }
    }
}

/// The name is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("unknown kind of failure {0:?}")]
pub struct UnknownFailure(String);

impl FromStr for Failure {
    type Err = UnknownFailure;

    fn from_str(text: &str) -> Result<Self, UnknownFailure> {
        let unknown = || UnknownFailure(text.to_owned());
        if let Some(status) = text.strip_prefix("status ") {
            return status.parse().map(Self::Status).map_err(|_| unknown());
        }
        let named = NAMES.iter().find(|(_, name)| *name == text);
        named.map(|(failure, _)| *failure).ok_or_else(unknown)
    }
}

/// In records a failure is its name, so that it can be the key of a map.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_name() {
        let kinds = NAMES.iter().map(|(failure, _)| *failure).chain([Failure::Status(503)]);
        for kind in kinds {
            assert_eq!(kind.to_string().parse::<Failure>().unwrap(), kind);
        }
    }

    #[test]
    fn refuses_names_that_are_not_ours() {
        assert!("status many".parse::<Failure>().is_err());
        assert!("tired".parse::<Failure>().is_err());
    }

    #[test]
    fn tells_this_machines_limits_from_the_servers() {
        let no_files = io::Error::from(rustix::io::Errno::MFILE);
        let no_ports = io::Error::from(rustix::io::Errno::ADDRNOTAVAIL);
        assert!(Failure::of_connect(&no_files).is_local());
        assert!(Failure::of_connect(&no_ports).is_local());
        let refused = Failure::of_connect(&io::Error::from(rustix::io::Errno::CONNREFUSED));
        assert_eq!(refused, Failure::ConnectRefused);
        assert!(!refused.is_local() && refused.is_connect());
    }
}
