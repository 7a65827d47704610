//! A connection of the event loop: the state machine and the socket it speaks through.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use crate::{connection::Connection, request::Requests};

/// One of the plan's connections. It lives as long as the run; its sockets may come and go.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) socket: Socket,
}

#[derive(Debug, Default)]
pub(crate) enum Socket {
    /// To be opened by the next request.
    #[default]
    Closed,
    /// Begun; whether it will succeed is not known.
    Connecting(TcpStream),
    Open(TcpStream),
}

impl Link {
    /// Writes once.
    pub(crate) fn write(&mut self, requests: &Requests) -> io::Result<usize> {
        let (Socket::Connecting(stream) | Socket::Open(stream)) = &mut self.socket else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let written = self.connection.write_with(requests, |slices| match slices {
            [one] => stream.write(one),
            many => stream.write_vectored(many),
        })?;
        self.opened();
        Ok(written)
    }

    /// Reads once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Connecting(stream) | Socket::Open(stream) => stream.read(buffer),
            Socket::Closed => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// After an event: whether the connection has just been established. An error means that it
    /// never will be; the socket is closed then only by whoever counts the failure.
    pub(crate) fn check_connected(&mut self) -> io::Result<bool> {
        let Socket::Connecting(stream) = &self.socket else { return Ok(false) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {
                self.opened();
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn opened(&mut self) {
        if matches!(self.socket, Socket::Connecting(_))
            && let Socket::Connecting(stream) = std::mem::take(&mut self.socket)
        {
            self.socket = Socket::Open(stream);
        }
    }
}

/// The socket will say when it is ready.
pub(crate) fn is_not_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}
