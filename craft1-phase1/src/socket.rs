//! TCP sockets, one system call a function: what every framework does and hides.
//!
//! A server's life is `socket`, `setsockopt`, `bind`, `listen`, and then for each client `accept`,
//! `recv`, `send`, `shutdown`, `close` (Stevens, "UNIX Network Programming", 1990; the calls are
//! those of 4.2BSD, 1983). `rustix` makes them without `unsafe` in our code, on Linux and macOS.
//!
//! What always holds: nothing waits without a deadline. Every descriptor is non-blocking: a call
//! that cannot go on says so, and [`poll`] waits until it can, until the time
//! is up, or until the server stops.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType, sockopt};

/// How much is read at once. A request with its body fits most of the time.
const RECV_BYTES: usize = 16 * 1024;

/// A socket that clients connect to.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

/// One connection. It is closed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

/// What a wait for bytes ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes came.
    Bytes(usize),
    /// The peer sends no more. It may still read.
    End,
    /// The deadline passed.
    TimedOut,
    /// The server is to stop.
    Stopping,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The call that could not go on can be made again.
    Ready,
    /// The server is to stop.
    Stopping,
    /// The deadline passed.
    TimedOut,
}

impl Listener {
    /// Makes a socket, gives it its address and lets clients queue for it.
    ///
    /// `backlog` is how many connections the kernel completes and keeps before [`accept`] takes
    /// them. The kernel cuts it to its own limit (`net.core.somaxconn` on Linux). When a burst
    /// overflows it, Linux drops the packets that would complete a connection, and the client tries
    /// again after 1 second, then 2, then 4: a backlog that is too small is seen not as errors but
    /// as a few requests that take whole seconds.
    ///
    /// # Errors
    /// `AddrInUse` where another process listens there, `PermissionDenied` for a port that is
    /// reserved, `AddrNotAvailable` for an address that this machine does not have.
    ///
    /// [`accept`]: Self::accept
    pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = net::socket(family, SocketType::STREAM, None)?;
        // A connection that we closed first rests for a minute (TIME-WAIT, RFC 9293, section
        // 3.6.1), and its port with it. Without this a restarted server could not have its port.
        sockopt::set_socket_reuseaddr(&fd, true)?;
        net::bind(&fd, &address)?;
        net::listen(&fd, backlog)?;
        ioctl_fionbio(&fd, true)?;
        Ok(Self { fd })
    }

    /// Where it listens: with port 0 the kernel has picked one.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(net::getsockname(&self.fd)?.try_into()?)
    }

    /// Takes the next connection and the address it came from. `WouldBlock` where there is none.
    pub fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (fd, peer) = retry_on_intr(|| net::acceptfrom(&self.fd))?;
        ioctl_fionbio(&fd, true)?;
        // Nagle's algorithm (RFC 896) holds a small packet back until the one before has arrived. An
        // answer is one packet that nothing follows, so there is nothing to collect.
        sockopt::set_tcp_nodelay(&fd, true)?;
        // macOS gives no address for a client that is already gone.
        let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?.try_into()?;
        Ok((Socket { fd }, peer))
    }

    /// Waits for a connection. The end of the server comes first: a crowd at the door must not put
    /// it off.
    pub fn wait(&self, stop: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<Wake> {
        match wait_for_any(&[stop, self.as_fd()], deadline)?[..] {
            [true, _] => Ok(Wake::Stopping),
            [_, true] => Ok(Wake::Ready),
            _ => Ok(Wake::TimedOut),
        }
    }
}

impl From<Listener> for OwnedFd {
    /// For whoever accepts in another way.
    fn from(listener: Listener) -> Self {
        listener.fd
    }
}

impl AsFd for Listener {
    /// Readable once a connection can be accepted.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    // ANCHOR: deadlines
    /// Appends to `bytes` what has arrived, or waits for it until `deadline`; with a `stop` also
    /// until that is readable.
    pub fn recv(
        &self,
        bytes: &mut Vec<u8>,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> io::Result<Received> {
        bytes.reserve(RECV_BYTES);
        loop {
            let result = net::recv(&self.fd, spare_capacity(bytes), RecvFlags::empty());
            match result.map(|(_, len)| len) {
                Ok(0) => return Ok(Received::End),
                Ok(len) => return Ok(Received::Bytes(len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    match wait(self.fd.as_fd(), PollFlags::IN, stop, Some(deadline))? {
                        Wake::Ready => {}
                        Wake::Stopping => return Ok(Received::Stopping),
                        Wake::TimedOut => return Ok(Received::TimedOut),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends all bytes. They are with the kernel then, not with the peer.
    ///
    /// # Errors
    /// `TimedOut` where the peer has not made room by the deadline: it reads too slowly or not at
    /// all. `BrokenPipe` or `ConnectionReset` where it is gone.
    pub fn send_all(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            match net::send(&self.fd, bytes, SendFlags::empty()) {
                Ok(len) => bytes = &bytes[len..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let wake = wait(self.fd.as_fd(), PollFlags::OUT, None, Some(deadline))?;
                    if wake == Wake::TimedOut {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
    // ANCHOR_END: deadlines

    /// Takes what has arrived, as much as `bytes` has room for, and says how much that was: nothing
    /// where the peer sends no more. `WouldBlock` where it may.
    pub fn try_recv(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let (_, len) = retry_on_intr(|| net::recv(&self.fd, &mut *bytes, RecvFlags::empty()))?;
        Ok(len)
    }

    /// Says that no more bytes will come from us. What the peer sends can still be read.
    pub fn finish_sending(&self) -> io::Result<()> {
        Ok(net::shutdown(&self.fd, net::Shutdown::Write)?)
    }
}

impl AsFd for Socket {
    /// Readable once bytes have come, or the end of them.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until one of `fds` can be read, is at its end or is broken, or until the deadline passes,
/// and says of each whether it is so.
pub fn wait_for_any(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut entries: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    poll_until(&mut entries, deadline)?;
    Ok(entries.iter().map(|entry| !entry.revents().is_empty()).collect())
}

/// Waits until `fd` is ready for `interest`, `stop` is readable, or the deadline passes.
fn wait(
    fd: BorrowedFd<'_>,
    interest: PollFlags,
    stop: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> io::Result<Wake> {
    let mut entries = vec![PollFd::from_borrowed_fd(fd, interest)];
    entries.extend(stop.map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)));
    match poll_until(&mut entries, deadline)? {
        0 => Ok(Wake::TimedOut),
        // First: a request that has arrived is answered, also while the server stops.
        _ if !entries[0].revents().is_empty() => Ok(Wake::Ready),
        _ => Ok(Wake::Stopping),
    }
}

/// Waits until an entry is ready or the deadline passes, and says how many are.
fn poll_until(entries: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(entries, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    pub(crate) fn listener(backlog: i32) -> Listener {
        Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), backlog).unwrap()
    }

    fn accept(listener: &Listener) -> (Socket, SocketAddr) {
        let deadline = Some(Instant::now() + LONG);
        wait(listener.fd.as_fd(), PollFlags::IN, None, deadline).unwrap();
        listener.accept().unwrap()
    }

    /// The two ends of a connection: ours and a client's.
    pub(crate) fn pair() -> (Socket, TcpStream) {
        let listener = listener(1);
        let peer = TcpStream::connect(listener.local_address().unwrap()).unwrap();
        let (socket, address) = accept(&listener);
        assert_eq!(address, peer.local_addr().unwrap());
        (socket, peer)
    }

    #[test]
    fn carries_bytes_both_ways_and_says_when_each_way_ends() {
        let (socket, mut peer) = pair();
        peer.write_all(b"ping").unwrap();
        let (mut bytes, deadline) = (Vec::new(), Instant::now() + LONG);
        assert_eq!(socket.recv(&mut bytes, deadline, None).unwrap(), Received::Bytes(4));
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(socket.recv(&mut bytes, deadline, None).unwrap(), Received::End);
        socket.send_all(b"pong", deadline).unwrap();
        socket.finish_sending().unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert_eq!((bytes.as_slice(), answer.as_str()), (&b"ping"[..], "pong"));
    }

    #[test]
    fn a_wait_for_bytes_ends_at_its_deadline() {
        let (socket, _peer) = pair();
        let deadline = Instant::now() + SOON;
        let received = socket.recv(&mut Vec::new(), deadline, None).unwrap();
        assert_eq!(received, Received::TimedOut);
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn a_wait_for_bytes_ends_when_the_server_stops() {
        let (socket, mut peer) = pair();
        let (stop, stopper) = rustix::pipe::pipe().unwrap();
        drop(stopper);
        let (mut bytes, deadline) = (Vec::new(), Instant::now() + LONG);
        let received = socket.recv(&mut bytes, deadline, Some(stop.as_fd())).unwrap();
        assert_eq!(received, Received::Stopping);
        peer.write_all(b"x").unwrap();
        let received = socket.recv(&mut bytes, deadline, None).unwrap();
        assert_eq!(received, Received::Bytes(1), "it can still be read");
    }

    #[test]
    fn takes_no_more_than_there_is_room_for_and_waits_for_nothing() {
        let (socket, mut peer) = pair();
        let mut bytes = [0; 3];
        assert_eq!(socket.try_recv(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        peer.write_all(b"ping").unwrap();
        wait_for_any(&[socket.as_fd()], Some(Instant::now() + LONG)).unwrap();
        assert_eq!((socket.try_recv(&mut bytes).unwrap(), &bytes), (3, b"pin"));
        assert_eq!(socket.try_recv(&mut bytes).unwrap(), 1);
        drop(peer);
        wait_for_any(&[socket.as_fd()], Some(Instant::now() + LONG)).unwrap();
        assert_eq!(socket.try_recv(&mut bytes).unwrap(), 0);
    }

    #[test]
    fn a_wait_for_several_says_which_of_them_are_readable() {
        let ((quiet, _peer), (loud, mut loud_peer), (ended, ended_peer)) = (pair(), pair(), pair());
        let sockets = [quiet.as_fd(), loud.as_fd(), ended.as_fd()];
        let wait = |wait| wait_for_any(&sockets, Some(Instant::now() + wait)).unwrap();
        assert_eq!(wait(SOON), [false, false, false]);
        loud_peer.write_all(b"x").unwrap();
        assert_eq!(wait(LONG), [false, true, false]);
        drop(ended_peer);
        wait_for_any(&sockets[2..], Some(Instant::now() + LONG)).unwrap();
        assert_eq!(wait(LONG), [false, true, true]);
    }

    #[test]
    fn a_crowd_at_the_door_does_not_put_off_the_end() {
        let listener = listener(1);
        let (stop, stopper) = rustix::pipe::pipe().unwrap();
        let _waiting = TcpStream::connect(listener.local_address().unwrap()).unwrap();
        let deadline = Some(Instant::now() + LONG);
        assert_eq!(listener.wait(stop.as_fd(), deadline).unwrap(), Wake::Ready);
        drop(stopper);
        assert_eq!(listener.wait(stop.as_fd(), deadline).unwrap(), Wake::Stopping);
    }

    #[test]
    fn a_peer_that_does_not_read_cannot_hold_us_beyond_the_deadline() {
        let (socket, _peer) = pair();
        let deadline = Instant::now() + SOON;
        let more_than_any_buffer = vec![0; 64 << 20];
        let error = socket.send_all(&more_than_any_buffer, deadline).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let first = listener(1);
        let error = Listener::bind(first.local_address().unwrap(), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    /// What the doc of [`Listener::bind`] says about Linux.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_backlog_lets_clients_wait_instead_of_refusing_them() {
        let listener = listener(1);
        let address = listener.local_address().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let queued: Vec<_> = (0..10).map_while(|_| connect().ok()).collect();
        assert!((1..10).contains(&queued.len()), "{}", queued.len());
        assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::TimedOut);
        accept(&listener);
        assert!(TcpStream::connect_timeout(&address, LONG).is_ok(), "there is room again");
    }
}
