//! The floor: the smallest epoll server that reads a complete request and sends a fixed answer.
//!
//! It parses no JSON, checks nothing and stores nothing, so what it costs is what the kernel costs
//! for one request, plus finding the request's end. All complete requests of one read are answered
//! with one write. A request with a body framed in chunks is not understood.
//!
//! Edge-triggered (`epoll(7)`): a read that fills less than the buffer has emptied the socket, so
//! a request costs one `recv`, one `send` and its share of one `epoll_wait`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use clap::Parser;
use memchr::memchr;
use rivals::{Options, announce_and_wait, listen};
use rustix::event::epoll::{self, EventData, EventFlags};

/// The fixed answer.
const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 34\r\n\
    \r\n\
    {\"status\":\"accepted\",\"accepted\":1}";

/// Answers that one write can carry; a read that holds more requests costs more writes.
const ANSWERS_PER_WRITE: usize = 64;

/// A request with head and body must fit: 1 MiB of body and far more than a head needs. A larger
/// one ends the connection.
const BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// The event data of the listener; every other value is a connection's descriptor.
const LISTENER: u64 = u64::MAX;

fn main() -> anyhow::Result<()> {
    let (listeners, address) = listen::listen_per_thread(&Options::parse())?;
    for listener in listeners {
        thread::Builder::new().name("server".into()).spawn(move || Server::new(listener)?.run())?;
    }
    Ok(announce_and_wait(address)?)
}

struct Server {
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    /// By descriptor: the kernel gives out the smallest that is free.
    connections: Vec<Option<Connection>>,
    /// One for all connections: it holds something of its own only where a request is incomplete.
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    incomplete: Vec<u8>,
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self { epoll, listener, connections: Vec::new(), buffer: vec![0; BUFFER_BYTES] })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    descriptor => self.serve(usize::try_from(descriptor).unwrap_or(usize::MAX)),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let Ok((stream, _peer)) = self.listener.accept() else { return Ok(()) };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let descriptor = usize::try_from(stream.as_raw_fd()).expect("an open descriptor");
        let data = EventData::new_u64(descriptor as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN | EventFlags::ET)?;
        if self.connections.len() <= descriptor {
            self.connections.resize_with(descriptor + 1, || None);
        }
        self.connections[descriptor] = Some(Connection { stream, incomplete: Vec::new() });
        Ok(())
    }

    fn serve(&mut self, descriptor: usize) {
        let Some(slot) = self.connections.get_mut(descriptor) else { return };
        let Some(connection) = slot else { return };
        if connection.answer_all(&mut self.buffer).is_err() {
            *slot = None;
        }
    }
}

impl Connection {
    /// Answers everything that has arrived. An error, the end of the stream among them, closes.
    fn answer_all(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = self.incomplete.len();
        buffer[..filled].copy_from_slice(&self.incomplete);
        loop {
            let room = buffer.len() - filled;
            let received = match self.stream.read(&mut buffer[filled..]) {
                // Also when a request is larger than the buffer, which leaves no room.
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            filled += received;
            let (requests, used) = complete_requests(&buffer[..filled])?;
            self.send_answers(requests)?;
            buffer.copy_within(used..filled, 0);
            filled -= used;
            if received < room {
                break;
            }
        }
        self.incomplete.clear();
        self.incomplete.extend_from_slice(&buffer[..filled]);
        Ok(())
    }

    /// A peer that does not read its answers is cut off: its socket would block.
    fn send_answers(&mut self, mut requests: usize) -> io::Result<()> {
        const ANSWERS: [u8; ANSWER.len() * ANSWERS_PER_WRITE] = repeated_answers();
        while requests > 0 {
            let now = requests.min(ANSWERS_PER_WRITE);
            self.stream.write_all(&ANSWERS[..now * ANSWER.len()])?;
            requests -= now;
        }
        Ok(())
    }
}

/// How many requests are complete at the start of `bytes`, and how many bytes they take.
fn complete_requests(bytes: &[u8]) -> io::Result<(usize, usize)> {
    let (mut requests, mut used) = (0, 0);
    while let Some(len) = request_len(&bytes[used..])? {
        if len > bytes.len() - used {
            break;
        }
        requests += 1;
        used += len;
    }
    Ok((requests, used))
}

/// The length of the first request with its body, once its head is complete.
fn request_len(bytes: &[u8]) -> io::Result<Option<usize>> {
    const CONTENT_LENGTH: &[u8] = b"content-length:";
    let (mut line_start, mut body_len) = (0, 0);
    while let Some(line_len) = memchr(b'\n', &bytes[line_start..]) {
        let line = &bytes[line_start..line_start + line_len];
        line_start += line_len + 1;
        if line == b"\r" {
            return Ok(Some(line_start + body_len));
        }
        if let Some((name, value)) = line.split_at_checked(CONTENT_LENGTH.len())
            && name.eq_ignore_ascii_case(CONTENT_LENGTH)
        {
            body_len = decimal(value.trim_ascii())?;
        }
    }
    Ok(None)
}

fn decimal(digits: &[u8]) -> io::Result<usize> {
    let text = std::str::from_utf8(digits).map_err(|_| ErrorKind::InvalidData)?;
    let number: u32 = text.parse().map_err(|_| ErrorKind::InvalidData)?;
    Ok(number as usize)
}

const fn repeated_answers() -> [u8; ANSWER.len() * ANSWERS_PER_WRITE] {
    let mut bytes = [0; ANSWER.len() * ANSWERS_PER_WRITE];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = ANSWER[index % ANSWER.len()];
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"POST /metrics HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn the_fixed_answer_names_its_true_length() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
    }

    #[test]
    fn every_prefix_of_a_request_is_incomplete() {
        for len in 0..REQUEST.len() {
            assert_eq!(complete_requests(&REQUEST[..len]).unwrap(), (0, 0), "{len} bytes");
        }
    }

    #[test]
    fn counts_pipelined_requests_and_leaves_the_incomplete_one() {
        let mut bytes = REQUEST.repeat(3);
        bytes.extend_from_slice(&REQUEST[..20]);
        assert_eq!(complete_requests(&bytes).unwrap(), (3, 3 * REQUEST.len()));
    }

    #[test]
    fn a_length_that_is_no_number_closes() {
        assert!(request_len(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
