//! Opens connections without waiting for them, from as many local addresses as it takes.
//!
//! A local address has about 28,000 ephemeral ports on Linux (`ip_local_port_range`), and a closed
//! connection keeps its port for a while. Towards a loopback target the whole of 127.0.0.0/8 is
//! ours, so when the ports of one address are used up the next one takes over.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

/// Source addresses beside the kernel's choice: 127.0.0.2 and up. With 28,000 ports each, more than
/// half a million connections.
const EXTRA_SOURCES_MAX: u8 = 20;

#[derive(Debug)]
pub(crate) struct Dialer {
    target: SocketAddr,
    /// 0 is the kernel's choice.
    source: u8,
    sources_used: u8,
    opened: u64,
}

impl Dialer {
    pub(crate) fn new(target: SocketAddr) -> Self {
        Self { target, source: 0, sources_used: 1, opened: 0 }
    }

    /// Begins a connection. Most errors show later, on the stream.
    pub(crate) fn dial(&mut self) -> io::Result<TcpStream> {
        let mut result = self.dial_from(self.source);
        for _ in 0..EXTRA_SOURCES_MAX {
            if !matches!(&result, Err(error) if is_out_of_ports(error)) || !self.has_more_sources()
            {
                break;
            }
            self.source = (self.source + 1) % (EXTRA_SOURCES_MAX + 1);
            self.sources_used = self.sources_used.max(self.source + 1);
            result = self.dial_from(self.source);
        }
        let stream = result?;
        // A request is written in one piece; waiting for more to send would only delay it.
        stream.set_nodelay(true)?;
        self.opened += 1;
        Ok(stream)
    }

    /// Connections begun so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// Local addresses used so far.
    pub(crate) fn sources_used(&self) -> u8 {
        self.sources_used
    }

    /// Only Linux answers on all of 127.0.0.0/8.
    fn has_more_sources(&self) -> bool {
        cfg!(target_os = "linux")
            && matches!(self.target.ip(), IpAddr::V4(address) if address.is_loopback())
    }

    fn dial_from(&self, source: u8) -> io::Result<TcpStream> {
        if source == 0 {
            return TcpStream::connect(self.target);
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let local = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + source), 0));
        socket.bind(&local.into())?;
        match socket.connect(&self.target.into()) {
            Err(error) if !is_in_progress(&error) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }
}

fn is_out_of_ports(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse)
}

fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        || error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn accept_from(dialer: &Dialer, listener: &TcpListener, source: u8) -> IpAddr {
        let stream = dialer.dial_from(source).unwrap();
        let (_, peer) = listener.accept().unwrap();
        drop(stream);
        peer.ip()
    }

    #[test]
    fn opens_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut dialer = Dialer::new(listener.local_addr().unwrap());
        let _stream = dialer.dial().unwrap();
        listener.accept().unwrap();
        assert_eq!((dialer.opened(), dialer.sources_used()), (1, 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn opens_connections_from_other_local_addresses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialer = Dialer::new(listener.local_addr().unwrap());
        assert_eq!(accept_from(&dialer, &listener, 0), Ipv4Addr::LOCALHOST);
        assert_eq!(accept_from(&dialer, &listener, 1), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(
            accept_from(&dialer, &listener, EXTRA_SOURCES_MAX),
            Ipv4Addr::new(127, 0, 0, 1 + EXTRA_SOURCES_MAX)
        );
    }

    #[test]
    fn stays_with_the_kernels_choice_towards_another_machine() {
        assert!(!Dialer::new("192.0.2.1:80".parse().unwrap()).has_more_sources());
        assert!(!Dialer::new("[::1]:80".parse().unwrap()).has_more_sources());
    }
}
