//! Listening sockets, one for each event loop, all on one port.
//!
//! Where the kernel spreads connections over sockets that share a port (Linux, `SO_REUSEPORT` in
//! `socket(7)`, by Tom Herbert, 2013), each loop has one of its own, and no loop ever waits for
//! another. Elsewhere all loops accept from one queue: macOS has the option, but gives every
//! connection to the last socket.
//!
//! What always holds: the port is ours alone. Whoever comes second, another instance of this
//! program too, hears that it is in use, and gets no share of our connections.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use mio::net::TcpListener;
use socket2::{Domain, Socket, Type};

/// Opens the port for `loops` event loops. With port 0 the kernel picks one.
///
/// `backlog` is how many connections the kernel keeps until they are accepted, for each socket; it
/// may allow fewer.
///
/// # Errors
/// `AddrInUse` where another process listens there, `PermissionDenied` for a port that is reserved,
/// `AddrNotAvailable` for an address that this machine does not have.
pub fn bind(
    address: SocketAddr,
    loops: NonZeroUsize,
    backlog: i32,
) -> io::Result<Vec<TcpListener>> {
    let first = bound(address, |_| Ok(()))?;
    // With port 0 it is known from here on.
    let address = first.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut sockets = vec![first];
    share(&mut sockets, address, loops.get())?;
    let listening = sockets.into_iter().map(|socket| {
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from_std(socket.into()))
    });
    listening.collect()
}

/// The option that makes sharing possible is set on the first socket only when it has the port, so
/// that a foreign socket with the same option is no reason for the kernel to let us in.
#[cfg(target_os = "linux")]
fn share(sockets: &mut Vec<Socket>, address: SocketAddr, loops: usize) -> io::Result<()> {
    sockets[0].set_reuse_port(true)?;
    while sockets.len() < loops {
        sockets.push(bound(address, |socket| socket.set_reuse_port(true))?);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn share(sockets: &mut Vec<Socket>, _address: SocketAddr, loops: usize) -> io::Result<()> {
    while sockets.len() < loops {
        sockets.push(sockets[0].try_clone()?);
    }
    Ok(())
}

fn bound(
    address: SocketAddr,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A connection that we closed first rests for a minute (TIME-WAIT, RFC 9293, section 3.6.1),
    // and its port with it. Without this a restarted server could not have its port.
    socket.set_reuse_address(true)?;
    prepare(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::thread;

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn bind_for(address: SocketAddr, loops: usize) -> io::Result<Vec<TcpListener>> {
        bind(address, NonZeroUsize::new(loops).unwrap(), 64)
    }

    #[test]
    fn there_is_a_socket_for_each_loop_and_one_port() {
        let listeners = bind_for(ANY_PORT, 3).unwrap();
        let addresses: Vec<_> = listeners.iter().map(|it| it.local_addr().unwrap()).collect();
        assert_eq!(addresses, [addresses[0]; 3]);
        assert_ne!(addresses[0].port(), 0);
    }

    #[test]
    fn a_second_server_is_told_that_the_port_is_in_use() {
        for loops in [1, 2] {
            let first = bind_for(ANY_PORT, loops).unwrap();
            let error = bind_for(first[0].local_addr().unwrap(), loops).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{loops} loops");
        }
    }

    #[test]
    fn a_connection_comes_to_one_of_them() {
        let listeners = bind_for(ANY_PORT, 2).unwrap();
        let address = listeners[0].local_addr().unwrap();
        for _ in 0..16 {
            let client = TcpStream::connect(address).unwrap();
            let peer = loop {
                let mut accepted = listeners.iter().filter_map(|it| it.accept().ok());
                match accepted.next() {
                    Some((_, peer)) => break peer,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }
}
