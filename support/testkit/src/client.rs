//! A raw HTTP client: it sends exactly the bytes it is given, and reads responses strictly.
//!
//! A test client must be stricter than real ones: a response that a browser would forgive is a
//! defect here. Framing follows RFC 9112, section 6: Content-Length, chunks, or the end of the
//! connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{str, thread};

use crate::DEADLINE;

/// One connection. Reads and writes end after [`DEADLINE`], and no response is longer than
/// [`RESPONSE_BYTES_MAX`].
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// How long a whole response may take.
    deadline: Duration,
    /// What was read and belongs to no response yet.
    unread: Vec<u8>,
}

/// Longest response. Longer than any that a test asks for, so that a peer without an end is an error.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One response, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values in the order they came in.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

/// Whether a response to this request has a body, which its own bytes do not say (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The answer to everything but HEAD.
    Body,
    /// The answer to HEAD: a Content-Length without the content.
    HeadOnly,
}

impl Client {
    /// Connects, with Nagle's algorithm off so that every send is a segment of its own.
    ///
    /// # Errors
    /// Those of the connect.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::connect_with_deadline(address, DEADLINE)
    }

    /// As [`Client::connect`], with a shorter wait for each answer: for a test that also expects
    /// none.
    ///
    /// # Errors
    /// Those of the connect.
    pub fn connect_with_deadline(address: SocketAddr, deadline: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream, deadline, unread: Vec::new() })
    }

    /// Sends all bytes in one piece.
    ///
    /// # Errors
    /// Also where the peer has answered early and closed: its response may still be readable.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends pieces of `piece_len` bytes with `pause` behind each.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_in_pieces(
        &mut self,
        bytes: &[u8],
        piece_len: usize,
        pause: Duration,
    ) -> io::Result<()> {
        for piece in bytes.chunks(piece_len) {
            self.send(piece)?;
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        Ok(())
    }

    /// Ends our side of the connection; answers can still be read.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads the next response to a request that was not HEAD.
    ///
    /// # Errors
    /// `UnexpectedEof` where the connection ends first, `InvalidData` where the response is not
    /// strictly HTTP, and those of the socket, `WouldBlock` after [`DEADLINE`] among them.
    pub fn read_response(&mut self) -> io::Result<Response> {
        self.read(Expect::Body)
    }

    /// Reads the next response, which is to a HEAD request or not.
    ///
    /// # Errors
    /// As [`Client::read_response`].
    pub fn read(&mut self, expect: Expect) -> io::Result<Response> {
        let until = Instant::now() + self.deadline;
        let head_len = loop {
            match self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.fill(until)?,
            }
        };
        let head: Vec<u8> = self.unread.drain(..head_len).collect();
        let (status, fields) = parse_head(&head[..head_len - 4])?;
        let mut response = Response { status, fields, body: Vec::new() };
        if expect == Expect::Body && !(status < 200 || status == 204 || status == 304) {
            response.body = self.read_body(&response, until)?;
        }
        Ok(response)
    }

    /// Asserts that the peer closes without another byte.
    ///
    /// # Panics
    /// If it sends something, or does not close within [`DEADLINE`].
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let rest = self.read_to_end();
        assert!(
            matches!(&rest, Ok(rest) if rest.is_empty()),
            "expected the end of the connection, not {rest:?}"
        );
    }

    /// All that comes until the peer closes.
    ///
    /// # Errors
    /// Those of the socket; a reset counts as the end.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        self.read_to_end_until(Instant::now() + self.deadline)
    }

    fn read_to_end_until(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        loop {
            match self.fill(until).map_err(|error| error.kind()) {
                Ok(()) => {}
                Err(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                    return Ok(std::mem::take(&mut self.unread));
                }
                Err(kind) => return Err(kind.into()),
            }
        }
    }

    fn read_body(&mut self, response: &Response, until: Instant) -> io::Result<Vec<u8>> {
        match (response.field("transfer-encoding"), response.field("content-length")) {
            (Some(_), Some(_)) => Err(invalid("both Transfer-Encoding and Content-Length")),
            (Some("chunked"), None) => self.read_chunks(until),
            (Some(other), None) => Err(invalid(&format!("Transfer-Encoding: {other}"))),
            (None, Some(digits)) => match digits.parse() {
                Ok(len) => self.take(len, until),
                Err(_) => Err(invalid(&format!("Content-Length: {digits}"))),
            },
            (None, None) => self.read_to_end_until(until),
        }
    }

    fn read_chunks(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line(until)?;
            let len =
                str::from_utf8(&line).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
            let len = len.ok_or_else(|| invalid("a chunk without a length"))?;
            body.extend(self.take(len, until)?);
            if !self.take_line(until)?.is_empty() {
                return Err(invalid("a chunk that is longer than its length"));
            }
            if len == 0 {
                return Ok(body);
            }
        }
    }

    fn take(&mut self, len: usize, until: Instant) -> io::Result<Vec<u8>> {
        while self.unread.len() < len {
            self.fill(until)?;
        }
        Ok(self.unread.drain(..len).collect())
    }

    fn take_line(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(at, until)?;
                self.take(2, until)?;
                return Ok(line);
            }
            self.fill(until)?;
        }
    }

    /// Reads what is there. A peer that sends a byte now and then does not move the end.
    fn fill(&mut self, until: Instant) -> io::Result<()> {
        if self.unread.len() > RESPONSE_BYTES_MAX {
            return Err(invalid("a response without an end"));
        }
        let left = until.saturating_duration_since(Instant::now());
        // Zero would mean for ever.
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut chunk = [0; 8 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            len => {
                self.unread.extend_from_slice(&chunk[..len]);
                Ok(())
            }
        }
    }
}

impl Response {
    /// The value of the first field of this name, whatever its case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}): {}", self.text()))
    }
}

/// `GET path` over a connection of its own.
///
/// # Panics
/// If no response comes back.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Response {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// `GET path` as JSON.
///
/// # Panics
/// If the answer is not 200 with JSON.
#[track_caller]
pub fn get_json(address: SocketAddr, path: &str) -> serde_json::Value {
    let response = get(address, path);
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

/// `POST path` with a body, JSON by its Content-Type, over a connection of its own.
///
/// # Panics
/// If no response comes back.
#[track_caller]
pub fn post_json(address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, &[head.as_bytes(), body].concat())
}

/// Sends `request` over a connection of its own and reads one response.
///
/// # Panics
/// If no response comes back.
#[track_caller]
pub fn exchange(address: SocketAddr, request: &[u8]) -> Response {
    let response = Client::connect(address).and_then(|mut client| {
        // An early answer can cut our sending short. It is the answer that counts.
        let sent = client.send(request);
        client.read_response().map_err(|error| sent.err().unwrap_or(error))
    });
    response.unwrap_or_else(|error| {
        let start = String::from_utf8_lossy(&request[..request.len().min(200)]);
        panic!("no response ({error}) to {start:?}")
    })
}

fn parse_head(head: &[u8]) -> io::Result<(u16, Vec<(String, String)>)> {
    let head = str::from_utf8(head).map_err(|_| invalid("a head that is not UTF-8"))?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| {
        let (digits, _reason) = rest.split_once(' ')?;
        if digits.len() == 3 { digits.parse().ok() } else { None }
    });
    let status = status.ok_or_else(|| invalid(status_line))?;
    let fields = lines.map(|line| match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains([' ', '\t']) => {
            Ok((name.to_string(), value.trim_matches([' ', '\t']).to_string()))
        }
        _ => Err(invalid(line)),
    });
    Ok((status, fields.collect::<io::Result<_>>()?))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not a strict HTTP response: {what:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A peer that sends `script` in pieces of `piece_len` and closes.
    fn reading(script: &'static [u8], piece_len: usize) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in script.chunks(piece_len) {
                stream.write_all(piece).unwrap();
            }
        });
        Client::connect(address).unwrap()
    }

    #[test]
    fn reads_responses_one_by_one_in_any_split() {
        let script = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok\
                       HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n\
                       HTTP/1.1 400 Bad Request\r\n\r\nto the end";
        for piece_len in [1, 7, 4096] {
            let mut client = reading(script, piece_len);
            let first = client.read_response().unwrap();
            assert_eq!((first.status, first.body.as_slice()), (202, &b"ok"[..]));
            assert_eq!(client.read_response().unwrap().body, b"abcd");
            let last = client.read_response().unwrap();
            assert_eq!((last.status, last.body.as_slice()), (400, &b"to the end"[..]));
            client.assert_closed();
        }
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body() {
        let mut client = reading(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 4096);
        assert_eq!(client.read(Expect::HeadOnly).unwrap().body, b"");
        client.assert_closed();
    }

    #[test]
    fn refuses_what_is_not_strictly_http() {
        let bad: [&[u8]; 5] = [
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ];
        for script in bad {
            let error = reading(script, 4096).read_response().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{script:?}");
        }
    }

    #[test]
    fn a_response_that_is_cut_short_is_an_error() {
        let mut client = reading(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour", 4096);
        assert_eq!(client.read_response().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
