//! Listening sockets on the loopback address, one a server thread, all on one port.
//!
//! `SO_REUSEPORT` lets the kernel spread connections over the threads, so that no thread waits
//! for another to hand it one (Linux, `socket(7)`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::Options;

/// Connections that may wait to be accepted. A comparison opens up to ten thousand at once; the
/// kernel lowers this to `net.core.somaxconn` (4,096 by default).
pub const BACKLOG: i32 = 16_384;

/// One non-blocking listener for each of `options.threads`, and the address they share.
pub fn listen_per_thread(options: &Options) -> io::Result<(Vec<TcpListener>, SocketAddr)> {
    let (first, address) = listen_once(options)?;
    let mut listeners = vec![first];
    for _ in 1..options.threads.get() {
        listeners.push(listen(address.port())?);
    }
    Ok((listeners, address))
}

/// One non-blocking listener, for a framework that spreads connections by itself.
pub fn listen_once(options: &Options) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = listen(options.port)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A socket that holds a port without listening on it, for a framework that binds by itself and
/// does not tell which port it got. The framework must bind with `SO_REUSEPORT` too, and the
/// reservation must live until then.
#[derive(Debug)]
pub struct Reservation {
    socket: Socket,
}

impl Reservation {
    /// Binds `port` on the loopback address, or a free one for port 0.
    pub fn new(port: u16) -> io::Result<Self> {
        Ok(Self { socket: bind(port)? })
    }

    /// The address that is held.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = bind(port)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
