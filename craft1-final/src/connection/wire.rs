//! The socket of a connection: bytes in and bytes out, without ever waiting.
//!
//! What always holds: bytes leave in the order in which they were sent, and what the kernel has not
//! taken is kept until it says that it has room. Nothing is kept otherwise.
//!
//! The socket is edge-triggered (`epoll(7)`): it is told once that bytes have come, or that there is
//! room again. A read that fills less than the buffer has taken everything, and a send that is cut
//! short has filled the kernel's buffer, so an event will come.

use std::io;

use mio::net::TcpStream;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::telemetry::Meter;

/// A socket, and what it has not sent yet.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unsent: Vec<u8>,
}

/// What a read came to.
#[derive(Debug)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// None yet.
    Nothing,
    /// The peer sends no more.
    End,
}

impl Wire {
    /// Nothing is sent yet.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, unsent: Vec::new() }
    }

    /// Whether the kernel has taken everything.
    pub fn is_clear(&self) -> bool {
        self.unsent.is_empty()
    }

    /// The memory for what it has not taken, in bytes.
    pub fn buffered_bytes(&self) -> usize {
        self.unsent.capacity()
    }

    /// Reads into `buffer`, once.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        match retry_on_intr(|| recv(&self.stream, &mut *buffer, RecvFlags::empty())) {
            Ok((_, 0)) => Ok(Received::End),
            Ok((_, len)) => Ok(Received::Bytes(len)),
            Err(Errno::AGAIN) => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what is left of earlier calls, and behind it what is in `out`, which is empty then.
    pub fn send(&mut self, out: &mut Vec<u8>, meter: &Meter) -> io::Result<()> {
        if self.unsent.is_empty() {
            if !out.is_empty() {
                let sent = self.transmit(out)?;
                meter.sent(sent);
                self.unsent.extend_from_slice(&out[sent..]);
                out.clear();
            }
            return Ok(());
        }
        self.unsent.append(out);
        let sent = self.transmit(&self.unsent)?;
        meter.sent(sent);
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            // Who read slowly once need not do so again.
            self.unsent = Vec::new();
        }
        Ok(())
    }

    fn transmit(&self, bytes: &[u8]) -> io::Result<usize> {
        match retry_on_intr(|| send(&self.stream, bytes, SendFlags::empty())) {
            Ok(len) => Ok(len),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the peer that everything is sent.
    pub fn end(&self) -> io::Result<()> {
        Ok(shutdown(&self.stream, Shutdown::Write)?)
    }
}
