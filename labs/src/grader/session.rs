//! A running server as checks see it: requests in, answers or failures out, each within a deadline.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use testkit::{Client, Response};

use super::bytes;
use super::check::Failure;
use super::phase::Phase;

/// How long an answer may take. Far beyond what it needs, also on a busy machine.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A metric that is taken.
pub const METRIC: &str = r#"{"name":"m","value":1}"#;

/// A server that runs.
#[derive(Debug)]
pub struct Session {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is graded as.
    pub phase: Phase,
    /// Decides everything random.
    pub seed: u64,
    /// Its process, where the grader has started it.
    pub pid: Option<u32>,
    /// Whether it can be told how long to wait for a request.
    pub impatience: bool,
}

/// `POST /metrics` of a body, with more field lines, each with its line end.
pub fn post_with(fields: &str, body: &str) -> Vec<u8> {
    let mut request = String::from("POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    let _ = write!(
        request,
        "Content-Type: application/json\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    request.into_bytes()
}

/// `GET` of a path.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").into_bytes()
}

impl Session {
    /// A connection whose answers come within [`ANSWER_MAX`].
    ///
    /// # Errors
    /// Where the server takes none.
    pub fn connect(&self) -> Result<Client, Failure> {
        self.connect_for(ANSWER_MAX)
    }

    /// A connection whose answers come within `deadline`.
    ///
    /// # Errors
    /// Where the server takes none.
    pub fn connect_for(&self, deadline: Duration) -> Result<Client, Failure> {
        Client::connect_with_deadline(self.address, deadline)
            .map_err(|error| Failure::new("a new connection", why(&error), "that it is accepted"))
    }

    /// The answer to these bytes over a connection of their own.
    ///
    /// # Errors
    /// Where there is none.
    pub fn exchange(&self, request: &[u8]) -> Result<Response, Failure> {
        let mut client = self.connect()?;
        // An early answer can cut our sending short. It is the answer that counts.
        let sent = client.send(request);
        client.read_response().map_err(|error| {
            let error = if error.kind() == ErrorKind::InvalidData {
                error
            } else {
                sent.err().unwrap_or(error)
            };
            Failure::new(bytes::readable(request), why(&error), "an answer")
        })
    }

    /// As [`Session::exchange`], with the only status that is right.
    ///
    /// # Errors
    /// Where there is none or another one.
    pub fn expect(&self, request: &[u8], status: u16) -> Result<Response, Failure> {
        let response = self.exchange(request)?;
        expect_status(request, &response, status)?;
        Ok(response)
    }

    /// `POST /metrics` of a body that must be taken.
    ///
    /// # Errors
    /// Where it is not.
    pub fn accepted(&self, body: &str) -> Result<(), Failure> {
        self.expect(&post_with("", body), 202).map(drop)
    }

    /// Whether it still answers, after what was done to it.
    ///
    /// # Errors
    /// Where it does not, or not with 200.
    pub fn still_answers(&self, after: &str) -> Result<(), Failure> {
        self.expect(&get("/health"), 200).map(drop).map_err(|failure| Failure {
            sent: format!("{after}, then GET /health"),
            expected: "200: it goes on as if nothing had happened".to_owned(),
            ..failure
        })
    }
}

/// Fails where a response has another status.
pub fn expect_status(request: &[u8], response: &Response, status: u16) -> Result<(), Failure> {
    if response.status == status {
        return Ok(());
    }
    let came_back = bytes::response(response);
    Err(Failure::new(bytes::readable(request), came_back, status.to_string()))
}

/// Why there is no answer, in words.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the connection was closed without an answer".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the connection was reset without an answer".to_owned()
        }
        ErrorKind::ConnectionRefused => "the connection was refused: nobody listens".to_owned(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer before the deadline".to_owned(),
        _ => error.to_string(),
    }
}
