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
        // ANCHOR: recv
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
        // ANCHOR_END: recv
    }

    /// Sends all bytes. They are with the kernel then, not with the peer.
    ///
    /// # Errors
    /// `TimedOut` where the peer has not made room by the deadline: it reads too slowly or not at
    /// all. `BrokenPipe` or `ConnectionReset` where it is gone.
    pub fn send_all(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        // ANCHOR: send_all
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
        // ANCHOR_END: send_all
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
    // ANCHOR: poll_until
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(entries, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
    // ANCHOR_END: poll_until
}

#[cfg(test)]
#[path = "socket_tests.rs"]
pub(crate) mod tests;
