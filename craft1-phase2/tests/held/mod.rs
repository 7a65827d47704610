//! Clients that hold their place: they have begun a request and do not go on until they are told.

use std::net::SocketAddr;

use testkit::{Client, Response};

const BEGINNING: &str =
    "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";
const REST: &str = "Content-Length: 25\r\n\r\n{\"name\":\"held\",\"value\":1}";

/// A client in the middle of its head.
pub(crate) struct Held(Client);

impl Held {
    /// Connects and sends the beginning of a request.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let mut client = Client::connect(address).unwrap();
        client.send(BEGINNING.as_bytes()).unwrap();
        Self(client)
    }

    /// Sends the rest, and reads the only answer.
    pub(crate) fn finish(mut self) -> Response {
        self.0.send(REST.as_bytes()).unwrap();
        self.answer()
    }

    /// Reads the only answer, which comes although the request goes on no further.
    pub(crate) fn answer(mut self) -> Response {
        let response = self.0.read_response().unwrap();
        self.0.assert_closed();
        response
    }
}
